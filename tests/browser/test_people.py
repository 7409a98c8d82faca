"""People: logging in and out, tokens, users and groups, and the log of who did what."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests import builders
from tests.browser.chromium import NARROW, WIDE
from tests.browser.conftest import Index, Visit, log_in
from tests.browser.exhibits import PASSWORDS


def publish(index: Index, folder: Path, made: tuple[str, bytes], token: str) -> subprocess.CompletedProcess[str]:
    """Publish a file with uv, as somebody does who copied the token from the page."""
    path = folder / made[0]
    path.write_bytes(made[1])
    command = ["publish", "--publish-url", f"{index.url}/legacy/", "--token", token, "--no-config", str(path)]
    uv = str(Path(sys.executable).with_name("uv"))
    return subprocess.run([uv, *command], check=False, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(("js", "width", "scheme"), [(True, WIDE, "light"), (False, NARROW, "dark")])
def test_login_leads_back_to_where_one_was(index: Index, visit: Visit, js: bool, width: int, scheme: str):
    one = visit(index, js=js, width=width, scheme=scheme)
    page = one.go("project/tideline/")
    page.get_by_role("link", name="Log in").click()
    log_in(one, "alice")
    assert one.path == "project/tideline/"
    expect(page.get_by_role("banner")).to_contain_text("alice")
    expect(page.get_by_role("link", name="Manage")).to_be_visible()
    cookies = {each["name"]: each for each in page.context.cookies()}
    assert all(each["httpOnly"] and each["sameSite"] in ("Lax", "Strict") for each in cookies.values()), cookies


@pytest.mark.parametrize("js", [True, False])
def test_login_with_a_wrong_password_says_so_and_keeps_the_name(index: Index, visit: Visit, js: bool):
    one = visit(index, js=js)
    one.watch.statuses.add(403)
    log_in(one, "bob", "not the password")
    page = one.page
    expect(page.locator("main")).to_contain_text("The user name or password is wrong.")
    expect(page.get_by_label("User name")).to_have_value("bob")
    expect(page.get_by_label("Password")).to_have_value("")
    expect(page.get_by_label("Password")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Password")).to_have_accessible_description(re.compile("is wrong"))
    expect(page.get_by_label("Password")).to_be_focused()
    expect(page.get_by_role("banner")).not_to_contain_text("bob")
    one.screenshot(f"login-wrong-{'light' if js else 'without-scripts'}")
    log_in(one, "bob")
    expect(page.get_by_role("banner")).to_contain_text("bob")


def test_logout_ends_the_session_in_every_browser_that_has_it(index: Index, visit: Visit):
    here = visit(index)
    log_in(here, "bob")
    there = visit(index, state=here.page.context.storage_state())
    expect(there.go().get_by_role("banner")).to_contain_text("bob")
    here.page.get_by_role("button", name="Log out").click()
    expect(here.page.get_by_role("link", name="Log in")).to_be_visible()
    expect(there.go().get_by_role("link", name="Log in")).to_be_visible()
    there.go("+account")
    assert there.path.startswith("+login")


def test_closed_index_shows_nothing_before_the_login(closed: Index, visit: Visit):
    one = visit(closed)
    page = one.go("project/tideline/")
    assert one.path.startswith("+login")
    expect(page.locator("body")).not_to_contain_text("tideline")
    log_in(one, "bob")
    assert one.path == "project/tideline/"
    expect(page.get_by_role("heading", level=1)).to_contain_text("tideline")


def test_reader_of_a_closed_index_is_told_what_right_is_missing(closed: Index, visit: Visit):
    one = visit(closed, "bob")
    page = one.go("+upload", status=403)
    expect(page.locator("main")).to_contain_text(re.compile("upload", re.I))
    one.go("project/tideline/+manage", status=403)
    one.go("+users", status=403)
    expect(one.go().get_by_role("link", name="Users")).to_have_count(0)


@pytest.mark.parametrize("js", [True, False])
def test_token_is_made_shown_once_used_and_revoked(index: Index, visit: Visit, tmp_path: Path, js: bool):
    name, project = ("laptop", "by-token") if js else ("plain laptop", "by-plain-token")
    one = visit(index, "alice", js=js, width=WIDE if js else NARROW)
    page = one.go("+account")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Only for the projects").fill(f"{project}*")
    page.get_by_label("It ends").select_option("in a week")
    page.get_by_role("button", name="Make the token").click()
    expect(page.locator("main")).to_contain_text("This is the only time that it is shown")
    token = page.locator("main .copyable code").first.inner_text().strip()
    assert token.startswith("mypi-")
    one.screenshot(f"account-token-{'light' if js else 'without-scripts'}")
    if js:
        page.get_by_role("button", name="Copy the token").click()
        expect(page.get_by_role("status").last).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == token
    (kept,) = [each for each in index.accounts().tokens_of("alice") if each.name == name]
    assert kept.projects == (f"{project}*",)
    assert token.split("-")[2] not in repr(index.accounts())

    page.get_by_role("link", name="I have it").click()
    expect(page.locator("main")).not_to_contain_text(token)
    done = publish(index, tmp_path, builders.wheel(project), token)
    assert done.returncode == 0, done.stderr
    assert index.project(project).history[0].via == f"token {name}"
    elsewhere = publish(index, tmp_path, builders.wheel("elsewhere"), token)
    assert elsewhere.returncode != 0
    assert index.project("elsewhere") is None

    page.reload()
    row = page.get_by_role("row").filter(has_text=kept.id)
    expect(row).not_to_contain_text("never")
    row.get_by_role("button", name="Revoke").click()
    expect(page.locator("main")).to_contain_text("The token was revoked.")
    assert index.accounts().tokens.get(kept.id) is None
    done = publish(index, tmp_path, builders.wheel(project, "1.1"), token)
    assert done.returncode != 0
    assert list(index.project(project).versions) == ["1.0"]


def test_token_without_a_right_is_refused_at_the_field(index: Index, visit: Visit):
    one = visit(index, "alice")
    one.watch.statuses.add(400)
    page = one.go("+account")
    page.get_by_label("Name", exact=True).fill("of no use")
    for box in page.get_by_role("checkbox").all():
        box.uncheck()
    page.get_by_role("button", name="Make the token").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose at least one of the rights.")
    expect(page.get_by_label("Name", exact=True)).to_have_value("of no use")
    assert "of no use" not in {each.name for each in index.accounts().tokens.values()}


@pytest.mark.parametrize(("js", "newcomer"), [(True, "carol"), (False, "dora")])
def test_administrator_adds_a_user_who_joins_a_group_and_goes(index: Index, visit: Visit, js: bool, newcomer: str):
    admin = visit(index, "admin", js=js)
    page = admin.go()
    page.get_by_role("link", name="Users").click()
    page.get_by_label("User name").fill(newcomer)
    page.get_by_label("Password").fill(PASSWORDS["carol"])
    page.get_by_role("button", name="Add the user").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(newcomer)
    expect(page.locator("main")).to_contain_text("The user was added.")
    page.get_by_label("Put into the group").fill("coast")
    page.get_by_role("button", name="Put in").click()
    expect(page.locator("main")).to_contain_text("The group has a new member.")
    assert newcomer in index.accounts().groups["coast"]
    admin.screenshot(f"users-one-{'light' if js else 'without-scripts'}")

    other = visit(index, js=js)
    log_in(other, newcomer, PASSWORDS["carol"])
    expect(other.page.get_by_role("banner")).to_contain_text(newcomer)
    expect(other.go("+account").locator("main")).to_contain_text("coast")

    page.get_by_role("checkbox", name=f"Remove {newcomer}").check()
    page.get_by_role("button", name="Remove the user").click()
    expect(page.locator("main")).to_contain_text("The user was removed")
    accounts = index.accounts()
    assert newcomer not in accounts.users
    assert newcomer not in accounts.groups["coast"]
    did = [event.did for event in accounts.history if event.subject == newcomer]
    assert did == ["user add", "group add coast", "user remove"]
    expect(other.go().get_by_role("link", name="Log in")).to_be_visible()


def test_password_is_changed_and_other_sessions_end(index: Index, visit: Visit):
    here, there = visit(index), visit(index)
    for one in (here, there):
        log_in(one, "bob")
    page = here.go("+account")
    page.get_by_label("Present password").fill(PASSWORDS["bob"])
    page.get_by_label("New password", exact=True).fill("another one 33")
    page.get_by_label("New password again").fill("another one 33")
    page.get_by_role("button", name="Change the password").click()
    expect(page.locator("main")).to_contain_text("The password was changed.")
    expect(page.get_by_role("banner")).to_contain_text("bob")
    expect(there.go().get_by_role("link", name="Log in")).to_be_visible()
    log_in(there, "bob", "another one 33")
    page = there.go("+account")
    page.get_by_label("Present password").fill("another one 33")
    page.get_by_label("New password", exact=True).fill(PASSWORDS["bob"])
    page.get_by_label("New password again").fill(PASSWORDS["bob"])
    page.get_by_role("button", name="Change the password").click()
    expect(page.locator("main")).to_contain_text("The password was changed.")


@pytest.mark.parametrize("js", [True, False])
def test_log_shows_who_did_what_and_is_filtered(index: Index, visit: Visit, js: bool):
    one = visit(index, "admin", js=js)
    page = one.go("+log")
    rows = page.locator("main tbody tr")
    assert rows.count() > 20
    page.get_by_role("textbox", name="Project").fill("Tideline")
    page.get_by_label("What").select_option("yank")
    page.get_by_role("button", name="Filter").click()
    expect(rows).to_have_count(2)
    for row in rows.all():
        expect(row).to_contain_text("alice")
        expect(row).to_contain_text("reads the wrong time zone")
        expect(row).to_contain_text("192.0.2.10")
    expect(page.get_by_role("textbox", name="Project")).to_have_value("Tideline")
    one.go("+log?user=admin&did=status+quarantined")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("under examination since Monday")
    one.go("+log?did=group+add")
    expect(page.locator("main")).to_contain_text("admins")


def test_log_of_who_manages_nothing_holds_no_accounts_and_no_addresses(index: Index, visit: Visit):
    page = visit(index, "alice").go("+log")
    expect(page.locator("main")).not_to_contain_text("192.0.2.")
    expect(page.locator("main tbody")).not_to_contain_text("group add")
