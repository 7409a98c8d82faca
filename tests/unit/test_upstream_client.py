"""The way out to other indexes, as somebody sees it who wants to do harm (threats 28, 33, 38)."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mypi.model.remote import Site
from mypi.upstream import client as client_module
from mypi.upstream.client import PIECE, REDIRECTS, Client, Way
from mypi.upstream.errors import Away, Garbage
from mypi.upstream.wires import Clock
from mypi.upstreams import basic
from tests import tunnels, upstreams
from tests.issuers import Authority
from tests.upstreams import Upstream

PAGE = "/simple/six/"
LIMIT = 1_000_000
PATIENCE = 0.4


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "index.test", "files.test")


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def upstream(authority: Authority, tmp_path: Path) -> Iterator[Upstream]:
    with upstreams.running(tmp_path, authority=authority, host="index.test") as found:
        found.add("six", "six-1.0-py3-none-any.whl", os.urandom(200_000))
        yield found


class Names:
    """A DNS of the test's: addresses by name, and which were asked for."""

    def __init__(self, **names: list[str]) -> None:
        self.names = {name.replace("_", "."): addresses for name, addresses in names.items()}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, **_: Any) -> list[Any]:
        if host == "127.0.0.1":  # an address is its own
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        self.asked.append(host)
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [info for each in self.names[host] for info in socket.getaddrinfo(each, port, type=socket.SOCK_STREAM)]


@pytest.fixture
def names() -> Names:
    return Names(index_test=["127.0.0.1"], files_test=["127.0.0.1"])


@pytest.fixture
def make(authority: Authority, names: Names) -> Iterator[Callable[..., Client]]:
    """Make clients that may ask loopback, and close them."""
    made: list[Client] = []

    def new(**given: Any) -> Client:
        way = {"timeout": 5, "private_addresses": True, "ca": str(authority.ca), **given}
        made.append(Client(Way(**way), resolve=names))
        return made[-1]

    yield new
    for each in made:
        each.close()


@pytest.fixture
def client(make: Callable[..., Client]) -> Client:
    return make()


def descriptors() -> int:
    """Return how many files and sockets this process has open, where the system tells."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def site(upstream: Upstream) -> Site:
    return Site("pypi", upstream.url)


def ask(client: Client, upstream: Upstream, path: str = PAGE, **headers: str) -> tuple[Any, bytes]:
    return client.page(site(upstream), upstream.origin + path, headers, LIMIT)


@contextlib.contextmanager
def in_time() -> Iterator[None]:
    """Tell a wait from a hang, on a busy machine too."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 30


# What comes.


def test_a_page_comes_whole_and_unpacked(client, upstream):
    answer, body = ask(client, upstream, Accept=upstreams.JSON)
    assert (answer.status, answer.headers["Content-Type"]) == (200, upstreams.JSON)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert body == upstream.page("six", upstreams.JSON)[1]


def test_the_address_of_an_answer_is_the_one_after_all_redirects(client, upstream):
    upstream.faults["/simple/Six/"] = upstreams.redirect("../moved/")
    upstream.faults["/simple/moved/"] = upstreams.redirect(f"{upstream.origin}{PAGE}?x=1", 301)
    answer, _ = ask(client, upstream, "/simple/Six/")
    assert answer.url == f"{upstream.origin}{PAGE}?x=1"


