"""The settings of other indexes: what is taken, and each refusal, which says what to write instead."""

from __future__ import annotations

import pytest

from mypi.model.remote import Site
from mypi.options import SettingError
from mypi.settings import Settings
from mypi.upstreams import TABLE, basic
from tests.issuers import Authority

PYPI = "pypi https://pypi.org/simple/"
MEMORY = {"mypi.storage": "memory", "mypi.upload": "everyone"}


def load(environ: dict[str, str] | None = None, **given: str) -> Settings:
    written = {f"mypi.{name.replace('__', '.')}": value for name, value in given.items()}
    return Settings.load(MEMORY | written, environ or {})


def test_no_upstream_is_asked_by_default():
    settings = load()
    assert (settings.upstream, settings.private) == (None, ())
    assert all(option.sentence.endswith(".") for option in TABLE)


def test_an_upstream_has_a_default_for_all_the_rest():
    given = load(upstream=PYPI).upstream
    assert given.sites == (Site("pypi", "https://pypi.org/simple/"),)
    assert (given.mode, given.cache_seconds, given.limit, given.timeout) == ("proxy", 600, 20 * 2**30, 10)
    assert (given.private_addresses, given.insecure, given.ca, given.credentials) == (False, False, None, {})
    assert given.hosts == {"pypi.org", "files.pythonhosted.org"}


def test_several_are_asked_in_the_order_of_the_file():
    given = load(
        upstream="\n Ours https://index.example.com:8443/root/+simple \n\n PYPI https://pypi.org/simple"
    ).upstream
    assert [(site.name, site.url) for site in given.sites] == [
        ("ours", "https://index.example.com:8443/root/+simple/"),
        ("pypi", "https://pypi.org/simple/"),
    ]
    assert given.hosts == {"index.example.com", "pypi.org", "files.pythonhosted.org"}


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("a https://Index.Example.com", "https://index.example.com/"),
        ("a https://[2A04:4E42::1]:443/simple//", "https://[2a04:4e42::1]:443/simple/"),
        ("a https://151.101.0.223/simple", "https://151.101.0.223/simple/"),
        ("test https://test.pypi.org/simple;", "https://test.pypi.org/simple/"),
    ],
)
def test_an_address_has_one_spelling(written, url):
    assert load(upstream=written).upstream.sites[0].url == url


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("https://pypi.org/simple/", "not a name and an address; write such as pypi https"),
        ("pypi https://pypi.org/simple/ https://pypi.org/simple/", "not a name and an address"),
        ("py_pi https://pypi.org/simple/", "no name for an index: letters, digits and - only"),
        ("-a https://pypi.org/simple/", "no name for an index"),
        ("../x https://pypi.org/simple/", "no name for an index"),
        ("pypi pypi.org/simple", "no address of an index"),
        ("pypi ftp://pypi.org/simple", "no address of an index"),
        ("pypi file:///simple", "no address of an index"),
        ("pypi https:///simple", "no address of an index"),
        ("pypi https://pyp\u00ef.org/simple", "no address of an index"),
        ("pypi https://py..pi/simple", "no address of an index"),
        ("pypi https://pypi.org:x/simple", "cannot be read"),
        ("pypi https://pypi.org:99999/simple", "cannot be read"),
        ("pypi https://[::1/simple", "cannot be read"),
        ("a https://index.example.com/simple/?x=1", "a question or a fragment"),
        ("a https://index.example.com/simple/#x", "a question or a fragment"),
        ("a https://index.example.com/simple/index.html", "is a file, and no index"),
        ("a https://index.example.com/pypi/six/JSON/x.Json/", "is a file, and no index"),
        ("a https://index.example.com/six-1.0.tar.gz", "is a file, and no index"),
        ("a https://a.example.com/simple; b https://A.example.com/simple/", "a and b are one and the same"),
        ("pypi https://pypi.org/", r"is no index, but https://pypi\.org/simple/ is"),
        ("pypi https://pypi.org/pypi", r"is no index, but https://pypi\.org/simple/ is"),
        ("a https://a.example.com; A https://b.example.com", "a stands there twice"),
    ],
)
def test_what_is_no_index_is_refused(written, said):
    with pytest.raises(SettingError, match=rf"mypi\.upstream = .*{said}"):
        load(upstream=written)


@pytest.mark.parametrize(
    "url",
    [
        "https://me:secret@index.example.com/simple",
        "https://secret@index.example.com/simple",
        "https://me:se/secret@index.example.com/simple",
        "https://me:secret@index.example.com/ too",
    ],
)
def test_credentials_belong_into_the_environment_and_are_not_shown(url):
    with pytest.raises(SettingError) as raised:
        load(upstream=f"our-own {url}")
    assert "secret" not in str(raised.value)
    if " " not in url:
        assert "MYPI_UPSTREAM_OUR_OWN_USER and MYPI_UPSTREAM_OUR_OWN_PASSWORD" in str(raised.value)


