"""The server: an archive's pages and clips, for browsers on this machine alone.

- It listens on the loopback address, and answers only requests that name it: a page of another site that has its own
  name point here gets nothing (DNS rebinding), nor may it show or fetch what is here.
- It only reads. Videos are addressed by their places; no name and no path of a request reaches the file system.
- Clips are sent in the parts that a browser asks for, which is how browsers seek.
"""

from __future__ import annotations

import os
import re
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from dnerv.archive import Archive, Layers
from dnerv.errors import DnervError, InputError
from dnerv.serving import pages
from dnerv.serving.clips import Clip, Clips
from dnerv.serving.listing import listing

ADDRESS = "127.0.0.1"
DEFAULT_PORT = 8000
_LONGEST_QUERY = 2000  # characters of a request's address
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; media-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class ArchiveServer(ThreadingHTTPServer):
    """Serves one archive until it is shut down. Use it in a `with` statement, or close it with `server_close`."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, path: str | os.PathLike[str], *, port: int = DEFAULT_PORT, layers: Layers = "all") -> None:
        """Open the archive at `path`, and listen.

        Args:
            port: 0 for any that is free.
            layers: "base" shows videos without the network.

        Raises:
            ArchiveError, InputError: as `Archive`; InputError also where the port cannot be had.
        """
        self.archive = Archive(path, layers=layers, size="coded")
        self.clips = Clips(self.archive)
        try:
            super().__init__((ADDRESS, port), _Handler)
        except (OSError, OverflowError) as error:
            self.archive.close()
            reason = getattr(error, "strerror", None) or error
            raise InputError(
                f"port {port} of {ADDRESS} cannot be had ({reason}); --port 0 takes any that is free"
            ) from None

    @property
    def url(self) -> str:
        """Where the first page is."""
        return f"http://{ADDRESS}:{self.server_port}/"

    @property
    def hosts(self) -> frozenset[str]:
        """What a request may call this server."""
        names = frozenset(f"{name}:{self.server_port}" for name in (ADDRESS, "localhost"))
        return names | {ADDRESS, "localhost"} if self.server_port == 80 else names

    def server_bind(self) -> None:
        """Without asking a name server for this machine's name."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, self.server_address[1]

    def server_close(self) -> None:
        """Stop listening, and close the archive."""
        super().server_close()
        self.archive.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Browsers break connections off whenever they seek: nothing is wrong then."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "dnerv", ""
    timeout = 60  # seconds that a browser may keep a connection without a request

    @property
    def _archive(self) -> Archive:
        return self._server.archive

    @property
    def _server(self) -> ArchiveServer:
        return cast(ArchiveServer, self.server)

    def do_GET(self) -> None:
        """Answer a request."""
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or hosts[0].lower() not in self._server.hosts:
            self._say(HTTPStatus.MISDIRECTED_REQUEST, f"this is {self._server.url}, and answers to no other name")
            return
        try:
            self._answer()
        except DnervError as error:
            self._say(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))

    do_HEAD = do_GET

    def _answer(self) -> None:
        if len(self.path) > _LONGEST_QUERY:
            self._say(HTTPStatus.REQUEST_URI_TOO_LONG, f"at most {_LONGEST_QUERY} characters are looked at")
            return
        address = urlsplit(self.path)
        place = re.fullmatch(r"/(video|clip)/([0-9]{1,9})(\.mp4)?", address.path)
        if address.path == "/":
            asked = parse_qs(address.query, errors="replace")
            text, start = (asked.get(key, [""])[0] for key in ("q", "from"))
            first = int(start) if re.fullmatch(r"[0-9]{1,15}", start) else 0
            self._send_page(pages.list_page(self._archive, listing(self._archive, first, text), text))
        elif address.path == "/page.css":
            self._send(HTTPStatus.OK, pages.style().encode(), "text/css; charset=utf-8")
        elif place is None or (place[1] == "clip") != (place[3] is not None):
            self._say(HTTPStatus.NOT_FOUND, "there is no such page")
        elif int(place[2]) >= len(self._archive):
            self._say(
                HTTPStatus.NOT_FOUND, f"the archive has {len(self._archive):,} videos, and none at place {place[2]}"
            )
        elif place[1] == "clip":
            self._send_clip(self._server.clips.open(int(place[2])))
        else:
            self._send_video(int(place[2]))

    def _send_video(self, place: int) -> None:
        clips, entry = self._server.clips, self._archive.entries[place]
        reason = clips.why_preview(place)
        self._send_page(pages.video_page(self._archive, place, entry, reason, clips.preview_frames(entry)))

    def _send_clip(self, clip: Clip) -> None:
        span = _asked_range(self.headers.get("Range"), clip.size)
        if span is None:
            self._begin(
                HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "video/mp4", 0, {"Content-Range": f"bytes */{clip.size}"}
            )
            return
        start, stop = span
        facts = {"Accept-Ranges": "bytes"}
        status = HTTPStatus.OK
        if self.headers.get("Range") and (start, stop) != (0, clip.size):
            status = HTTPStatus.PARTIAL_CONTENT
            facts["Content-Range"] = f"bytes {start}-{stop - 1}/{clip.size}"
        self._begin(status, "video/mp4", stop - start, facts)
        if self.command == "HEAD":
            return
        try:
            for data in clip.read(start, stop):
                self.wfile.write(data)
        except DnervError:
            self.close_connection = True  # what was promised does not come: the browser sees the file end early

    def _send_page(self, html: str) -> None:
        self._send(HTTPStatus.OK, html.encode(), "text/html; charset=utf-8")

    def _say(self, status: HTTPStatus, reason: str) -> None:
        """A page with an error; the connection ends with it."""
        self.close_connection = True
        self._send(status, pages.error_page(status.phrase, reason).encode(), "text/html; charset=utf-8")

    def _send(self, status: HTTPStatus, data: bytes, kind: str) -> None:
        self._begin(status, kind, len(data))
        if self.command != "HEAD":
            self.wfile.write(data)

    def _begin(self, status: HTTPStatus, kind: str, length: int, further: dict[str, str] | None = None) -> None:
        self.send_response(status)
        facts = {"Content-Type": kind, "Content-Length": str(length), **_HEADERS, **(further or {})}
        if self.close_connection:
            facts["Connection"] = "close"
        for name, value in facts.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is said of requests."""


def _asked_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the one past the last of a request; the whole file for what is not one range. None: outside."""
    match = re.fullmatch(r"bytes=([0-9]{0,18})-([0-9]{0,18})", (header or "").replace(" ", ""))
    if match is None or match[0] == "bytes=-":
        return 0, size
    if not match[1]:
        last = min(int(match[2]), size)
        return (size - last, size) if last else None
    start, stop = int(match[1]), int(match[2]) + 1 if match[2] else size
    if match[2] and stop <= start:
        return 0, size
    return (start, min(stop, size)) if start < size else None