def test_a_file_comes_as_it_was_sent_whatever_it_is_called_packed(client, upstream):
    content = upstream.projects["six"].files["six-1.0-py3-none-any.whl"].content
    path = "/files/six-1.0-py3-none-any.whl"
    upstream.faults[path] = lambda exchange: exchange.answer(200, {"Content-Encoding": "gzip"}, content)
    with client.get(site(upstream), upstream.origin + path, {"Accept-Encoding": "identity"}) as answer:
        assert b"".join(iter(answer.read1, b"")) == content
        assert answer.read1() == b""
    assert upstream.asked(path)[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("status", [304, 401, 404, 500, 503])
def test_a_status_is_told_and_not_tried_again(client, upstream, status):
    upstream.faults[PAGE] = upstreams.status(status, b"", **{"Retry-After": "100"})
    with in_time():
        assert ask(client, upstream)[0].status == status
    assert upstream.count(PAGE) == 1


def test_what_the_caller_raises_is_no_fault_of_the_upstream(client, upstream):
    full = OSError("no space left")
    with pytest.raises(OSError) as raised, client.get(site(upstream), upstream.origin + PAGE, {}):
        raise full
    assert raised.value is full


# Where it may lead (threat 38).


@pytest.mark.parametrize(
    "url, given",
    [
        ("https://index.test/files/a.whl?x=1#sha256=2", "https://index.test/files/a.whl?x=1"),
        ("https://who:word@index.test/a.whl", "https://index.test/a.whl"),
        ("https://evil.test/a.whl", None),
        ("http://index.test/a.whl", None),
        ("https://index.test/a b.whl", None),
        ("https://index.test/a\x7fb.whl", None),
        ("https://index.test/\u00e4.whl", None),
    ],
)
def test_clients_are_led_where_mypi_would_ask_and_with_nobodys_name(client, url, given):
    index = Site("pypi", "https://index.test/simple/")
    if given:
        assert client.allowed(index, url) == given
        return
    with pytest.raises(Garbage, match="leads to"):
        client.allowed(index, url)


@pytest.mark.parametrize(
    "location",
    [
        "https://169.254.169.254/latest/meta-data/",
        "https://127.0.0.1/",
        "//evil.test/simple/six/",
        "https://index.test@evil.test/",
        "https://index.test\\@evil.test/",
        "http://index.test/simple/six/",
        "HTTP://INDEX.TEST/",
        "ftp://index.test/x",
        "file:///etc/passwd",
        "https://index.test:99999/",
        "https://[::1/",
        "https://[fe80::1%25eth0]/",
        "https://ind\u00e9x.test/",
        "https://index.test./",
    ],
)
def test_a_redirect_elsewhere_is_not_followed(client, upstream, names, location):
    upstream.faults[PAGE] = upstreams.redirect(location)
    with pytest.raises(Garbage, match="pypi leads to"):
        ask(client, upstream)
    assert names.asked == ["index.test"]
    assert upstream.connections == 1


def test_a_redirect_to_a_host_that_the_operator_named_is_followed(make, upstream):
    upstream.faults[PAGE] = upstreams.redirect(f"https://files.test:{upstream.port}/simple/there/")
    upstream.faults["/simple/there/"] = upstreams.page(b"{}")
    with pytest.raises(Garbage, match=r"files\.test, which mypi does not ask"):
        ask(make(), upstream)
    assert ask(make(hosts=frozenset({"files.test"})), upstream)[1] == b"{}"
    assert upstream.names[-1] == "files.test"


def test_a_file_on_a_host_that_nobody_named_is_not_fetched(client, upstream, names):
    with (
        pytest.raises(Garbage, match=r"evil\.test.*mypi\.upstream\.hosts"),
        client.get(site(upstream), "https://evil.test/six.whl", {}),
    ):
        pass
    assert names.asked == []


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_end(client, upstream, code):
    upstream.faults["*"] = upstreams.redirect(PAGE + "?again", code)
    with pytest.raises(Garbage, match=f"more than {REDIRECTS} times"):
        ask(client, upstream)
    assert len(upstream.requests) == REDIRECTS + 1


def test_a_redirect_without_a_place_is_an_answer(client, upstream):
    upstream.faults[PAGE] = upstreams.status(302)
    assert ask(client, upstream)[0].status == 302


def test_http_is_asked_only_where_it_is_allowed_and_never_instead_of_https(make, upstream, authority, tmp_path):
    with upstreams.running(tmp_path, authority=authority, tls=False, host="index.test") as plain:
        plain.add("six", "six-1.0-py3-none-any.whl", b"x")
        with pytest.raises(Garbage, match="not https"):
            ask(make(), plain)
        insecure = make(insecure=True)
        assert ask(insecure, plain)[0].status == 200
        upstream.faults[PAGE] = upstreams.redirect(plain.origin + PAGE)
        with pytest.raises(Garbage, match="not https"):
            ask(insecure, upstream)
        assert plain.count(PAGE) == 1


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1", "::ffff:127.0.0.1", "fe80::1",
     "fd00::1", "64:ff9b::7f00:1", "::127.0.0.1", "2002:7f00:1::", "224.0.0.1", "255.255.255.255"],
)  # fmt: skip
def test_an_address_inside_is_not_connected_to(make, upstream, names, address):
    names.names["index.test"] = [address]
    with pytest.raises(Garbage, match=r"private network.*mypi\.upstream\.private_addresses"):
        ask(make(private_addresses=False), upstream)
    assert upstream.connections == 0


