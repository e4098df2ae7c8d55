"""One epoch of an archive over HTTP and S3: requests, bytes and samples a second.

    python benchmarks/remote.py clips.dnerv [--delay 0.02] [--batch-size 8] [--threads N]

Starts an HTTP server and, where `moto` is installed, an S3 server on the loopback address, and reads every clip of 8
frames once, in random order, in batches: from the file, over HTTP, over S3. Requests and bytes are counted by the
servers (the S3 server's by a proxy of the same kind), opening included. `--delay`: seconds that every answer waits, as
a server far away would make it.
"""

from __future__ import annotations

import argparse
import http.client
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class RangeServer:
    """Files over HTTP on the loopback address: ranges, ETags, `If-Match`; it counts, and fails when told to.

    With `behind`, the URL of another server, every request goes there and is counted on its way.
    """

    def __init__(self, files: Mapping[str, bytes] | None = None, *, behind: str = "") -> None:
        self.files = dict(files or {})
        self.behind = urlsplit(behind)
        self.failures: list[int] = []  # statuses of the answers to come; 0 closes the connection in mid-answer
        self.gives_ranges = self.gives_etags = True
        self.delay = 0.0
        self.requests: list[tuple[str, int]] = []  # method and bytes of each answer
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                server._answer(self)

            do_HEAD = do_PUT = do_POST = do_DELETE = do_GET

            def log_message(self, *words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> RangeServer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def counted(self) -> tuple[int, int]:
        """Requests answered and bytes sent since it was last asked."""
        requests, self.requests = self.requests, []
        return len(requests), sum(sent for _, sent in requests)

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        time.sleep(self.delay)
        status, headers, body = self._failed() or (self._passed_on if self.behind.netloc else self._own)(request)
        self.requests.append((request.command, 0 if request.command == "HEAD" else len(body)))
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)
        if len(body) < int(headers["Content-Length"]) and request.command != "HEAD":
            request.close_connection = True

    def _failed(self) -> tuple[int, dict[str, str], bytes] | None:
        if not self.failures:
            return None
        status = self.failures.pop(0)
        return (status, {"Content-Length": "0"}, b"") if status else (200, {"Content-Length": "68"}, b"broken off")

    def _own(self, request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        data = self.files.get(urlsplit(request.path).path.lstrip("/"))
        if data is None:
            return 404, {"Content-Length": "0"}, b""
        tag = f'"{md5(data).hexdigest()}"' if self.gives_etags else ""
        headers = {"ETag": tag} if tag else {}
        if tag and request.headers.get("If-Match", tag) != tag:
            return 412, {"Content-Length": "0"}, b""
        span, status = request.headers.get("Range", ""), 200
        if self.gives_ranges:
            headers["Accept-Ranges"] = "bytes"
            if span:
                first, _, last = span.removeprefix("bytes=").partition("-")
                headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
                data, status = data[int(first) : int(last) + 1], 206
        return status, {**headers, "Content-Length": str(len(data))}, data

    def _passed_on(self, request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.behind.netloc)
        try:
            sent = request.rfile.read(int(request.headers.get("Content-Length", 0)))
            connection.request(request.command, request.path, sent, dict(request.headers))
            answer = connection.getresponse()
            body = answer.read()
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_THE_WAY}
            return answer.status, {"Content-Length": str(len(body)), **kept}, body
        finally:
            connection.close()


_OF_THE_WAY = ("connection", "transfer-encoding", "server", "date")


@contextmanager
def s3_server() -> Iterator[str]:
    """URL of an S3 server on the loopback address, and credentials for it in the environment."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
    before = dict(os.environ)
    os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1")
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()
        os.environ.clear()
        os.environ.update(before)


def put(endpoint: str, bucket: str, name: str, data: bytes) -> None:
    """Store an object."""
    import boto3

    client = boto3.client("s3", endpoint_url=endpoint)
    client.create_bucket(Bucket=bucket)
    client.put_object(Bucket=bucket, Key=name, Body=data)
    client.close()


def epoch(place: Any, options: argparse.Namespace, **storage: Any) -> tuple[int, float, float]:
    """Samples of an epoch, seconds to the first batch, and seconds in all; opening included."""
    import dnerv

    start, first, count = time.perf_counter(), 0.0, 0
    with dnerv.open(place, size="coded", **storage) as archive:
        loader = dnerv.Loader(
            archive, batch_size=options.batch_size, clip_length=8, shuffle=True, threads=options.threads, layers="base"
        )
        for clips, _, _ in loader:
            first = first or time.perf_counter() - start
            count += len(clips)
    return count, first, time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that every answer waits")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    data = options.archive.read_bytes()
    print(f"{options.archive.name}: {len(data):,} bytes; every answer waits {options.delay:g} s")
    print(f"{'from':6} {'samples':>8} {'requests':>9} {'bytes':>12} {'first batch':>12} {'samples/s':>10}")

    epoch(str(options.archive), options)  # imports, and the system's cache

    def row(name: str, server: RangeServer | None, place: str, **storage: Any) -> None:
        count, first, seconds = epoch(place, options, **storage)
        requests, sent = (0, 0) if server is None else server.counted()
        print(f"{name:6} {count:8,} {requests:9,} {sent:12,} {first:10.2f} s {count / seconds:10.1f}", flush=True)

    row("file", None, str(options.archive))
    with RangeServer({"a.dnerv": data}) as server:
        server.delay = options.delay
        row("http", server, f"{server.url}/a.dnerv")
    try:
        import moto  # noqa: F401
    except ImportError:
        print("s3: moto is not installed: pip install 'moto[server]'")
        return
    with s3_server() as endpoint, RangeServer(behind=endpoint) as proxy:
        put(endpoint, "bucket", "a.dnerv", data)
        proxy.delay = options.delay
        row("s3", proxy, "s3://bucket/a.dnerv", storage_options={"client_kwargs": {"endpoint_url": proxy.url}})


if __name__ == "__main__":
    main()
