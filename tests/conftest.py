"""What all tests share: CI may skip nothing, and no test sees the machine's own pip or uv configuration."""

from __future__ import annotations

import os

import pytest

pytest.register_assert_rewrite("mypi.testing")

NO_SKIPS = bool(os.environ.get("MYPI_NO_SKIPS"))
"""Set by .ci/run: what a user's machine may lack must be there, so a skip is a failure."""


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    outcome = yield
    report = outcome.get_result()
    if NO_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"MYPI_NO_SKIPS is set, but {item.nodeid} was skipped: {report.longrepr}"