def test_http_is_refused_unless_somebody_says_so():
    with pytest.raises(SettingError, match=r"asks old over http, .*mypi\.upstream\.insecure = true"):
        load(upstream=f"{PYPI}; old http://old.example.com/simple")
    assert load(upstream="old http://old.example.com/simple", upstream__insecure="true").upstream


@pytest.mark.parametrize("host", ["10.0.0.1", "[::1]:8443", "169.254.169.254", "localhost", "pypi.localhost"])
def test_a_private_network_is_refused_unless_somebody_says_so(host):
    with pytest.raises(SettingError, match=r"inside a private network; .*mypi\.upstream\.private_addresses = true"):
        load(upstream=f"a https://{host}/simple")
    assert load(upstream=f"a https://{host}/simple", upstream__private_addresses="true").upstream


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("mode", "mirror", "write proxy or redirect"),
        ("cache_seconds", "soon", "not a whole number"),
        ("limit", "much", "not a size"),
        ("timeout", "0", "too small"),
        ("hosts", "https://files.example.com", "no name of a host"),
        ("hosts", "files.example.com:443", "no name of a host"),
        ("ca", "/nowhere/at/all.pem", "holds no certificates .*No such file"),
    ],
)
def test_what_makes_no_sense_is_refused(name, value, said):
    with pytest.raises(SettingError, match=rf"mypi\.upstream\.{name} = .*{said}"):
        load(upstream=PYPI, **{f"upstream__{name}": value})


def test_a_file_of_authorities_is_read_at_the_start(tmp_path):
    assert load(upstream=PYPI, upstream__ca=str(Authority(tmp_path).ca)).upstream.ca
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(SettingError, match="holds no certificates"):
        load(upstream=PYPI, upstream__ca=str(tmp_path / "empty.pem"))


def test_hosts_of_files_are_added_to_the_indexes_own():
    given = load(upstream="a https://a.example.com/simple", upstream__hosts="Files.example.com, [::1]").upstream
    assert given.hosts == {"a.example.com", "files.example.com", "::1"}


def test_settings_of_an_upstream_that_is_not_named_are_refused():
    with pytest.raises(SettingError, match=r"mypi\.upstream\.mode is set, but mypi\.upstream, .* is not"):
        load(upstream__mode="proxy")
    # Set and empty is how somebody turns it off for a while.
    assert load(upstream="", upstream__mode="proxy").upstream is None
    assert load({"MYPI_UPSTREAM": ""}, upstream__mode="proxy").upstream is None


def test_a_typo_is_refused_with_the_nearest_real_name():
    with pytest.raises(SettingError, match=r"did you mean mypi\.upstream\.limit"):
        load(upstream__limt="1")
    with pytest.raises(SettingError, match=r"did you mean mypi\.policy\.min_age_days"):
        load(policy__min_age="1")


# Names that are ours.


def test_patterns_of_our_names_are_canonical():
    assert load(private="Acme_* lib, *-acme").private == ("acme-*", "lib", "*-acme")


@pytest.mark.parametrize("pattern", ["*", "**", "?", "*?", "?*-*"])
def test_a_pattern_that_matches_everything_is_refused(pattern):
    with pytest.raises(SettingError, match=r"mypi\.private = .*matches everything"):
        load(private=f"acme-* {pattern}")


def test_a_pattern_of_other_letters_is_refused():
    with pytest.raises(SettingError, match=r"mypi\.private = .*no pattern of project names"):
        load(private="acme/*")


# Credentials.


def test_credentials_come_from_the_environment_by_the_name_of_the_index():
    environ = {
        "MYPI_UPSTREAM_OUR_OWN_USER": "me",
        "MYPI_UPSTREAM_OUR_OWN_PASSWORD": "wórd: x",
        "MYPI_UPSTREAM_B_TOKEN": "abc:def",
        "MYPI_UPSTREAM_C_USER": "alone",
    }
    given = load(environ, upstream="our-own https://a.example.com; b https://b.example.com; c https://c.example.com; "
                 "d https://d.example.com").upstream  # fmt: skip
    assert given.credentials == {"our-own": basic("me:wórd: x"), "b": "Bearer abc:def", "c": basic("alone:")}
    assert "abc" not in repr(given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"USER": "secret", "TOKEN": "secret"}, "one or the other"),
        ({"PASSWORD": "secret"}, "MYPI_UPSTREAM_PYPI_USER is not"),
        ({"USER": "secret:x", "PASSWORD": "secret"}, "has a colon"),
        ({"USER": "me", "PASSWORD": "secret\n"}, "line end"),
        ({"TOKEN": "secret\r\nX-Evil: 1"}, "line end"),
        ({"TOKEN": "secr\u00e9t secret"}, "no token"),
        ({"TOKEN": "Bearer secret"}, "no token"),
    ],
)
def test_credentials_that_cannot_be_are_refused_and_not_shown(given, said):
    with pytest.raises(SettingError, match=said) as raised:
        load({f"MYPI_UPSTREAM_PYPI_{name}": value for name, value in given.items()}, upstream=PYPI)
    assert "secret" not in str(raised.value)
