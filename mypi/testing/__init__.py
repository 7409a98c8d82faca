"""What proves a store: the contract as a suite that any backend subclasses, and stores that misbehave on purpose.

A backend's own tests are a few lines; see ``StoreContract``. Needs pytest (``pip install mypi[test]``).
"""

from .contract import StoreContract
from .doubles import FaultyStore, Operation, Point, RecordingStore, WrappedStore

__all__ = ["FaultyStore", "Operation", "Point", "RecordingStore", "StoreContract", "WrappedStore"]
