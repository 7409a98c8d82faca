"""A start looks at the store as a whole, however much is in it; what the filesystem store opens is written down."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from benchmarks import corpora
from tests.system.processes import environment

PROGRAM = """
import json, sys
from pathlib import Path
seen = []
def hook(event, given):
    if event in ("open", "os.listdir", "os.scandir"):
        seen.append((event, str(given[0])))
sys.addaudithook(hook)
import mypi
from webob import Request
for folder in sys.argv[1:]:
    app = mypi.main({}, **{"mypi.storage": "filesystem", "mypi.storage.path": folder})
    print(json.dumps([(event, path.removeprefix(folder)) for event, path in seen if path.startswith(folder)]))
    seen.clear()
    for path in ("/simple/acme-1/", "/simple/"):
        assert Request.blank(path).get_response(app).status_int == 200
        print(json.dumps([(event, path.removeprefix(folder)) for event, path in seen if path.startswith(folder)]))
        seen.clear()
    app.registry["mypi.repository"].close()
"""


def test_a_start_opens_the_same_with_few_projects_and_with_many_and_reads_none_of_them(tmp_path: Path) -> None:
    folders = [tmp_path / str(size) for size in (10, 2000)]
    for folder in folders:
        corpora.bulk(folder, int(folder.name), 2)
    command = [sys.executable, "-c", PROGRAM, *map(str, folders)]
    done = subprocess.run(
        command, env=environment(MYPI_SCRUB_RATE="0"), capture_output=True, text=True, check=True, timeout=60
    )
    few, page, listing, *many = map(json.loads, done.stdout.splitlines())

    assert few
    assert kinds(few) == kinds(many[0])
    assert not [path for _, path in few + many[0] if path.startswith("/indexes/")]
    assert page == many[1] == [["open", "/indexes/main/acme-1.json"]]
    assert listing == many[2] == [["open", "/indexes/main.json"]]


def kinds(opened: list[list[str]]) -> Counter[tuple[str, str]]:
    """Count what was opened by the folder that it is in: names of probes are drawn."""
    return Counter((event, path.rpartition("/")[0]) for event, path in opened)
