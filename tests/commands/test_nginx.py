"""``mypi nginx-config``: what it makes of an ``.ini`` file, and what it refuses. tests/system/test_nginx.py runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mypi.commands.fronting import ACCEPTED, accepted
from tests.commands.conftest import Run, write

SERVER = """
[server:main]
use = egg:mypi
"""
BEHIND = "trusted_proxy = 127.0.0.1\ntrusted_proxy_headers = x-forwarded-for x-forwarded-proto\n"
TLS = ("--tls-cert", "/etc/ssl/mypi.pem", "--tls-key", "/etc/ssl/mypi.key")
HERE = ("nginx-config", "--server-name", "pypi.example.com")


def serve(ini: Path, lines: str = "", **settings: str) -> None:
    write(ini, **settings)
    with ini.open("a") as file:
        file.write(SERVER + lines)


def test_safe_profile_hands_everything_on(run: Run, ini: Path) -> None:
    serve(ini, BEHIND, upload_limit="92 MiB")
    done = run(*HERE, *TLS)
    assert done.code == 0
    for line in (
        "server 127.0.0.1:6543;",
        "client_max_body_size 104857600;",  # 8 MiB for the form
        'ssl_certificate "/etc/ssl/mypi.pem";',
        "return 301 https://pypi.example.com$request_uri;",
        "proxy_set_header X-Forwarded-For $remote_addr;",
        'proxy_set_header X-Sendfile-Type "";',
        "keepalive_timeout 60s;",
    ):
        assert f" {line}\n" in done.out, line
    for word in ("proxy_cache", "internal", "Strict-Transport", "must also say"):
        assert word not in done.out.replace("sends Strict-Transport-Security", ""), word
    assert done.err == "mypi: with mypi.accel = nginx in [app:main] nginx can send the files itself\n"


def test_files_are_sent_from_the_folder_of_the_store(run: Run, ini: Path) -> None:
    serve(ini, BEHIND, accel="nginx")
    done = run(*HERE)
    assert "location ^~ /_mypi_files/ {" in done.out
    assert f'alias "{ini.parent}/var/";' in done.out
    assert "X-Sendfile-Type X-Accel-Redirect;" in done.out
    assert (done.err, "443" in done.out) == ("", False)


def test_what_the_ini_lacks_is_named_in_both_places(run: Run, ini: Path) -> None:
    serve(ini, "listen = *:8080\n")
    done = run(*HERE)
    for line in (
        "listen = 127.0.0.1:8080",
        "trusted_proxy = 127.0.0.1",
        "trusted_proxy_headers = x-forwarded-for x-forwarded-proto",
    ):
        assert f"mypi: {ini} must also say, in [server:main]: {line}\n" in done.err
        assert f"# {ini} must also say, in [server:main]: {line}\n" in done.out
    assert "server 127.0.0.1:8080;" in done.out


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        ("port = 80\n", "127.0.0.1:80"),
        ("host = ::1\nport = 80\n", "[::1]:80"),
        ("listen = [::1]:80 127.0.0.1:81\n", "[::1]:80"),
        ("unix_socket = /run/mypi.sock\n", '"unix:/run/mypi.sock"'),
    ],
)
def test_the_address_is_where_mypi_listens(run: Run, ini: Path, lines: str, address: str) -> None:
    serve(ini, lines)
    done = run(*HERE)
    assert f"server {address};" in done.out
    for line in ("trusted_proxy = localhost", "unix_socket_perms = 660"):
        assert (line in done.err) is ("unix" in address)


def test_every_header_that_mypi_believes_is_nginx_own(run: Run, ini: Path) -> None:
    more = "trusted_proxy = 127.0.0.1\ntrusted_proxy_headers = x-forwarded-for x-forwarded-proto x-forwarded-host\n"
    serve(ini, more + "trusted_proxy_user_header = X-Remote-User\n")
    out = run(*HERE).out
    assert "proxy_set_header X-Forwarded-Host $http_host;" in out
    assert 'proxy_set_header X-Remote-User "";' in out


@pytest.mark.parametrize("accept", ACCEPTED)
def test_ways_to_ask_are_matched_whole_and_name_no_browser(accept: str) -> None:
    import re

    found = [
        form
        for words, form in accepted()
        if (re.search(words[1:], accept) if words.startswith("~") else words == accept)
    ]
    assert len(found) == 1
    assert "xhtml" not in accept


def test_name_is_taken_from_the_settings(run: Run, ini: Path) -> None:
    serve(ini, BEHIND, allowed_hosts="pypi.acme.example other.example")
    assert "server_name pypi.acme.example;" in run("nginx-config").out


def test_file_is_written_again_but_no_other_is_overwritten(run: Run, ini: Path) -> None:
    serve(ini, BEHIND)
    for _ in range(2):
        assert run(*HERE, "--output", "mypi.conf").out.startswith("mypi.conf is written.")
    assert (ini.parent / "mypi.conf").read_text() == run(*HERE).out
    assert "was not written by this command" in run(*HERE, "--output", "mypi.ini").err
    assert "none/mypi.conf cannot be written: No such file" in run(*HERE, "--output", "none/mypi.conf").err


@pytest.mark.parametrize(
    ("options", "lines", "settings", "says"),
    [
        ((), BEHIND, {}, "nothing is no name of a host; give --server-name"),
        (("--server-name", "a b"), BEHIND, {}, "a b is no name of a host"),
        (HERE[1:], BEHIND, {"allowed_hosts": "x.example"}, "so that mypi would answer 421"),
        ((*HERE[1:], "--tls-cert", "x"), BEHIND, {}, "--tls-cert and --tls-key go together"),
        (HERE[1:], BEHIND, {"https_only": "true"}, "mypi is asked by https; give --tls-cert"),
        ((), BEHIND, {"public_url": "https://x.example"}, "mypi is asked by https; give --tls-cert"),
        (HERE[1:], "trusted_proxy = 192.0.2.1\n", {}, "trusted_proxy = 192.0.2.1: another host"),
        (HERE[1:], f"{BEHIND}trusted_proxy_count = 2\n", {}, "more proxies stand in a row"),
        (HERE[1:], f"{BEHIND}url_prefix = /a b\n", {}, "url_prefix = /a b: nginx would need it quoted"),
        ((*HERE[1:], *TLS[:3], "a;b"), BEHIND, {}, "nginx would not read 'a;b' as it is written"),
        (
            (*HERE[1:], "--profile", "fast"),
            f"{BEHIND}trusted_proxy_user_header = X-User\n",
            {},
            "nginx would give one person's page to another",
        ),
        ((*HERE[1:], "--profile", "fast"), BEHIND, {"read": "users"}, "lets nobody in without a login"),
    ],
)
def test_what_cannot_be_right_is_refused_with_a_sentence(
    run: Run, ini: Path, options: tuple[str, ...], lines: str, settings: dict[str, str], says: str
) -> None:
    serve(ini, lines, **settings)
    done = run("nginx-config", *options)
    assert (done.code, done.out) == (1, "")
    assert says in done.err
    assert done.err.count("\n") == 1


def test_another_server_is_refused_with_a_sentence(run: Run, ini: Path) -> None:
    ini.write_text(ini.read_text() + "\n[server:main]\nuse = egg:pyruvate\nsocket = 127.0.0.1:6543\n")
    assert "is served by egg:pyruvate, of which this command knows nothing" in run(*HERE).err


def test_an_ini_without_a_server_is_refused_with_a_sentence(run: Run, ini: Path) -> None:
    assert "is served by nothing that it names" in run(*HERE).err


def test_fast_profile_keeps_for_a_second_what_nobody_logged_in_for(run: Run, ini: Path) -> None:
    serve(ini, f"{BEHIND}url_prefix = /py.pi\n", accel="nginx")
    done = run(*HERE, "--profile", "fast", "--cache-folder", "/tmp/kept")
    for line in (
        "location ~ ^/py\\.pi(/|$) {",
        "location ~ ^/py\\.pi/(files|packages)/. {",
        "location ^~ /py.pi/_mypi_files/ {",
        "proxy_set_header X-Expires-Type X-Accel-Expires;",
        "proxy_set_header Accept-Encoding $mypi_pypi_example_com_py_pi_packing;",
    ):
        assert line in done.out, line
    assert 'proxy_cache_path "/tmp/kept" ' in done.out
