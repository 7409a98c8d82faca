"""Single sign-on by the examples of the documentation: nginx and Apache say who asks, tokens pass by."""

from __future__ import annotations

import base64
import http.server
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from tests.system import processes
from tests.system.nginxes import NGINX, nginx
from tests.system.processes import Server, wheel
from tests.system.test_examples import EXAMPLES
from tests.system.test_wsgi_servers import APACHE, MODULES

TLS = ("ssl_certificate", "listen 443")
JUNK = "Bearer mypi-not-a-token"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def block(name: str, port: int, **replaced: str) -> str:
    """Return an example without TLS, which is not what is tested, and with the ports and paths of the test."""
    text = (EXAMPLES / name).read_text()
    for written, here in {"127.0.0.1:6543": f"127.0.0.1:{port}", **replaced}.items():
        assert written in text, written
        text = text.replace(written, here)
    lines = [line for line in text.splitlines() if not line.strip().startswith(TLS)]
    return "\n".join(lines).replace("server_name", "listen LISTEN;\n    server_name")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Server]:
    """An index that users may read, alice may publish to, and the proxy at 127.0.0.1 names users to."""
    if not NGINX:
        pytest.skip("nginx is not here; on Debian: apt-get install nginx-light")
    believed = "trusted_proxy = 127.0.0.1\ntrusted_proxy_user_header = x-remote-user\n"
    ini = processes.ini(
        tmp_path,
        processes.free_port(),
        server=believed,
        read="users",
        upload="user:alice",
        remote_user="true",
        allowed_hosts="127.0.0.1",
    )
    with processes.pserve(ini) as server:
        yield server
        assert "Traceback" not in server.said


def statuses(server: Server, **given: dict[str, str]) -> dict[str, int]:
    return {name: server.get("/simple/", **headers).status for name, headers in given.items()}


def test_nginx_asks_for_passwords_and_names_the_user(index: Server, tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("alice:{PLAIN}wonder\nbob:{PLAIN}builder\n")
    text = block("nginx-login.conf", index.port, **{"/etc/nginx/mypi.users": str(users)})
    outer = processes.free_port()
    with nginx(tmp_path, outer, text.replace("LISTEN", f"127.0.0.1:{outer}")) as front:
        assert statuses(
            front,
            nobody={},
            right={"Authorization": basic("alice", "wonder")},
            wrong={"Authorization": basic("alice", "builder")},
            named={"X_Remote_User": "alice"},
            both={"Authorization": basic("bob", "builder"), "X_Remote_User": "alice"},
            token={"Authorization": JUNK},
            as_user={"Authorization": basic("__token__", "mypi-x")},
            token_named={"Authorization": JUNK, "X_Remote_User": "alice"},
        ) == {
            "nobody": 401,
            "right": 200,
            "wrong": 401,
            "named": 401,
            "both": 200,
            "token": 401,
            "as_user": 401,
            "token_named": 401,
        }
        package = wheel("acme-lib", "1.0", 200_000)
        assert front.upload(package, user=("bob", "builder")).status == 403
        assert front.upload(package, user=("alice", "wonder")).status == 200
        # What nginx lets pass is answered by mypi, with its own words.
        assert b"none of this index" in front.get("/simple/", Authorization=JUNK).body
    assert statuses(index, named={"X_Remote_User": "alice"}) == {"named": 200}, "the test is a trusted proxy too"


class OAuth2Proxy(http.server.BaseHTTPRequestHandler):
    """What nginx sees of oauth2-proxy: the cookie names the user here."""

    def do_GET(self) -> None:
        user = self.headers.get("Cookie", "").removeprefix("who=")
        body = b"Sign in"
        self.send_response(200 if self.path.startswith("/oauth2/sign_in") else 202 if user else 401)
        if user:
            self.send_header("X-Auth-Request-Preferred-Username", user)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def test_oauth2_proxy_names_the_user(index: Server, tmp_path: Path) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), OAuth2Proxy) as gate:
        thread = threading.Thread(target=gate.serve_forever, args=(0.01,))
        thread.start()
        text = block("nginx-oauth2-proxy.conf", index.port, **{"127.0.0.1:4180": f"127.0.0.1:{gate.server_address[1]}"})
        outer = processes.free_port()
        try:
            with nginx(tmp_path, outer, text.replace("LISTEN", f"127.0.0.1:{outer}")) as front:
                assert statuses(
                    front,
                    nobody={},
                    right={"Cookie": "who=alice"},
                    named={"X_Remote_User": "alice"},
                    odd={"Cookie": "who=DOM\\alice"},
                    token={"Authorization": JUNK},
                    token_named={"Authorization": JUNK, "Cookie": "who=alice", "X_Remote_User": "alice"},
                ) == {"nobody": 401, "right": 200, "named": 401, "odd": 401, "token": 401, "token_named": 401}
                assert front.get("/simple/").body == b"Sign in"
                assert b"none of this index" in front.get("/simple/", Authorization=JUNK).body
                content_type, body = wheel("acme-lib", "1.0", 200_000).form()
                for who, status in (("bob", 403), ("alice", 200)):
                    answer = front.ask("POST", "/", body, Content_Type=content_type, Cookie=f"who={who}")
                    assert answer.status == status, answer
                refused = front.ask("POST", "/", body, Content_Type=content_type, Authorization=JUNK)
                assert refused.status == 401, "an upload stays one on its way by"
        finally:
            gate.shutdown()
            thread.join()


def test_apache_asks_for_passwords_and_lets_tokens_pass(tmp_path: Path) -> None:
    """mod_wsgi itself is tested elsewhere: here a file stands behind the login."""
    modules = ["mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_basic"]
    if not APACHE.exists() or not all((MODULES / f"mod_{name}.so").exists() for name in modules):
        pytest.skip("Apache is not here; on Debian: apt-get install apache2")
    (tmp_path / "site" / "simple").mkdir(parents=True)
    (tmp_path / "site" / "simple" / "index").write_text("behind")
    (tmp_path / "users").write_text(f"alice:{bcrypt.hashpw(b'wonder', bcrypt.gensalt(4)).decode()}\n")
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    example = (EXAMPLES / "apache-login.conf").read_text()
    assert "/etc/apache2/mypi.users" in example
    port, config = processes.free_port(), tmp_path / "apache.conf"
    config.write_text(
        "".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in modules)
        + f"Listen 127.0.0.1:{port}\nServerName localhost\nPidFile {tmp_path}/pid\nErrorLog {tmp_path}/error.log\n"
        + f"DefaultRuntimeDir {tmp_path}\nServerRoot {tmp_path}\nDocumentRoot {tmp_path}/site\nUser www-data\n"
        + example.replace("/etc/apache2/mypi.users", f"{tmp_path}/users")
    )
    checked = subprocess.run([str(APACHE), "-t", "-f", str(config)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    with Server([str(APACHE), "-f", str(config), "-DFOREGROUND"], port, tmp_path / "log", cwd=tmp_path) as front:
        found = {
            name: front.get("/simple/index", **({"Authorization": value} if value else {})).status
            for name, value in {
                "nobody": "",
                "right": basic("alice", "wonder"),
                "wrong": basic("alice", "x"),
                "token": JUNK,
                "as_user": basic("__token__", "mypi-x"),
                "near": basic("__token_", "mypi-x"),
            }.items()
        }
    assert found == {"nobody": 401, "right": 200, "wrong": 401, "token": 200, "as_user": 200, "near": 401}
