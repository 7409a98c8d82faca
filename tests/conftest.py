"""What all tests share: CI may skip nothing, and no test sees the machine's own pip or uv configuration."""

from __future__ import annotations

import os

import pytest

from tests.services import CREDENTIALS
from tests.system.interpreters import MISSING_PYTHON

pytest.register_assert_rewrite("mypi.testing")

# No test sees this machine's own AWS configuration; servers that tests start inherit these.
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ.update(CREDENTIALS, AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

# The scrub of a server begins at a random moment: tests of it say so, no other one is disturbed.
os.environ["MYPI_SCRUB_RATE"] = "0"

NO_SKIPS = bool(os.environ.get("MYPI_NO_SKIPS"))
"""Set by .ci/run: what a user's machine may lack must be there, so a skip is a failure."""


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    outcome = yield
    _refuse_skip(item.nodeid, outcome.get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):
    outcome = yield
    _refuse_skip(collector.nodeid, outcome.get_result())


def _refuse_skip(what: str, report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure in CI. Only a Python that this machine does not have is named and no failure: Debian
    has one of them, and nobody can install the others there.
    """
    if NO_SKIPS and report.skipped and not hasattr(report, "wasxfail") and MISSING_PYTHON not in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"MYPI_NO_SKIPS is set, but {what} was skipped: {report.longrepr}"
