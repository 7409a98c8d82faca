"""mypi as a plain WSGI object, for servers that know nothing of Pyramid: gunicorn, granian, mod_wsgi.

The environment variable ``MYPI_INI`` names the ``.ini`` file; its logging is set up too.
"""

from __future__ import annotations

import configparser
import os
import sys
from pathlib import Path

from pyramid.paster import get_app, setup_logging


def _load() -> object:
    ini = os.environ.get("MYPI_INI")
    if not ini or not Path(ini).is_file():
        raise SystemExit(
            f"mypi: MYPI_INI is {ini or 'not set'}; set this environment variable to the path of an .ini file "
            "(mypi init makes one)"
        )
    try:
        setup_logging(ini)
        return get_app(ini)
    except configparser.InterpolationError as exc:
        # Its own message shows the value, which may be a secret.
        raise SystemExit(
            f"mypi: the value of {exc.option} in [{exc.section}] of {ini} has a % that stands for nothing; write %%"
            " for one"
        ) from exc


try:
    application = _load()
except SystemExit as exc:
    print(exc, file=sys.stderr, flush=True)  # mod_wsgi would not print it
    raise SystemExit(3) from None  # gunicorn ends at this code; at any other it starts its workers for ever
