"""Takes the pictures of the documentation: python -m tests.browser.tour docs/_static

They are made again by hand, when the pages have changed so much that they mislead.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.browser import chromium, exhibits
from tests.system import processes

PICTURES = {"home": ("", 820), "project": ("project/tideline/", 900)}


def main(target: Path) -> None:
    """Take each picture in light, as wide as a page of the documentation shows sharply."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        exhibits.make(folder / "var", tests=False)
        public = "https://packages.acme.example"
        path = processes.ini(folder, processes.free_port(), upload="users", public_url=public)
        with processes.pserve(path) as server, chromium.launched(folder / "home") as browser:
            for picture, (page, height) in PICTURES.items():
                site = f"http://127.0.0.1:{server.port}"
                one = chromium.visitor(browser, site, width=1200, height=height)
                one.go(page).wait_for_timeout(1000)
                one.go(page).screenshot(path=target / f"tour-{picture}.png")
                one.page.context.close()
                if one.watch.wrong:
                    raise SystemExit("\n".join(one.watch.wrong))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
