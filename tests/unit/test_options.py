"""Options of the configuration: conversion, precedence, and messages that say how to mend it."""

import pytest

from mypi import options
from mypi.options import Option, SettingError

TABLE = (
    Option("path", options.path, None, "The folder."),
    Option("size", options.size, "1 MiB", "The limit."),
    Option("password", options.number, "0", "A secret.", secret=True),
)


def test_default_is_converted_like_any_value():
    assert Option("size", options.size, "64 KiB", "How much.").read("mypi.size", None) == 65536


def test_required_option_that_is_missing_is_explained():
    with pytest.raises(SettingError, match=r"mypi.storage.path is missing: The folder. Set it .* as MYPI_STORAGE_PATH"):
        options.read(TABLE, "mypi.storage.", {}, {})


def test_wrong_value_is_named_with_its_reason():
    with pytest.raises(SettingError, match=r"x\.size = lots: not a size") as caught:
        options.read(TABLE, "x.", {"x.path": "/a", "x.size": "lots"}, {})
    assert isinstance(caught.value.__cause__, ValueError)


def test_wrong_secret_is_not_shown():
    with pytest.raises(SettingError) as caught:
        options.read(TABLE, "x.", {"x.path": "/a", "x.password": "hunter2"}, {})
    assert "hunter2" not in str(caught.value)
    assert "(hidden)" in str(caught.value)


def test_environment_wins_over_the_file():
    values = options.read(TABLE, "x-y.", {"x-y.path": "/file"}, {"X_Y_PATH": " /environment "})
    assert values == {"path": "/environment", "size": 2**20, "password": 0}


def test_unknown_setting_is_refused_with_the_nearest_name():
    options.refuse_unknown(["mypi.storage"], ["mypi.storage"])
    with pytest.raises(SettingError, match=r"mypi\.strage is not a setting of mypi; did you mean mypi\.storage\?"):
        options.refuse_unknown(["mypi.storage", "mypi.users"], ["mypi.strage"])


@pytest.mark.parametrize(
    ("convert", "given", "value"),
    [
        (options.text, "as it is", "as it is"),
        (options.path, "/a/b", "/a/b"),
        (options.optional_path, "", None),
        (options.optional_path, "/a", "/a"),
        (options.optional_url, "", None),
        (options.optional_url, "https://pypi.example.com/", "https://pypi.example.com"),
        (options.words, "", ()),
        (options.words, " a, b\n c ", ("a", "b", "c")),
        (options.boolean, "TRUE", True),
        (options.boolean, "0", False),
        (options.number, "12", 12),
        (options.positive, "1", 1),
        (options.size, "7", 7),
        (options.size, "2 KiB", 2048),
        (options.size, "2kb", 2000),
        (options.size, "3 TiB", 3 * 2**40),
    ],
)
def test_value_is_converted(convert, given, value):
    assert convert(given) == value


@pytest.mark.parametrize(
    ("convert", "given"),
    [
        (options.path, ""),
        (options.optional_url, "pypi.example.com"),
        (options.boolean, "maybe"),
        (options.number, "-1"),
        (options.positive, "0"),
        (options.number, "1\n"),
        (options.number, "\N{ARABIC-INDIC DIGIT ONE}"),
        (options.size, "1 XB"),
        (options.size, "1.5 GiB"),
        (options.size, "GiB"),
    ],
)
def test_value_that_is_none_is_refused(convert, given):
    with pytest.raises(ValueError, match="; write "):
        convert(given)


def test_relative_path_and_home_become_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert options.path("var") == str(tmp_path / "var")
    assert options.path("~/var") == "/home/me/var"


def test_the_user_of_an_address_is_not_shown() -> None:
    with pytest.raises(SettingError, match=r"endpoint = http://\(hidden\)@s3.example.com: not a size"):
        Option("endpoint", options.size, None, "").read("endpoint", "http://key:geheim@s3.example.com")
