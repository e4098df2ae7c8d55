"""A `.dnerv` file behind a URL, read through fsspec: "https://", "s3://", "hf://" and whatever else it knows.

    reads ── windows (what is at hand) ── requests, tried again where they fail ── fsspec ── object

What is read is of the object that was opened: HTTP and S3 are asked for the ETag that was found then, and where a read
fails, length and ETag, or what else a file system has of the kind, are looked at again. fsspec is imported on use.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar
from weakref import WeakSet

from dnerv.bitstream.storage import Opener, Replaced, Span, name_of
from dnerv.bitstream.windows import Windows
from dnerv.errors import ArchiveError, DnervError, InputError

PAUSES = (0.1, 0.3, 1.0, 3.0)  # seconds between tries, half to one and a half times as long
_HTTP, _AT_ONCE = {"http", "https"}, 16
_CONNECT_SECONDS, _ANSWER_SECONDS = 10, 30  # over HTTP; for S3 there are such limits already
_TRY_LATER = (408, 425, 429)  # HTTP statuses below 500 after which trying again may help
_TAGS = ("ETag", "etag", "blob_id", "md5", "md5Hash", "Last-Modified", "LastModified", "mtime", "created")
Value = TypeVar("Value")


class RemoteFile:
    """An object behind a URL, as it was when it was opened. Threads may share it; see `Storage`."""

    is_remote = True

    def __init__(self, url: str, options: Mapping[str, Any] | None = None) -> None:
        """Look whether it is there: one request. `options`: of fsspec's file system.

        Raises OSError where it is not there, ArchiveError where it cannot be read in parts, InputError where a package
        is missing for it.
        """
        self.name = name_of(url)
        self._url, self._options = url, dict(options or {})
        self.anew: Opener = partial(RemoteFile, url, self._options)
        self._connection: _Connection | None = self._connected_anew()
        self.size = self._connection.size
        self._windows = Windows(self._fetch, self.size)

    def read(self, offset: int, length: int) -> bytes:
        """See `Storage.read`."""
        return self._windows.read(offset, length)

    def prepare(self, spans: Sequence[Span]) -> None:
        """See `Storage.prepare`."""
        self._windows.prepare(spans)

    def close(self) -> None:
        """Let go of what was read. Connections belong to fsspec, which has them for the next archive."""
        self._connection = None
        self._windows.forget()

    def _connected_anew(self) -> _Connection:
        return _persistently(lambda: _Connection(self._url, self.name, self._options))

    def _connected(self) -> _Connection:
        mine = self._connection
        if mine is None:
            raise ValueError(f"{self.name} is closed")
        if mine.process != os.getpid():  # in a forked process, where fsspec's threads are not
            anew = self._connected_anew()
            if anew.facts != mine.facts:
                raise Replaced("it has been replaced")
            self._connection = mine = anew
        return mine

    def _fetch(self, spans: Sequence[Span]) -> Sequence[bytes]:
        """The bytes of each span, all of them asked for at once."""
        connection, found = self._connected(), dict[Span, bytes]()

        def fetch() -> None:
            missing = [span for span in spans if span not in found]
            answers = connection.read(missing)
            found.update((span, each) for span, each in zip(missing, answers, strict=True) if isinstance(each, bytes))
            failed = next((each for each in answers if not isinstance(each, bytes)), None)
            if failed is not None:
                self._check_same(connection)
                raise failed

        _persistently(fetch)
        return [found[span] for span in spans]

    def _check_same(self, connection: _Connection) -> None:
        """Raise Replaced where the URL is of another object by now."""
        try:
            anew = _Connection(self._url, self.name, self._options)
        except Exception:  # what is the matter is told by what failed before
            return
        if anew.facts != connection.facts:
            raise Replaced("it has been replaced")


class _Connection:
    """One process's way to an object, as it is at this moment. The file system is shared with others of its options."""

    def __init__(self, url: str, name: str, options: Mapping[str, Any]) -> None:
        """Raises what the file system raises; InputError where it cannot be had."""
        self.process = os.getpid()
        self._system, self._path = _file_system(url, name, options)
        self._system.invalidate_cache(self._path)
        self._file = _file_of_ranges(self._system, self._path)
        known = self._system.info(self._path) if self._file is None else self._file.details
        if known.get("type") == "directory":
            raise ArchiveError("is a folder")
        if known.get("size") is None:
            raise ArchiveError("the server does not say how many bytes it has")
        if known.get("partial") is False:
            raise _no_ranges()
        self.size = int(known["size"])
        self.facts = (self.size, next((str(known[tag]) for tag in _TAGS if known.get(tag)), ""))  # of one state
        self._asked = _asked_of_http(self._system, str(known.get("ETag") or ""))
        _connections.add(self)

    def read(self, spans: Sequence[Span]) -> list[bytes | Exception]:
        """The bytes of each span, or what went wrong with it."""
        if self._file is not None:
            return _side_by_side(self._span_of_file, spans)
        starts, stops = [offset for offset, _ in spans], [offset + length for offset, length in spans]
        answers = self._system.cat_ranges([self._path] * len(spans), starts, stops, on_error="return", **self._asked)
        return [_checked(answer, length) for answer, (_, length) in zip(answers, spans, strict=True)]

    def _span_of_file(self, span: Span) -> bytes | Exception:
        offset, length = span
        try:
            return _checked(self._file.cache.fetcher(offset, offset + length), length)
        except Exception as error:
            return error


