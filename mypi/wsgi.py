"""mypi as a plain WSGI object, for servers that know nothing of Pyramid: gunicorn, granian, mod_wsgi.

The environment variable ``MYPI_INI`` names the ``.ini`` file; its logging is set up too.
"""

from __future__ import annotations

import os

from pyramid.paster import get_app, setup_logging


def _load() -> object:
    ini = os.environ.get("MYPI_INI")
    if not ini:
        raise SystemExit(
            "mypi: set the environment variable MYPI_INI to the path of an .ini file (mypi init makes one)"
        )
    setup_logging(ini)
    return get_app(ini)


application = _load()