def test_a_second_answer_of_the_dns_is_never_used(client, upstream, names):
    for _ in range(3):
        ask(client, upstream)
        names.names["index.test"] = ["127.0.0.9"]
    assert (names.asked, upstream.connections) == (["index.test"], 1)
    assert upstream.names == ["index.test"]


def test_the_next_address_is_tried_when_one_refuses(client, upstream, names):
    names.names["index.test"] = ["127.0.0.9", "127.0.0.1"]
    assert ask(client, upstream)[0].status == 200


def test_who_cannot_prove_its_name_is_not_spoken_to(make, upstream, names):
    names.names["other.test"] = ["127.0.0.1"]
    upstream.faults[PAGE] = upstreams.redirect(f"https://other.test:{upstream.port}{PAGE}")
    with pytest.raises(Away, match=r"other\.test.*certificate is not valid for 'other\.test'"):
        ask(make(hosts=frozenset({"other.test"})), upstream)
    with pytest.raises(Away, match="unable to get local issuer certificate"):
        ask(make(ca=None), upstream)
    assert upstream.count(PAGE) == 1


# What it gets to know (threat 33).


def test_credentials_go_to_the_index_itself_alone(make, upstream, authority, tmp_path):
    said = basic("me:wórd")
    asking = make(credentials={"pypi": said}, hosts=frozenset({"files.test"}))
    upstream.credentials = "me:wórd"
    assert ask(asking, upstream)[0].status == 200
    assert ask(asking, upstream, "/files/six-1.0-py3-none-any.whl")[0].status == 200

    upstream.faults[PAGE] = upstreams.redirect(f"https://files.test:{upstream.port}/else")
    assert ask(asking, upstream)[0].status == 401
    assert "authorization" not in upstream.asked("/else")[0].headers

    with upstreams.running(tmp_path, authority=authority, host="index.test") as neighbour:
        upstream.faults[PAGE] = upstreams.redirect(f"{neighbour.origin}/else")
        ask(asking, upstream)
        assert "authorization" not in neighbour.asked("/else")[0].headers
    assert all(request.headers["authorization"] == said for request in upstream.asked(PAGE))


@pytest.mark.parametrize("named", ["me:word@", "evil.test\\@", "me@evil.test:443\\@"])
def test_whom_an_address_names_is_told_to_nobody(client, upstream, names, named):
    upstream.faults[PAGE] = upstreams.redirect(f"https://{named}index.test:{upstream.port}/there")
    answer, _ = ask(client, upstream)
    (request,) = upstream.asked("/there")
    assert (answer.status, request.headers.get("authorization")) == (404, None)
    assert answer.url == f"{upstream.origin}/there"
    assert request.headers["host"] == f"index.test:{upstream.port}"
    assert names.asked == ["index.test"]


def test_messages_show_no_secret(make, upstream):
    asking = make(credentials={"pypi": basic("me:secret")})
    assert "secret" not in repr(Way(credentials={"pypi": "secret"}))
    upstream.faults[PAGE] = upstreams.redirect("/there?signature=secret")
    upstream.faults["/there"] = upstreams.reset
    with pytest.raises(Away) as raised:
        ask(asking, upstream)
    assert "secret" not in str(raised.value)
    upstream.faults[PAGE] = upstreams.redirect("https://me:secret@evil.test/?x=secret")
    with pytest.raises(Garbage) as refused:
        ask(asking, upstream)
    assert "secret" not in str(refused.value)


# How long it takes, and how much comes.


