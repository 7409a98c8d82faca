"""A third party's backend: the example of the documentation, installed as a distribution of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system import processes
from tests.system.processes import ROOT, wheel

EXAMPLE = ROOT / "docs" / "examples" / "mypi-sqlite"


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a Python that has the example installed besides mypi."""
    target = tmp_path_factory.mktemp("site")
    source = shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("source") / "mypi-sqlite")
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(source)]
    subprocess.run(words, check=True, timeout=120)
    return processes.environment(PYTHONPATH=os.pathsep.join((str(target), str(ROOT))))


def test_the_example_is_short() -> None:
    lines = (EXAMPLE / "mypi_sqlite.py").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) < 100


def test_the_example_keeps_the_contract(environ: dict[str, str], tmp_path: Path) -> None:
    suite = tmp_path / "test_mypi_sqlite.py"
    suite.write_bytes((EXAMPLE / suite.name).read_bytes())
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -W error\n")
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(suite)]
    done = subprocess.run(words, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
    assert "skipped" not in done.stdout


def test_the_example_serves_an_index_that_an_ini_names_in_one_word(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "mypi.sqlite"
    ini = processes.ini(tmp_path, processes.free_port(), storage="sqlite", storage__file=str(file))
    packages = [wheel("acme-lib", f"{number}.0", 300_000) for number in range(3)]
    with processes.pserve(ini, env=environ) as server:
        for package in packages:
            assert server.upload(package).status == 200
        assert server.fetch("acme-lib", packages[1].filename) == packages[1].data
        server.kill()
    with processes.pserve(ini, env=environ) as again:
        assert sorted(again.files("acme-lib")) == [package.filename for package in packages]
        assert again.stop() == 0
    verified = subprocess.run(
        [processes.MYPI, "-c", str(ini), "verify"], env=environ, capture_output=True, text=True, check=False
    )
    assert verified.returncode == 0, verified
    assert "all is well" in verified.stdout
    assert file.is_file()
