"""Lines of the log: one for each record, with the id of its request, as text and as JSON, without secrets."""

from __future__ import annotations

import configparser
import json
import logging
import logging.config
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyramid.paster import setup_logging

from mypi import logs
from mypi.accounts import fresh

FORGED = "a\nINFO forged\r\x1b[2J\x85\u2028\u202e\x00b\tc"


@pytest.fixture(autouse=True)
def request_id() -> Iterator[str]:
    """The id of the request that the lines are of; none is left to other tests."""
    yield logs.begin("1a2b")
    logs.begin("-")


def record(message: str, *args: Any, exc_info: Any = None, **extra: Any) -> logging.LogRecord:
    return logging.getLogger("mypi.x").makeRecord(
        "mypi.x", logging.WARNING, "x.py", 1, message, args, exc_info, extra=extra
    )


def fail(message: str) -> None:
    raise RuntimeError(message)


def failed(message: str) -> Any:
    try:
        fail(message)
    except RuntimeError:
        return sys.exc_info()


def test_text_has_the_id_of_the_request():
    line = logs.Text("%(levelname)s %(name)s %(request)s %(message)s").format(record("it is %s", "so"))
    assert line == "WARNING mypi.x 1a2b it is so"


def test_text_has_the_time_where_its_format_names_it():
    assert logs.Text("%(asctime)s %(message)s").format(record("x")).endswith(" x")


def test_threat_5_no_message_forges_a_line_of_text():
    line = logs.Text("%(message)s").format(record("%s", FORGED))
    assert line == "a\\x0aINFO forged\\x0d\\x1b[2J\\x85\\u2028\\u202e\\x00b\tc"


def test_threat_5_no_error_forges_a_line_of_text():
    lines = logs.Text("%(levelname)s %(message)s").format(record("bad", exc_info=failed(FORGED))).split("\n")
    assert lines[0] == "WARNING bad"
    assert lines[1] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") for line in lines[1:])
    assert "    INFO forged" in lines
    assert not any("\x1b" in line or "\u2028" in line for line in lines)


def test_text_shows_a_stack_that_was_asked_for():
    shown = record("x")
    shown.stack_info = "Stack:\n  here"
    assert logs.Text("%(message)s").format(shown) == "x\n    Stack:\n      here"


def test_json_is_one_object_on_one_line():
    line = logs.Json().format(record("%s", FORGED, exc_info=failed(FORGED)))
    assert line.isascii() and line.isprintable()
    told = json.loads(line)
    assert told["message"] == FORGED
    assert told["request"] == "1a2b"
    assert (told["level"], told["logger"]) == ("WARNING", "mypi.x")
    assert told["time"].endswith("Z") and told["time"][10] == "T"
    assert "RuntimeError: a\nINFO forged" in told["traceback"]


def test_json_has_the_fields_of_a_line_of_the_access_log():
    told = json.loads(logs.Json().format(record("x", **{logs.FIELDS: {"path": "/simple/", "bytes": None, "odd": {1}}})))
    assert (told["path"], told["bytes"], told["odd"]) == ("/simple/", None, "{1}")
    assert "traceback" not in told


@pytest.mark.parametrize(
    "secret",
    [
        f"a {fresh().text} b",
        "Authorization: Basic YWxpY2U6d29uZGVy",
        "authorization: bearer eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln",
        "https://alice:wonder@pypi.example.com/simple/",
    ],
    ids=["token", "basic", "bearer", "url"],  # a token is another one in each process that collects the tests
)
def test_threat_33_no_secret_gets_into_a_line(secret: str):
    hidden = [word for word in ("YWxpY2U6d29uZGVy", "eyJhbGci", "wonder", secret[2:-2]) if word in secret]
    text = logs.Text("%(message)s").format(record("%s", secret, exc_info=failed(secret)))
    line = logs.Json().format(record("%s", secret, exc_info=failed(secret), **{logs.FIELDS: {"path": secret}}))
    json.loads(line)
    assert "(hidden)" in text and "(hidden)" in line
    assert not any(word in text or word in line for word in hidden)


def test_threat_33_the_detector_of_secrets_would_see_one():
    assert "wonder" in logging.Formatter("%(message)s").format(record("https://alice:wonder@pypi.example.com/"))


def test_plain_words_are_left_as_they_are():
    text = "Basic access, a mypi-upload of 1.0, mail@example.com and http://example.com/a@b"
    assert logs.plain(text) == text


def test_the_id_is_that_of_the_thread():
    seen: list[str] = []

    def work() -> None:
        seen.append(logs.request_id())
        seen.append(logs.begin(None))
        seen.append(logs.request_id())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen[0] == "-"
    assert seen[1] == seen[2] and len(seen[1]) == 16
    assert logs.request_id() == "1a2b"


def test_production_ini_is_switched_to_json_by_its_comments(tmp_path: Path):
    text = (Path(__file__).parents[2] / "production.ini").read_text(encoding="utf-8")
    used, commented = text.index("# %(request)s is the id"), text.index("# One JSON object a line")
    switched = [line.removeprefix("# ") for line in text[commented:].splitlines() if re.match(r"# (\[|class)", line)]
    ini = tmp_path / "production.ini"
    ini.write_text(text[:used] + "\n".join(switched) + "\n", encoding="utf-8")
    setup_logging(str(ini))
    try:
        logging.getLogger("mypi").warning("one\n")
        logging.getLogger("mypi.access").info("two", extra={logs.FIELDS: {"status": 200}})
    finally:
        for name in (None, "mypi.access"):
            logger = logging.getLogger(name)
            for handler in [each for each in logger.handlers if isinstance(each, logging.FileHandler)]:
                logger.removeHandler(handler)
                handler.close()
        for name in ("mypi", "mypi.access"):
            logging.getLogger(name).setLevel(logging.NOTSET)
            logging.getLogger(name).propagate = True
    for name, message in (("mypi.log", "one\n"), ("access.log", "two")):
        told = json.loads((tmp_path / name).read_text(encoding="utf-8"))
        assert (told["message"], told["request"]) == (message, "1a2b")


@pytest.mark.parametrize("kind", ["Json", "Text"])
def test_a_formatter_is_named_in_the_ini(kind: str, tmp_path: Path):
    (tmp_path / "x.ini").write_text(
        f"""
[loggers]
keys = root, x
[handlers]
keys = x
[formatters]
keys = x
[logger_root]
handlers =
[logger_x]
level = INFO
handlers = x
qualname = mypi.of.this.test
propagate = 0
[handler_x]
class = FileHandler
args = (r"{tmp_path}/log", "a", "utf-8")
formatter = x
[formatter_x]
class = mypi.logs.{kind}
format = %(levelname)s %(request)s %(message)s
"""
    )
    read = configparser.RawConfigParser()
    read.read(tmp_path / "x.ini")
    logging.config.fileConfig(read, disable_existing_loggers=False)
    logger = logging.getLogger("mypi.of.this.test")
    try:
        logger.info("caf\u00e9\n")
    finally:
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            handler.close()
    written = (tmp_path / "log").read_text(encoding="utf-8")
    assert written.count("\n") == 1
    if kind == "Json":
        assert json.loads(written)["message"] == "caf\u00e9\n"
    else:
        assert written == "INFO 1a2b caf\u00e9\\x0a\n"
