"""What breaks mypi at length: `make torture` runs all of it, `make test` a short form where there is one."""

from __future__ import annotations

import os

LONG = ["test_large.py", "test_outages.py", "test_power.py"]
"""What has no short form: its like in `make test` stands in tests/system and tests/backends."""

collect_ignore = [] if os.environ.get("MYPI_TORTURE") else LONG
