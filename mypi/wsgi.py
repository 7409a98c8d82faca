"""mypi as a plain WSGI object, for servers that know nothing of Pyramid: gunicorn, granian, mod_wsgi.

The environment variable ``MYPI_INI`` names the ``.ini`` file; its logging is set up too.
"""

from __future__ import annotations

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
    setup_logging(ini)
    return get_app(ini)


try:
    application = _load()
except SystemExit as exc:
    print(exc, file=sys.stderr, flush=True)  # mod_wsgi would not print it
    raise SystemExit(3) from None  # gunicorn ends at this code; at any other it starts its workers for ever