@pytest.mark.parametrize(
    "fault",
    [
        upstreams.stall,
        upstreams.stall_in_body,
        upstreams.drip(0.05),
        upstreams.drip(0.05, headers=True),
    ],
)
def test_a_page_comes_in_time_or_not_at_all(make, upstream, fault):
    upstream.faults[PAGE] = fault
    with in_time(), pytest.raises(Away, match=r"no answer within 0\.4 seconds"):
        ask(make(timeout=PATIENCE), upstream)


def test_redirects_do_not_make_more_time(make, upstream):
    def slowly(exchange: Any) -> None:
        exchange.wait(0.15)
        upstreams.redirect(PAGE)(exchange)

    upstream.faults["*"] = slowly
    with in_time(), pytest.raises(Away, match="no answer within"):
        ask(make(timeout=PATIENCE), upstream)


def test_a_host_that_takes_connections_and_says_nothing_is_given_up(make, names):
    """Also one that drips into the handshake of TLS."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            with contextlib.suppress(OSError):
                taken.append(server.accept()[0])
                for byte in b"\x16\x03\x03\x20\x00\x02\x00\x1f\xfc" + bytes(8000):
                    taken[0].sendall(bytes([byte]))
                    time.sleep(0.05)

        thread = threading.Thread(target=take)
        thread.start()
        url = f"https://index.test:{server.getsockname()[1]}/simple/"
        with in_time(), pytest.raises(Away, match="no answer within"):
            make(timeout=PATIENCE).page(Site("pypi", url), url + "six/", {}, LIMIT)
        thread.join()
        for each in taken:
            each.close()


def test_a_name_that_is_not_looked_up_in_time_is_given_up_and_asked_for_once(authority, upstream):
    release, asked = threading.Event(), []

    def hang(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        release.wait(30)
        return []

    hanging = Client(Way(timeout=PATIENCE, ca=str(authority.ca)), resolve=hang)
    with in_time(), pytest.raises(Away, match="no answer within"):
        ask(hanging, upstream)
    with pytest.raises(Away, match="no answer within"):
        ask(hanging, upstream)
    release.set()
    assert asked == ["index.test"]
    hanging.close()


def test_no_more_than_the_limit_is_taken(client, upstream):
    upstream.faults[PAGE] = upstreams.huge(LIMIT * 20)
    with pytest.raises(Garbage, match="more than 1,000,000 bytes"):
        ask(client, upstream)
    upstream.faults[PAGE] = upstreams.huge(LIMIT)
    assert len(ask(client, upstream)[1]) == LIMIT


def test_a_bomb_is_not_unpacked(client, upstream):
    upstream.faults[PAGE] = upstreams.bomb(LIMIT * 50)
    with in_time(), pytest.raises(Garbage, match="more than 1,000,000 bytes"):
        ask(client, upstream)
    upstream.faults[PAGE] = upstreams.bomb(LIMIT)
    assert len(ask(client, upstream)[1]) == LIMIT


@pytest.mark.parametrize(
    ("packing", "body", "said"),
    [
        ("gzip, gzip", b"x", "packed as gzip, gzip"),
        ("br", b"x", "packed as br"),
        ("gzip", b"no gzip at all", "packed wrongly"),
        ("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "ends before its end"),
    ],
)
def test_what_cannot_be_unpacked_is_garbage(client, upstream, packing, body, said):
    upstream.faults[PAGE] = upstreams.page(body, **{"Content-Encoding": packing})
    with pytest.raises(Garbage, match=said):
        ask(client, upstream)


def test_a_file_may_take_longer_than_a_page_while_it_comes(make, upstream, monkeypatch):
    monkeypatch.setattr(client_module, "SLOWEST", PATIENCE)

    def steadily(exchange: Any) -> None:
        exchange.head(200, {}, 6 * PIECE)
        for _ in range(6):
            exchange.wait(PATIENCE / 4)
            exchange.wfile.write(bytes(PIECE))

    upstream.faults["/files/x"] = steadily
    with make(timeout=PATIENCE).get(site(upstream), upstream.origin + "/files/x", {}) as answer:
        assert sum(map(len, iter(answer.read1, b""))) == 6 * PIECE


@pytest.mark.parametrize("fault", [upstreams.drip(0.02), upstreams.stall_in_body])
def test_a_file_that_hardly_comes_is_given_up(make, upstream, monkeypatch, fault):
    monkeypatch.setattr(client_module, "SLOWEST", PATIENCE)
    upstream.faults["/files/x"] = fault
    with (
        in_time(),
        pytest.raises(Away, match="no answer within"),
        make().get(site(upstream), upstream.origin + "/files/x", {}) as answer,
    ):
        b"".join(iter(answer.read1, b""))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (upstreams.reset, "closed connection without response"),
        (upstreams.half, "IncompleteRead"),
        (lambda exchange: exchange.wfile.write(b"SSH-2.0-OpenSSH_9.9\r\n"), "SSH-2.0"),
        (lambda exchange: exchange.wfile.write(b"\x1b[2Jyou\r\n"), r"\?\[2Jyou"),
        (lambda exchange: exchange.wfile.write(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000), "header line"),
    ],
)
def test_an_answer_that_breaks_off_or_is_none_is_away(client, upstream, fault, said):
    def broken(exchange: Any) -> None:
        fault(exchange)
        exchange.close_connection = True

    upstream.faults[PAGE] = broken
    with pytest.raises(Away, match=said):
        ask(client, upstream)


def test_a_host_without_a_name_or_a_port_is_away(client, upstream, names):
    upstream.down()
    with pytest.raises(Away, match="Connection refused"):
        ask(client, upstream)
    names.names["index.test"] = []
    with pytest.raises(Away, match="no address"):
        ask(client, upstream)
    del names.names["index.test"]
    with pytest.raises(Away, match="Name or service not known"):
        ask(client, upstream)


def test_what_cannot_be_sent_is_garbage(client, upstream):
    with pytest.raises(Garbage, match="cannot be asked for"):
        ask(client, upstream, **{"If-None-Match": "two\nlines"})


def test_no_time_is_left_after_its_end():
    with pytest.raises(TimeoutError):
        Clock(time.monotonic() - 1, 5).left()
    assert 0 < Clock(time.monotonic() + 9, 5).left() <= 5


# Connections.


def test_an_answer_may_be_read_by_another_thread(client, upstream):
    """Each wait is bounded then, though not all together."""
    content = upstream.projects["six"].files["six-1.0-py3-none-any.whl"].content
    with client.get(site(upstream), upstream.origin + "/files/six-1.0-py3-none-any.whl", {}) as answer:
        found: list[bytes] = []
        reader = threading.Thread(target=lambda: found.extend(iter(answer.read1, b"")))
        reader.start()
        reader.join()
    assert b"".join(found) == content


def test_connections_are_used_again(client, upstream):
    upstream.faults["/simple/moved/"] = upstreams.redirect(PAGE)
    for path in (PAGE, "/simple/none/", "/simple/moved/", "/files/six-1.0-py3-none-any.whl", PAGE):
        ask(client, upstream, path)
    _, etag = (answer := ask(client, upstream)[0]), answer.headers["ETag"]
    assert ask(client, upstream, **{"If-None-Match": etag})[0].status == 304
    assert upstream.connections == 1


def test_a_body_that_nobody_read_does_not_come_with_the_next_answer(client, upstream):
    upstream.faults["/simple/moved/"] = lambda exchange: exchange.answer(302, {"Location": PAGE}, b" " * 10 * PIECE)
    assert ask(client, upstream, "/simple/moved/")[0].url == upstream.origin + PAGE
    with client.get(site(upstream), upstream.origin + "/files/six-1.0-py3-none-any.whl", {}) as answer:
        answer.read1(10)
    assert ask(client, upstream)[1].startswith(b"{") is False
    assert upstream.connections == 3


def test_a_connection_that_ended_meanwhile_is_made_anew(client, upstream):
    ask(client, upstream)
    upstream.cut()
    assert ask(client, upstream)[0].status == 200
    assert upstream.connections == 2


def test_a_request_is_tried_once_more_when_its_connection_breaks(client, upstream):
    def once(exchange: Any) -> None:
        del upstream.faults[PAGE]
        upstreams.reset(exchange)

    upstream.faults[PAGE] = once
    assert ask(client, upstream)[0].status == 200
    assert upstream.count(PAGE) == 2


def test_many_ask_at_once(client, upstream):
    failed: list[BaseException] = []

    def often() -> None:
        try:
            for _ in range(5):
                assert ask(client, upstream)[0].status == 200
        except BaseException as exc:
            failed.append(exc)

    threads = [threading.Thread(target=often) for _ in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not failed
    assert upstream.connections <= 12


def test_nothing_stays_open_after_the_end(make, upstream):
    gc.collect()
    before = descriptors()
    asking = make(timeout=PATIENCE)
    for fault in (None, upstreams.half, upstreams.stall_in_body, upstreams.reset, upstreams.status(500)):
        upstream.faults = {PAGE: fault} if fault else {}
        with contextlib.suppress(Away):
            ask(asking, upstream)
    asking.close()
    upstream.down()
    gc.collect()
    after = descriptors()
    assert after <= before
    upstream.up()
    with pytest.raises(Away, match="being stopped"):
        ask(asking, upstream)


# Outgoing proxies.


def test_the_proxy_of_the_environment_makes_the_tunnel(make, upstream, names, monkeypatch):
    with tunnels.running({"index.test": "127.0.0.1"}, "me:w@rd") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//me:w%40rd@"))
        asking = make(private_addresses=False)
        ask(asking, upstream)
        ask(asking, upstream)
        assert proxy.asked == [f"CONNECT index.test:{upstream.port}"]
        assert upstream.names == ["index.test"]
        assert "proxy-authorization" not in upstream.requests[0].headers
        assert upstream.requests[0].path == PAGE
        # The proxy knows the names of the outside; nobody else need, and nobody here can look at its addresses.
        assert names.asked == []
        asking.close()


def test_a_proxy_may_be_spoken_to_by_tls_and_the_time_limits_hold_there_too(make, upstream, monkeypatch, authority):
    with tunnels.running({"index.test": "127.0.0.1"}, tls=authority.context()) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        asking = make(timeout=PATIENCE)
        assert ask(asking, upstream)[0].status == 200
        upstream.faults[PAGE] = upstreams.drip(0.05, headers=True)
        with in_time(), pytest.raises(Away, match="no answer within"):
            ask(asking, upstream)
        asking.close()


def test_a_proxy_may_be_named_without_its_scheme_and_for_all(make, upstream, monkeypatch, names):
    with tunnels.running({"index.test": "127.0.0.1"}) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url.removeprefix("http://"))
        asking = make()
        assert ask(asking, upstream)[0].status == 200
        assert len(proxy.asked) == 1
        asking.close()


def test_hosts_of_no_proxy_are_asked_directly(make, upstream, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "other.test,.test")
    assert ask(make(), upstream)[0].status == 200
    monkeypatch.setenv("NO_PROXY", "other.test")
    with pytest.raises(Away, match="the outgoing proxy: Connection refused"):
        ask(make(), upstream)


def test_a_proxy_that_lets_nobody_in_is_named(make, upstream, monkeypatch):
    with tunnels.running({}, "me:word") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//me:secret@"))
        with pytest.raises(Away, match=r"the outgoing proxy: .*407") as raised:
            ask(make(), upstream)
        assert "secret" not in str(raised.value)
        monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")
        with pytest.raises(Away, match="socks5"):
            ask(make(), upstream)


def test_plain_requests_go_through_a_proxy_too(make, authority, tmp_path, monkeypatch):
    with (
        upstreams.running(tmp_path, authority=authority, tls=False, host="index.test") as plain,
        tunnels.running({"index.test": "127.0.0.1"}) as proxy,
    ):
        plain.add("six", "six-1.0-py3-none-any.whl", b"x")
        monkeypatch.setenv("http_proxy", proxy.url)
        asking = make(insecure=True)
        assert ask(asking, plain)[0].status == 200
        assert proxy.asked == [f"GET {plain.origin}{PAGE}"]
        asking.close()
