"""Gives `setup.py upload` and `setup.py register` back, which setuptools has no more since version 75."""

__version__ = "0.1.0"
