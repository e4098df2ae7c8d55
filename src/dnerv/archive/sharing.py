"""What threads share and processes do not: readers, decoders, networks.

Nothing here is asked of whoever uses an archive: threads take turns at what has a state, and a forked or unpickled copy
begins with a state of its own, since neither a lock that another thread held nor a decoder survives a fork.
"""

from __future__ import annotations

import os
import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from types import NoneType
from typing import Any, Generic, TypeVar
from weakref import WeakSet

Key = TypeVar("Key")
Value = TypeVar("Value")


class Guarded(Generic[Value]):
    """A state for one thread at a time: `with guarded as state`. A forked or unpickled copy begins with a new one."""

    def __init__(self, make: Callable[[], Value]) -> None:
        self._make = make
        self.renew()
        _guarded.add(self)

    def renew(self) -> None:
        """Begin with a new state, whoever holds the old one."""
        self._lock, self._state = threading.Lock(), self._make()

    def __enter__(self) -> Value:
        self._lock.acquire()
        return self._state

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[Any, ...]:
        return Guarded, (self._make,)


_guarded: WeakSet[Guarded[Any]] = WeakSet()


def _renew_all() -> None:
    for guarded in list(_guarded):
        guarded.renew()


os.register_at_fork(after_in_child=_renew_all)


def turns() -> Guarded[None]:
    """A lock, without a state, that a forked child finds free whoever held it in the parent."""
    return Guarded(NoneType)


class Once(Generic[Value]):
    """A value that is made when first asked for, by one thread, and never changes; a forked child has it too."""

    def __init__(self) -> None:
        self._lock = turns()
        self._made: list[Value] = []

    def get(self, make: Callable[[], Value]) -> Value:
        """What `make` gave the first time."""
        if not self._made:
            with self._lock:
                if not self._made:
                    self._made.append(make())
        return self._made[0]


class OpenedOnUse(Generic[Value]):
    """Holds a value that pickles; an unpickled copy makes its own when it is first asked for.

    So what cannot be made is told to whoever asks, also out of a DataLoader's worker, which would not even start.
    """

    def __init__(self, value: Value) -> None:
        self._value: Once[Value] = Once()
        self._value.get(lambda: value)
        self._pickled = pickle.dumps(value)

    def get(self) -> Value:
        """The value. Raises what making it raises."""
        return self._value.get(partial(pickle.loads, self._pickled))

    def __getstate__(self) -> bytes:
        return self._pickled

    def __setstate__(self, pickled: bytes) -> None:
        self._value, self._pickled = Once(), pickled


class Recent(Generic[Key, Value]):
    """The values used last, at most `limit`; for one thread at a time."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[Key, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Key, make: Callable[[Key], Value]) -> Value:
        """The value of `key`, made if it is not among them; the one used longest ago makes room."""
        if key not in self._values:
            self._values[key] = make(key)
        self._values.move_to_end(key)
        while len(self._values) > self._limit:
            self._values.popitem(last=False)
        return self._values[key]
