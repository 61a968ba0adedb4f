"""What the parts of the store in memory share: a lock, an end, and failures on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from seawall.errors import StoreError

_P = ParamSpec("_P")
_R = TypeVar("_R")
_S = TypeVar("_S", bound="Lockable")


class Lockable:
    """A store, or a part of one, whose methods run one at a time.

    Attributes:
        failure: Set it to an error to have every call raise it: a full disk, a
            dead engine. Nothing changes while it is set.
    """

    def __init__(self) -> None:
        self.failure: StoreError | None = None
        self._lock = threading.RLock()
        self._closed = False


def locked(method: Callable[Concatenate[_S, _P], _R]) -> Callable[Concatenate[_S, _P], _R]:
    """Run a method alone, and only while the store is open and healthy."""

    @wraps(method)
    def run(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        with self._lock:
            if self._closed:
                raise StoreError("the store is closed", reference="store-closed")
            if self.failure is not None:
                raise self.failure
            return method(self, *args, **kwargs)

    return run
