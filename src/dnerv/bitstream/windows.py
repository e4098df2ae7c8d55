"""Bytes of a remote file that are at hand: fetched in few requests, kept as long as there is room.

    spans asked for     ██  ███      ██          known already: nothing is asked for
    requests            └─────┘      └┴──...     near ones joined; behind the last window read: twice as long

Reading on from where a window ended looks like reading a file from front to back, and doubles what is fetched.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from dnerv.bitstream.storage import Span
from dnerv.errors import ArchiveError

KEPT_BYTES = 64 << 20  # at hand at most, by default; those read last
NEAR_BYTES = 128 << 10  # spans as far apart are one request: it costs less than another answer's delay
MOST_AHEAD = 4 << 20  # bytes of one request that reads on

Fetch = Callable[[Sequence[Span]], Sequence[bytes]]  # all of them at once


class _Window:
    """Bytes `start` to `stop`: there, or on their way."""

    def __init__(self, start: int, stop: int) -> None:
        self.start, self.stop = start, stop
        self.data: Future[bytes] = Future()


class _Kept:
    """The windows of one process. They do not overlap."""

    def __init__(self) -> None:
        self.process, self.lock = os.getpid(), threading.Lock()
        self.starts: list[int] = []  # sorted
        self.windows: OrderedDict[int, _Window] = OrderedDict()  # by start, the one used last at the end
        self.bytes = 0

    def add(self, window: _Window) -> None:
        insort(self.starts, window.start)
        self.windows[window.start] = window
        self.bytes += window.stop - window.start

    def remove(self, window: _Window) -> None:
        if self.windows.get(window.start) is window:
            del self.windows[window.start]
            self.starts.remove(window.start)
            self.bytes -= window.stop - window.start

    def before(self, start: int) -> _Window | None:
        """The last that begins before `start`."""
        place = bisect_right(self.starts, start - 1) - 1
        return self.windows[self.starts[place]] if place >= 0 else None

    def between(self, start: int, stop: int) -> list[_Window]:
        """Those that hold bytes from `start` to `stop`, from first to last; used by this."""
        place = max(0, bisect_right(self.starts, start) - 1)
        found = []
        for at in self.starts[place : bisect_right(self.starts, stop - 1)]:
            if self.windows[at].stop > start:
                self.windows.move_to_end(at)
                found.append(self.windows[at])
        return found


class Windows:
    """What was fetched of a file. Threads may share it; a forked child begins with nothing."""

    def __init__(self, fetch: Fetch, size: int, *, kept_bytes: int = KEPT_BYTES) -> None:
        """`fetch`: gives bytes of the file, which has `size`, or raises."""
        self._fetch, self._size, self._limit = fetch, size, kept_bytes
        self._kept = _Kept()

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the file. Raises what fetching raises."""
        if length > self._limit // 4:  # would push all others out
            return self._fetch([(offset, length)])[0]
        windows = self._having([(offset, length)])
        pieces = [
            window.data.result()[max(0, offset - window.start) : offset + length - window.start] for window in windows
        ]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def prepare(self, spans: Sequence[Span]) -> None:
        """Fetch what of these is not there, near ones together and all at once. Raises what fetching raises."""
        self._having([span for span in spans if span[1] <= self._limit // 4])

    def forget(self) -> None:
        """Begin with nothing."""
        self._kept = _Kept()

    def _having(self, spans: Sequence[Span]) -> list[_Window]:
        """The windows that hold all of `spans`, which have been fetched or are on their way."""
        if self._kept.process != os.getpid():
            self._kept = _Kept()
        kept, wanted = self._kept, sorted((offset, offset + length) for offset, length in spans if length)
        with kept.lock:
            new = [_Window(*gap) for gap in self._gaps(kept, wanted)]
            for window in new:
                kept.add(window)
            found = {window.start: window for start, stop in wanted for window in kept.between(start, stop)}
            while kept.bytes > self._limit and len(kept.windows) > len(new):
                kept.remove(next(iter(kept.windows.values())))
        if new:
            self._fill(kept, new)
        return [found[start] for start in sorted(found)]

    def _gaps(self, kept: _Kept, wanted: Sequence[Span]) -> list[Span]:
        """From where to where must be fetched, for what is wanted from where to where."""
        gaps: list[Span] = []
        for start, stop in wanted:
            there = kept.between(start, stop)
            firsts, pasts = [start, *(w.stop for w in there)], [*(w.start for w in there), stop]
            for first, past in zip(firsts, pasts, strict=True):
                if first >= past:
                    continue
                if gaps and self._is_one(kept, gaps[-1][1], first):
                    gaps[-1] = gaps[-1][0], max(past, gaps[-1][1])
                else:
                    gaps.append((first, past))
        limits = [*(first for first, _ in gaps), self._size][1:]
        return [
            (first, self._further(kept, first, past, most)) for (first, past), most in zip(gaps, limits, strict=True)
        ]

    def _is_one(self, kept: _Kept, stop: int, start: int) -> bool:
        """Whether what ends at `stop` and what begins at `start` are fetched together."""
        return start <= stop or (start - stop <= NEAR_BYTES and not kept.between(stop, start))

    def _further(self, kept: _Kept, start: int, stop: int, most: int) -> int:
        """Where a request ends that may go on to `most`: beyond `stop` where it goes on behind a window."""
        before = kept.before(start)
        if before is None or before.stop != start:
            return stop
        after = kept.starts[bisect_right(kept.starts, start) :][:1]
        ahead = min(2 * (start - before.start), MOST_AHEAD, self._limit // 4)
        return max(stop, min(start + ahead, most, *after))

    def _fill(self, kept: _Kept, windows: Sequence[_Window]) -> None:
        try:
            fetched = self._fetch([(window.start, window.stop - window.start) for window in windows])
        except BaseException as error:
            with kept.lock:
                for window in windows:
                    kept.remove(window)
            told = error if isinstance(error, Exception) else ArchiveError("reading was broken off")
            for window in windows:
                window.data.set_exception(told)  # for threads that wait for them
            raise
        for window, data in zip(windows, fetched, strict=True):
            window.data.set_result(data)
