"""READMEs: what is made of them, and that none of them hurts the page, its reader or the server (threats 6, 7, 45)."""

from __future__ import annotations

import io
import json
import logging
import re
import resource
import runpy
import subprocess
import sys
import threading
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mypi import readme
from mypi.readme import Renderer, child, fitting

MARKDOWN = "text/markdown"


class Tags(HTMLParser):
    """Every tag with its attributes, as a browser would meet them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def renderer() -> Renderer:
    return Renderer()


def fitted(text: str, kind: str = "markdown") -> str:
    """What the child makes of a README, in this process."""
    rendered = child.rendered(kind, "GFM", text)
    return "" if rendered is None else fitting.fit(rendered)


def script(code: str) -> tuple[str, ...]:
    """A command in the place of the child."""
    return (sys.executable, "-I", "-c", code)


@pytest.mark.parametrize(
    ("text", "content_type", "expected"),
    [
        ("*Acme*", "text/markdown", "<p><em>Acme</em></p>"),
        ("~~Acme~~", "text/markdown; charset=UTF-8; variant=GFM", "<p><del>Acme</del></p>"),
        ("~~Acme~~", "text/markdown; variant=CommonMark", "<p>~~Acme~~</p>"),
        ("~~Acme~~", "Text/Markdown; variant=other", "<p><del>Acme</del></p>"),
        ("*Acme*", "text/x-rst", "<p><em>Acme</em></p>"),
        ("*Acme*", None, "<p><em>Acme</em></p>"),
        ("*Acme*", " ", "<p><em>Acme</em></p>"),
        ("*Acme* <b>", "text/plain", '<pre class="plain">*Acme* &lt;b&gt;</pre>'),
        ("*Acme*", "text/html", '<pre class="plain">*Acme*</pre>'),
        ("*Acme*", "nonsense\r\nX: y", '<pre class="plain">*Acme*</pre>'),
    ],
)
def test_content_types_are_taken_as_pypi_takes_them(text: str, content_type: str | None, expected: str) -> None:
    assert readme.render(text, content_type).strip() == expected


def test_rst_with_an_error_is_shown_as_it_is(renderer: Renderer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert renderer.render("Acme\n==\n\n`a", "text/x-rst") == '<pre class="plain">Acme\n==\n\n`a</pre>'
    assert [each.levelname for each in caplog.records] == ["INFO"]  # its author's business, not the operator's


def test_a_text_that_is_no_unicode_is_shown(renderer: Renderer) -> None:
    assert renderer.render("caf\udce9 *a*", MARKDOWN).encode() == b"<p>caf? <em>a</em></p>\n"


HOSTILE = {
    "script": "<script>alert(1)</script>",
    "handler": '<b onclick="alert(1)">a</b><img src=x onerror=alert(1)>',
    "javascript link": "[a](javascript:alert(1)) <a href=' java\tscript:alert(1)'>b</a>",
    "data link": "[a](data:text/html;base64,PHNjcmlwdD4=)",
    "reference link": "[a]: vbscript:x\n[a]",
    "style": '<p style="position:fixed">a</p><style>p{}</style>',
    "form": '<form action="https://evil.example"><input name="password"><button>a</button></form>',
    "frame": '<iframe src="https://evil.example"></iframe><object data="x"></object><embed src="x">',
    "svg": '<svg><a xlink:href="javascript:alert(1)"><text>a</text></a></svg><math><mtext></mtext></math>',
    "base": '<base href="https://evil.example/"><meta http-equiv="refresh" content="0;url=https://evil.example">',
    "image": '![a](https://evil.example/pixel.gif) <img src="https://evil.example/2.gif">',
    "sources": '<picture><source srcset="https://evil.example/a"><img src="//evil.example/b"></picture>',
    "clobbering": '<a id="login" name="login" class="button primary" href="#top">a</a><h1 id="main">b</h1>',
    "mutation": '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
    "own links": "[a](../../+logout) [b](/project/x/) [c](//evil.example)",
    "unclosed": '<div><div><b><a href="https://evil.example" ',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_markdown_brings_no_script_and_no_request_to_another_host_threat_6(name: str) -> None:
    html = fitted(HOSTILE[name])
    for tag, attributes in Tags(html).found:
        assert tag in fitting._TAGS
        assert attributes.keys() <= {"id", "class", "href", "rel", "title", "align", "start", "colspan", "rowspan"}
        assert re.match(r"https?://|mailto:|#user-content-", attributes.get("href") or "#user-content-")
        assert (attributes.get("id") or "user-content-").startswith("user-content-")
        if tag == "a":
            assert attributes["rel"] == "nofollow noopener noreferrer"
    assert "button primary" not in html


@pytest.mark.parametrize(
    "text",
    [
        ".. include:: /etc/passwd",
        ".. csv-table::\n   :file: /etc/passwd",
        ".. csv-table::\n   :url: http://127.0.0.1:9/",
        ".. raw:: html\n\n   <script>alert(1)</script>",
        ".. raw:: html\n   :file: /etc/passwd",
        ".. role:: raw-html(raw)\n   :format: html\n\n:raw-html:`<script>alert(1)</script>`",
        ".. literalinclude:: /etc/passwd",
        ".. code-block:: python\n   :include: /etc/passwd",
        ".. image:: javascript:alert(1)\n   :target: javascript:alert(1)",
        "`a <javascript:alert(1)>`_",
        ".. figure:: https://evil.example/a.png\n   :figclass: button\n\n   a",
    ],
)
def test_hostile_rst_reads_no_file_and_brings_no_markup_threat_7(text: str) -> None:
    html = fitted(text, "rst")
    assert "root:" not in html
    for tag, attributes in Tags(html).found:
        assert tag in fitting._TAGS
        assert re.match(r"https?://|mailto:|#user-content-", attributes.get("href") or "#user-content-")


def test_an_image_becomes_a_link_with_its_text_so_that_no_other_host_is_asked() -> None:
    html = fitted("![The logo](https://acme.example/logo.png) ![](http://acme.example/2.png)")
    rel = 'rel="nofollow noopener noreferrer"'
    assert f'<a class="image" href="https://acme.example/logo.png" {rel}>The logo</a>' in html
    assert f'<a class="image" href="http://acme.example/2.png" {rel}>image</a>' in html


def test_an_image_in_a_link_becomes_the_text_of_the_link_and_a_local_one_its_text() -> None:
    html = fitted("[![Build](https://ci.example/badge.svg)](https://ci.example/) ![Local](a.png)")
    assert '<a href="https://ci.example/" rel="nofollow noopener noreferrer">Build</a> Local' in html


def test_headings_go_below_those_of_the_page_and_links_within_the_readme_lead_there() -> None:
    html = fitted("# One\n\n###### Six\n\n[to it](#one)")
    assert '<h3 id="user-content-one">One</h3>' in html  # without comrak's empty link
    assert '<h6 id="user-content-six">Six</h6>' in html
    assert 'href="#user-content-one"' in html


def test_task_lists_have_no_form_fields_and_listings_have_colours() -> None:
    html = fitted("- [x] a\n- [ ] b\n\n```python\nprint(1)\n```\n\n> [!NOTE]\n> c")
    assert "<li>\u2611  a</li>" in html
    assert "<li>\u2610  b</li>" in html
    assert '<pre tabindex="0"><span class="nb">print</span>' in html
    assert '<div class="admonition note">' in html


def test_what_html_knows_only_of_old_and_landmarks_are_written_otherwise() -> None:
    html = fitting.fit("<nav><section><tt>a</tt><br/><hr></section></nav></a></p><a></a>")
    assert html.startswith("<div><div><code>a</code><br><hr></div></div>")
    assert "<a" not in html


EXPENSIVE = {
    "deep tags": "<div>" * 150_000,
    "a million letters": "acme " * 200_000,
}


@pytest.mark.parametrize("name", EXPENSIVE)
def test_an_expensive_readme_ends_in_time_and_is_shown_threat_45(name: str, renderer: Renderer) -> None:
    begun = time.monotonic()
    html = renderer.render(EXPENSIVE[name], MARKDOWN)
    assert time.monotonic() - begun < readme.SECONDS + 30
    assert html.startswith(("<p>", '<pre class="plain">'))


def test_a_readme_that_is_too_long_is_shown_as_it_is(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readme, "LONGEST", 5)
    assert renderer.render("*Acme*", MARKDOWN) == '<pre class="plain">*Acme*</pre>'


def test_a_child_that_hangs_is_ended_and_its_readme_not_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    hanging = Renderer(seconds=0.5, command=script("import time; time.sleep(60)"))
    begun = time.monotonic()
    assert hanging.render("*Acme*", MARKDOWN) == '<pre class="plain">*Acme*</pre>'
    assert hanging.render("*Acme*", MARKDOWN) == '<pre class="plain">*Acme*</pre>'
    assert time.monotonic() - begun < 30
    assert len([each for each in caplog.messages if "took longer" in each]) == 1


def test_a_child_that_fails_leaves_plain_text_and_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    failing = Renderer(command=script("raise SystemExit('it broke')"))
    assert failing.render("*Acme*", MARKDOWN) == '<pre class="plain">*Acme*</pre>'
    assert "ended with 1: it broke" in caplog.text


def test_where_no_process_can_be_started_it_is_tried_again_later(caplog: pytest.LogCaptureFixture) -> None:
    renderer = Renderer(command=("/nonexistent/python",))
    assert renderer.render("*Acme*", MARKDOWN) == '<pre class="plain">*Acme*</pre>'
    renderer._command = Renderer()._command
    assert renderer.render("*Acme*", MARKDOWN).strip() == "<p><em>Acme</em></p>"
    assert "no process could be started" in caplog.text


def test_those_who_want_one_readme_at_a_time_wait_for_one_child(tmp_path: Path) -> None:
    count = tmp_path / "count"
    counting = Renderer(command=script(f"open({str(count)!r}, 'a').write('x'); import time; time.sleep(0.3); print(1)"))
    threads = [threading.Thread(target=counting.render, args=("*Acme*", MARKDOWN)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count.read_text() == "x"


def test_a_page_waits_only_so_long_for_its_turn(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(readme, "_QUEUE", 0.01)
    busy = Renderer(command=script("print(1)"))
    for _ in range(readme.CHILDREN):
        busy._children.acquire()
    assert busy.render("*Acme*", MARKDOWN) == '<pre class="plain">*Acme*</pre>'
    busy._children.release()
    assert busy.render("*Acme*", MARKDOWN) == "1\n"
    assert "too many others" in caplog.text


def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    count = tmp_path / "count"
    small = Renderer(kept=600, command=script(f"open({str(count)!r}, 'a').write('x'); print('a' * 300)"))
    assert small.render("*Acme*", MARKDOWN) == small.render("*Acme*", MARKDOWN)
    assert count.read_text() == "xx"


def test_a_server_that_embeds_python_uses_the_interpreter_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/usr/sbin/uwsgi")
    assert readme._python() == str(Path(sys.prefix, "bin", "python3"))
    assert subprocess.run([readme._python(), "-c", ""], check=False).returncode == 0


class Limits:
    """Takes the limits of a process down instead of setting them."""

    def __init__(self) -> None:
        self.set: dict[int, tuple[int, int]] = {}

    def __call__(self, which: int, limits: tuple[int, int]) -> None:
        self.set[which] = limits


def _child(text: str, renderer: str = "markdown") -> str:
    asked = io.StringIO(json.dumps({"renderer": renderer, "variant": "GFM", "text": text}))
    target = io.StringIO()
    child.main(asked, target, Limits())
    return target.getvalue()


def test_the_child_limits_itself_before_it_reads_threat_45() -> None:
    limits = Limits()
    with pytest.raises(json.JSONDecodeError):
        child.main(io.StringIO("nonsense"), io.StringIO(), limits)
    assert limits.set == {
        resource.RLIMIT_CPU: (5, 5),
        resource.RLIMIT_AS: (512 * 2**20, 512 * 2**20),
        resource.RLIMIT_FSIZE: (0, 0),
        resource.RLIMIT_CORE: (0, 0),
    }


def test_the_child_renders_both_kinds() -> None:
    assert _child("*Acme*") == "<p><em>Acme</em></p>\n"
    assert _child("*Acme*", "rst") == "<p><em>Acme</em></p>\n"


def test_the_child_says_what_cannot_be_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="the text has errors"):
        _child("`a", "rst")
    monkeypatch.setattr(child, "LONGEST", 5)
    with pytest.raises(SystemExit, match="longer than 5 characters"):
        _child("*Acme*")


def test_the_child_is_a_module_that_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    main = Path(readme.__file__).with_name("__main__.py")
    asked = json.dumps({"renderer": "markdown", "variant": "GFM", "text": "*Acme*"})
    monkeypatch.setattr(sys, "stdin", io.StringIO(asked))
    monkeypatch.setattr(resource, "setrlimit", Limits())
    runpy.run_path(str(main), run_name="elsewhere")
    assert capsys.readouterr().out == ""
    runpy.run_path(str(main), run_name="__main__")
    assert capsys.readouterr().out == "<p><em>Acme</em></p>\n"
