"""mypi for mod_wsgi: names the .ini file, which Apache's own SetEnv cannot do, then loads the application."""

import os

os.environ["MYPI_INI"] = "/srv/mypi/production.ini"

from mypi.wsgi import application  # noqa: E402, F401
