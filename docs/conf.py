"""How the documentation is built: `make docs`, or `python -m sphinx -W -n docs docs/_build`."""

import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
sys.path.append(str(Path(__file__).parent.parent / "tests"))  # the list of rules lies beside what proves them

project = "mypi"
author = "the mypi developers"
project_copyright = author
version = release = installed("mypi")

extensions = ["sphinx.ext.autodoc", "reference", "checklist"]
exclude_patterns = ["_build"]
default_role = "literal"
highlight_language = "none"
nitpicky = True
# The pages are built without a network, so nothing is looked up in the manuals of others.
nitpick_ignore_regex = [
    ("py:.*", r"(collections\.abc|pytest)\..*"),
    ("py:class", r"IO|pytest\..*"),
    ("py:exc", r"KeyError|ValueError"),
]

autodoc_member_order = "bysource"

html_theme = "alabaster"
html_title = "mypi"
html_static_path = ["_static"]
html_css_files = ["mypi.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "description": "A private Python package index that anybody can run",
    "fixed_sidebar": True,
    "page_width": "64rem",
    "sidebar_width": "15rem",
    "font_family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
    "head_font_family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
    "code_font_size": "0.85em",
    "show_relbars": True,
}
