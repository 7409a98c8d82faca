"""Starting: what is wrong with a configuration ends the process with one sentence; other servers find a WSGI object."""

from __future__ import annotations

import importlib
import logging
import sys

import pytest
from webob import Request

from mypi import main
from mypi.options import SettingError
from mypi.resources import Root

OPEN = {"mypi.storage": "memory", "mypi.upload": "everyone"}


def health(app) -> str:
    return Request.blank("/+health").get_response(app).text


def test_main_makes_the_application_of_an_ini_file_and_starts_its_scrub(monkeypatch):
    monkeypatch.delenv("MYPI_SCRUB_RATE")
    app = main({"__file__": "x.ini"}, **OPEN)
    assert health(app) == "ok\n"
    assert app.registry["mypi.scrub"].state.state == "waiting"
    app.registry["mypi.repository"].close()
    assert app.registry["mypi.scrub"].state.state == "off"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"mypi.uplaod": "x"}, "did you mean mypi.upload"),
        ({"mypi.upload": "users", "mypi.htpasswd": "/nothing/htpasswd"}, "mypi htpasswd"),
        ({"mypi.storage": "filesystem", "mypi.storage.path": "/dev/null/x"}, "/dev/null"),
    ],
)
def test_a_wrong_configuration_ends_with_one_sentence(wrong, says):
    with pytest.raises(SystemExit, match=r"^mypi: ") as ended:
        main({}, **OPEN | wrong)
    assert says in str(ended.value)
    assert "\n" not in str(ended.value)


@pytest.fixture
def logging_as_before():
    """What an .ini file sets up is taken back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    disabled = {name for name, logger in root.manager.loggerDict.items() if getattr(logger, "disabled", False)}
    yield
    root.handlers[:], root.level = handlers, level
    for name, logger in root.manager.loggerDict.items():
        if isinstance(logger, logging.Logger):
            logger.disabled = name in disabled


def load_wsgi(monkeypatch):
    monkeypatch.delitem(sys.modules, "mypi.wsgi", raising=False)
    try:
        return importlib.import_module("mypi.wsgi")
    finally:
        sys.modules.pop("mypi.wsgi", None)


def test_other_servers_load_a_plain_wsgi_object(tmp_path, monkeypatch, logging_as_before):
    ini = tmp_path / "mypi.ini"
    sections = {"app:main": {"use": "egg:mypi", **OPEN}, "loggers": {"keys": "root"}, "handlers": {"keys": ""}}
    sections |= {"formatters": {"keys": ""}, "logger_root": {"level": "WARNING", "handlers": ""}}
    lines = [
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in each.items()) for name, each in sections.items()
    ]
    ini.write_text("\n".join(lines))
    monkeypatch.setenv("MYPI_INI", str(ini))
    assert health(load_wsgi(monkeypatch).application) == "ok\n"


@pytest.mark.parametrize("value", [None, "", "absent.ini"])
def test_without_an_ini_file_they_are_told_what_to_set_and_end(monkeypatch, capsys, value):
    monkeypatch.delenv("MYPI_INI", raising=False)
    if value is not None:
        monkeypatch.setenv("MYPI_INI", value)
    with pytest.raises(SystemExit) as ended:
        load_wsgi(monkeypatch)
    assert ended.value.code == 3, "gunicorn starts its workers for ever at any other code"
    assert "set this environment variable to the path of an .ini file" in capsys.readouterr().err


def test_a_percent_sign_that_stands_for_nothing_is_told_without_its_value(tmp_path, monkeypatch, capsys):
    ini = tmp_path / "mypi.ini"
    ini.write_text("[app:main]\nuse = egg:mypi\nmypi.storage = memory\nmypi.htpasswd = secret%word\n")
    monkeypatch.setenv("MYPI_INI", str(ini))
    with pytest.raises(SystemExit) as ended:
        load_wsgi(monkeypatch)
    assert ended.value.code == 3
    said = capsys.readouterr().err
    assert "the value of mypi.htpasswd in [app:main] of" in said
    assert "write %% for one" in said
    assert "secret" not in said


def test_what_the_server_must_know_stands_in_the_registry():
    registry = main({}, **OPEN).registry
    assert registry["mypi.upload_protected"] is False
    assert registry["mypi.upload_limit"] == 2**30
    assert registry["mypi.upload_paths"] == {"", "/simple", "/legacy", "/+upload"}
    assert registry["mypi.spool_folder"] is None


def test_a_setting_error_names_the_key():
    with pytest.raises(SystemExit, match=r"mypi\.trash_days = soon: not a whole number"):
        main({}, **OPEN, **{"mypi.trash_days": "soon"})
    assert issubclass(SettingError, ValueError)


def test_names_that_other_apis_need_are_no_projects():
    request = Request.blank("/")
    request.registry = main({}, **OPEN).registry
    request.repository = request.registry["mypi.repository"]
    root = Root(request)
    for name in ("robots.txt", "favicon.ico", "+health", "@@home", "\u0130"):
        with pytest.raises(KeyError):
            root[name]
