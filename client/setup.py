"""The distribution of mypi-upload: `upload` and `register` for setup.py, on setuptools that have them no more."""

import re
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"$', (HERE / "mypi_upload" / "__init__.py").read_text(encoding="utf-8"), re.MULTILINE
)
assert VERSION

setup(
    name="mypi-upload",
    version=VERSION[1],
    description="setup.py upload and register for today's setuptools, through twine",
    long_description=(HERE / "README.rst").read_text(encoding="utf-8"),
    long_description_content_type="text/x-rst",
    license="MIT",
    python_requires=">=3.8",
    packages=["mypi_upload"],
    package_data={"mypi_upload": ["py.typed"]},
    # Twine 5 cannot read the metadata that today's setuptools write (2.4); 6.1 is the newest for Python 3.8.
    install_requires=["requests>=2.20", "setuptools>=65.5", "twine>=6.1,<8"],
    entry_points={
        "distutils.commands": [
            "register = mypi_upload.register:register",
            "upload = mypi_upload.upload:upload",
        ],
    },
    classifiers=[
        "Framework :: Setuptools Plugin",
        "Programming Language :: Python :: 3",
        "Topic :: Software Development :: Build Tools",
    ],
)
