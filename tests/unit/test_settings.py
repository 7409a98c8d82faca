"""The settings: one table, converted and checked at start-up, with messages that say how to mend what is wrong."""

from __future__ import annotations

import pytest

from mypi.backends.filesystem import FilesystemStore
from mypi.backends.memory import MemoryStore
from mypi.options import SettingError
from mypi.rights import PERMISSIONS
from mypi.settings import TABLE, Settings, backend

MEMORY = {"mypi.storage": "memory", "mypi.upload": "everyone"}


def load(environ=None, **given: str) -> Settings:
    return Settings.load(
        MEMORY | {f"mypi.{name.replace('__', '.')}": value for name, value in given.items()}, environ or {}
    )


def test_everything_has_a_default_but_the_place_of_the_files(tmp_path):
    settings = Settings.load({"mypi.storage.path": str(tmp_path), "mypi.upload": "everyone"}, {})
    assert settings.storage.backend is FilesystemStore
    assert settings.storage.values == {"path": str(tmp_path)}
    assert settings.catalogue is None
    assert (settings.rights.index["read"], settings.trash_days, settings.upload_limit) == (("everyone",), 30, 2**30)


def test_keys_of_others_are_left_alone():
    assert Settings.load({**MEMORY, "pyramid.reload_templates": "true", "here": "/x"}, {})


def test_every_setting_of_the_table_is_a_field():
    fields = set(Settings.__dataclass_fields__)
    beside = {"rights", "ldap", "upstream", "private", "policy"}
    assert {option.name.replace(".", "_") for option in TABLE} - {*PERMISSIONS, "metrics"} == fields - beside
    assert all(option.sentence.endswith(".") for option in TABLE)


@pytest.mark.parametrize(
    ("typo", "near"),
    [("uplaod", "mypi.upload"), ("storage__pth", "mypi.storage"), ("allowed_host", "mypi.allowed_hosts")],
)
def test_a_typo_is_refused_with_the_nearest_real_name(typo, near):
    with pytest.raises(SettingError, match=f"did you mean {near}"):
        load(**{typo: "x"})


def test_options_of_a_backend_that_was_not_chosen_are_refused():
    with pytest.raises(SettingError, match=r"mypi\.storage\.path is not a setting"):
        load(storage__path="/x")


def test_a_second_store_has_options_of_its_own(tmp_path):
    settings = load(catalogue="filesystem", catalogue__path=str(tmp_path / "documents"))
    assert settings.catalogue.backend is FilesystemStore
    store = settings.catalogue.open()
    assert list(store.list()) == []
    store.close()


@pytest.mark.parametrize("role", ["storage", "catalogue"])
@pytest.mark.parametrize("name", ["nothing", "no.such.module:Store", "mypi.store:Nothing", "a:b:c", ":", "."])
def test_an_unknown_backend_is_refused_with_those_that_are_there(role, name):
    with pytest.raises(SettingError, match=rf"mypi\.{role} = .*filesystem, memory"):
        load(**{role: name})


@pytest.mark.parametrize("name", ["mypi.settings:Settings", "mypi.store:CHUNK"])
def test_what_is_no_store_is_refused(name):
    with pytest.raises(SettingError, match="no subclass of mypi"):
        backend(name)


def test_a_backend_may_be_named_by_module_and_class():
    assert backend("mypi.backends.memory:MemoryStore") is MemoryStore


def test_the_environment_wins_over_the_file():
    assert load({"MYPI_TRASH_DAYS": "3"}, trash_days="5").trash_days == 3


@pytest.mark.parametrize("value", ["", "alice", "user:", "nobody users", "Everyone"])
def test_who_is_nobody_known_is_refused_with_what_can_be_written(value):
    with pytest.raises(SettingError, match=r"mypi\.upload = .*write"):
        load(upload=value)


def test_who_manages_unless_it_is_said_otherwise():
    assert load().rights.index["manage"] == ("group:admins", "owners")


def test_patterns_of_projects_have_rules_of_their_own():
    settings = load(**{"upload__acme-*": "group:acme", "manage__acme-*": "nobody"})
    assert settings.rights.patterns == {"upload": {"acme-*": ("group:acme",)}, "manage": {"acme-*": ("nobody",)}}


@pytest.mark.parametrize("typo", ["uplaod__acme-*", "raed__acme"])
def test_a_typo_in_front_of_a_pattern_is_refused(typo):
    with pytest.raises(SettingError, match="is not a setting of mypi"):
        load(**{typo: "users"})


def test_names_of_rules_are_checked():
    assert load(refuse="linux-tags").refuse == ("linux-tags",)
    with pytest.raises(SettingError, match="did you mean linux-tags"):
        load(refuse="linux-tag")


@pytest.mark.parametrize(("given", "expected"), [("", ()), ("a.example b.example", ("a.example", "b.example"))])
def test_allowed_hosts_are_a_list(given, expected):
    assert load(allowed_hosts=given).allowed_hosts == expected


def test_https_only_is_off_unless_it_is_said():
    assert load().https_only is False
    assert load(https_only="true").https_only is True
    with pytest.raises(SettingError, match="true or false"):
        load(https_only="perhaps")


def test_a_misspelt_option_is_named_before_the_one_that_is_missing_for_it():
    with pytest.raises(
        SettingError, match=r"mypi\.storage\.buckt is not a setting of mypi; did you mean mypi\.storage"
    ):
        load(storage="s3", storage__buckt="acme")


@pytest.mark.parametrize(
    ("given", "local"),
    [
        ({"storage": "memory"}, None),
        ({"storage": "filesystem", "storage__path": "/srv/var"}, "/srv/var"),
        ({"storage": "zodb", "storage__path": "/srv/zodb"}, "/srv/zodb/blobs"),
        ({"storage": "zodb", "storage__uri": "zeo://127.0.0.1:9991?blob_dir=/srv/cache"}, None),
    ],
)
def test_the_folder_of_local_files_is_known_unopened(given, local):
    assert load(**given).storage.local == local