def _file_of_ranges(system: Any, path: str) -> Any:
    """A file whose parts are fetched one by one, where that is better than asking the file system; else None.

    S3's ask for the ETag that they were opened at. File systems without several requests at once (Hugging Face's) read
    some MiB ahead, unless they are told not to.
    """
    if getattr(system, "async_impl", False) and "s3" not in _protocols(system):
        return None
    file = system.open(path, "rb", cache_type="none")
    if hasattr(file, "details") and hasattr(getattr(file, "cache", None), "fetcher"):
        return file
    file.close()
    return None


def _side_by_side(read: Callable[[Span], bytes | Exception], spans: Sequence[Span]) -> list[bytes | Exception]:
    if len(spans) == 1:
        return [read(spans[0])]
    with ThreadPoolExecutor(min(_AT_ONCE, len(spans))) as threads:
        return [*threads.map(read, spans)]


def _asked_of_http(system: Any, tag: str) -> dict[str, Any]:
    """What requests over HTTP say: the bytes as they are, and of this ETag; a weak one is not of bytes."""
    if not _HTTP & _protocols(system):
        return {}
    same = {"If-Match": tag} if tag and not tag.startswith("W/") else {}
    return {"headers": {**system.kwargs.get("headers", {}), "Accept-Encoding": "identity", **same}}


_connections: WeakSet[_Connection] = WeakSet()
_of_parents: list[_Connection] = []


def _keep_those_of_the_parent() -> None:
    # Their sockets, closed here, would be taken out of the event loop of the parent: both processes have one epoll.
    _of_parents.extend(_connections)


os.register_at_fork(after_in_child=_keep_those_of_the_parent)


def expand_url(url: str, options: Mapping[str, Any] | None = None) -> list[str]:
    """URLs of what matches a URL with `*` in it, sorted. Raises OSError, InputError."""
    system, path = _file_system(url, name_of(url), options or {})
    return sorted(system.unstrip_protocol(found) for found in _persistently(lambda: system.glob(path)))


def _file_system(url: str, name: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """fsspec's file system for a URL, and the URL's path in it."""
    try:
        import fsspec
    except ImportError:
        raise InputError(f"{name}: remote archives need the extra: pip install 'dnerv[remote]'") from None
    try:
        if url.partition(":")[0].lower() in _HTTP and "client_kwargs" not in options:
            from aiohttp import ClientTimeout

            limits = ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_ANSWER_SECONDS)
            options = {**options, "client_kwargs": {"timeout": limits}}
        system, path = fsspec.url_to_fs(url, **options)
    except ImportError as error:
        raise InputError(f"{name}: {error}; the extra pip install 'dnerv[remote]' has it for S3 and HTTP") from error
    except (ValueError, TypeError) as error:
        raise InputError(f"{name}: {error}") from error
    return system, path


def _protocols(system: Any) -> set[str]:
    return {system.protocol} if isinstance(system.protocol, str) else set(system.protocol)


def _checked(answer: bytes | Exception, length: int) -> bytes | Exception:
    if isinstance(answer, Exception) or len(answer) == length:
        return answer
    if len(answer) > length:
        return _no_ranges()
    return OSError(f"{len(answer)} bytes came where {length} were asked for")


def _no_ranges() -> ArchiveError:
    return ArchiveError("the server does not give parts of a file, which reading needs: download the archive")


def _persistently(attempt: Callable[[], Value]) -> Value:
    """What `attempt` gives, at the latest in its fifth try. Raises OSError."""
    for pause in (*PAUSES, None):
        try:
            return attempt()
        except DnervError:
            raise
        except Exception as error:
            if pause is None or _is_final(error):
                raise _named(error) from error
            time.sleep(pause * random.uniform(0.5, 1.5))
    raise AssertionError


def _is_final(error: Exception) -> bool:
    status = _status(error)
    if status is not None:
        return 400 <= status < 500 and status not in _TRY_LATER
    if isinstance(error, FileNotFoundError):  # said of HTTP whatever went wrong
        return not type(error.__cause__).__module__.startswith("aiohttp")
    return isinstance(error, PermissionError | IsADirectoryError | ValueError | TypeError | NotImplementedError)


def _status(error: Exception) -> int | None:
    """Of an HTTP answer, where the error is of one."""
    for each in (error, error.__cause__):
        status = getattr(each, "status", None)
        if isinstance(status, int):
            return status
    return None


def _named(error: Exception) -> OSError:
    status = _status(error)
    if status == 404 or (status is None and isinstance(error, FileNotFoundError) and _is_final(error)):
        return FileNotFoundError("no such file")
    if status is not None:
        return OSError(f"the server answers {status}")  # without its words, which repeat the whole URL
    cause = error.__cause__ if isinstance(error, FileNotFoundError) and error.__cause__ is not None else error
    return OSError(str(cause) or type(cause).__name__)
