"""A real server on a port that is free, asked as browsers and as others ask."""

import re
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from html import unescape
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from io import BytesIO
from pathlib import Path
from threading import Thread

import av
import numpy as np
import pytest

from dnerv.archive import Archive
from dnerv.cli.commands.serve import COMMAND
from dnerv.cli.parsing import UsageError, parse
from dnerv.codecs.colour import ColourConverter
from dnerv.errors import ArchiveError, InputError
from dnerv.serving import ArchiveServer
from dnerv.serving.listing import listing
from dnerv.serving.pages import list_page
from dnerv.serving.server import _asked_range
from dnerv.video import VideoSource

GOLDEN = Path(__file__).parents[1] / "golden" / "own.dnerv"


@contextmanager
def asked(server: ArchiveServer, path: str, method: str = "GET", **headers: str) -> Iterator[HTTPResponse]:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    connection.request(method, path, headers={key.replace("_", "-"): value for key, value in headers.items()})
    with closing(connection), connection.getresponse() as response:
        yield response


def ask(server: ArchiveServer, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    with asked(server, path, method, **headers) as response:
        return response, response.read()


def text_of(server: ArchiveServer, path: str) -> str:
    response, data = ask(server, path)
    assert response.status == 200
    return data.decode()


def decoded(data: bytes) -> tuple[list[av.VideoFrame], str]:
    with av.open(BytesIO(data)) as container:
        return list(container.decode(video=0)), container.streams.video[0].codec_context.name


def test_the_list_has_pages(server: ArchiveServer) -> None:
    first = text_of(server, "/")
    assert "Videos 1 to 50 of 115, by name" in first
    assert "115 videos" in first
    places = [int(n) for page in ("/", "/?from=50", "/?from=100") for n in links(text_of(server, page))]
    assert places == list(range(115))
    assert 'rel=next href="/?from=50"' in first
    assert 'rel=last href="/?from=100"' in first
    assert "rel=next" not in text_of(server, "/?from=100")
    beyond = text_of(server, "/?from=999999")  # no error, and a way back
    assert "Past the last of 115 videos" in beyond
    assert links(beyond) == []
    assert 'rel=first href="/"' in beyond
    assert "Videos 1 to 50" in text_of(server, "/?from=-3&from=x")


def test_a_few_videos_are_one_page_with_a_way_back_to_it() -> None:
    with Archive(GOLDEN) as archive:
        there = list_page(archive, listing(archive), "")
        beyond = list_page(archive, listing(archive, 100), "")
    assert "Videos 1 to 3 of 3, by name" in there
    assert "class=pager" not in there
    assert "Past the last of 3 videos" in beyond
    assert 'rel=first href="/"' in beyond


def links(page: str) -> list[str]:
    return re.findall(r'<a href="/video/([0-9]+)">', page)


def test_a_search_looks_at_names_and_labels(server: ArchiveServer) -> None:
    found = text_of(server, "/?q=PLAIN")
    assert len(links(found)) == 50
    (onward,) = re.findall(r'rel=next href="([^"]+)"', found)
    rest = links(text_of(server, unescape(onward)))
    assert set(links(found)).isdisjoint(rest)
    assert len(rest) == 50
    assert links(text_of(server, "/?q=plain/00")) == links(found)[:10]
    assert len(links(text_of(server, "/?q=L%3CB"))) == 1  # a label
    nothing = text_of(server, "/?q=" + "%22%3E%3Cscript%3E")
    assert links(nothing) == []
    assert 'value="&quot;&gt;&lt;script&gt;"' in nothing


def test_names_are_text_and_nothing_else(server: ArchiveServer) -> None:
    page = text_of(server, "/")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "a &quot;quoted&quot; &amp; b" in page
    last = text_of(server, "/?from=100")
    assert "über/😀" in last
    assert "\\udcff\\u202e" in last  # what turns text around does not
    assert "l&lt;b&gt;&quot;" in page
    for place in links(page)[:8]:
        assert "<script" not in text_of(server, f"/video/{place}")


def test_a_clip_is_the_archives_packets(server: ArchiveServer, served_path: Path) -> None:
    page = text_of(server, "/video/0")
    assert "not coded again" in page
    response, data = ask(server, "/clip/0.mp4")
    assert (response.status, response.headers["Content-Type"]) == (200, "video/mp4")
    frames, codec = decoded(data)
    assert codec == "libdav1d"
    with Archive(served_path) as archive:
        reader = archive.reader(archive.entries[0])
        converter = ColourConverter(archive.config.formats[0].planes)
        for frame, wanted in zip(frames, reader, strict=True):
            np.testing.assert_array_equal(converter.to_rgb(frame), wanted.permute(1, 2, 0).numpy())
        assert [frame.time for frame in frames] == pytest.approx(reader.entry.timing.seconds.tolist())


def test_parts_of_a_clip(server: ArchiveServer) -> None:
    _, whole = ask(server, "/clip/3.mp4")
    for span, (start, stop) in {
        "bytes=0-": (0, len(whole)),
        "bytes=0-0": (0, 1),
        "bytes=100-999999": (100, len(whole)),
        "bytes=-7": (len(whole) - 7, len(whole)),
    }.items():
        response, data = ask(server, "/clip/3.mp4", Range=span)
        assert data == whole[start:stop]
        if span != "bytes=0-":
            assert response.status == 206
            assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(whole)}"
    response, data = ask(server, "/clip/3.mp4", Range=f"bytes={len(whole)}-")
    assert (response.status, data, response.headers["Content-Range"]) == (416, b"", f"bytes */{len(whole)}")
    response, data = ask(server, "/clip/3.mp4", "HEAD")
    assert (response.status, data, response.headers["Content-Length"]) == (200, b"", str(len(whole)))


def test_ranges() -> None:
    assert _asked_range(None, 10) == (0, 10)
    assert _asked_range("bytes=2-3", 10) == (2, 4)
    assert _asked_range("bytes=-20", 10) == (0, 10)
    assert _asked_range("bytes=-0", 10) is None
    assert _asked_range("bytes=10-", 10) is None
    for nonsense in ("bytes=-", "bytes=5-2", "bytes=1-2,4-5", "lines=1-2", "bytes=a-b"):
        assert _asked_range(nonsense, 10) == (0, 10)


def test_blends_are_previewed(server: ArchiveServer, tmp_path: Path) -> None:
    place = server.archive.place_of("blended")
    page = text_of(server, f"/video/{place}")
    assert "A preview: all of its frames, coded as H.264 just now, since some of its frames are blends" in page
    _, data = ask(server, f"/clip/{place}.mp4")
    frames, codec = decoded(data)
    assert (codec, len(frames)) == ("h264", 9)
    with av.open(BytesIO(data)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.sample_aspect_ratio) == (80, 64, 2)
    (tmp_path / "clip.mp4").write_bytes(data)
    shown = [frame.astype(float) for _, frame in VideoSource(tmp_path / "clip.mp4").frames()]
    errors = [
        np.abs(a - b.permute(1, 2, 0).numpy()).mean() for a, b in zip(shown, server.archive["blended"], strict=True)
    ]
    assert max(errors) < 15  # of coarse coloured blocks; another frame is 60 away
    assert ask(server, f"/clip/{place}.mp4")[1] == data  # kept


def test_other_names_for_this_machine_get_nothing(server: ArchiveServer) -> None:
    port = server.server_port
    for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1:{port + 1}", "127.0.0.1", "", "localhost"):
        response, data = ask(server, "/clip/0.mp4", Host=host)
        assert response.status == 421
        assert b"<video" not in data
    assert ask(server, "/", Host=f"LocalHost:{port}")[0].status == 200


def test_answers_stay_on_this_page(server: ArchiveServer) -> None:
    for path in ("/", "/video/0", "/clip/0.mp4", "/page.css", "/none"):
        headers = ask(server, path)[0].headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/clip/../../etc/passwd",
        "/clip/%2e%2e%2fetc%2fpasswd.mp4",
        "/clip/115.mp4",
        "/clip/1",
        "/video/1.mp4",
        "/video/-1",
        "/video/٣",
        "/video/99999999999",
        "//evil.example/",
        "/page.html",
        "/video/0/",
    ],
)
def test_there_is_nothing_else(server: ArchiveServer, path: str) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as connection:
        lines = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\n\r\n"
        connection.sendall(lines.encode())
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert answer.startswith(b"HTTP/1.1 404 ")


def test_it_only_reads(server: ArchiveServer) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert ask(server, "/", method)[0].status == 501
    assert ask(server, "/?q=" + "x" * 3000)[0].status == 414


def test_it_listens_on_the_loopback_address_alone(server: ArchiveServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert server.url == f"http://127.0.0.1:{server.server_port}/"


def test_a_damaged_video_does_not_end_the_server(served_path: Path, tmp_path: Path) -> None:
    data = bytearray(served_path.read_bytes())
    with Archive(served_path) as archive:
        places = [archive.place_of(name) for name in ("blended", "clip.mp4")]
        for place in places:
            data[archive.entries[place].offset + archive.entries[place].num_bytes - 1] ^= 1
    (tmp_path / "bad.dnerv").write_bytes(data)
    with ArchiveServer(tmp_path / "bad.dnerv", port=0) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        response, body = ask(server, f"/clip/{places[0]}.mp4")
        assert response.status == 500
        assert b"checksum" in body
        # The size of a clip is told before its packets are read: here it is the connection that breaks off.
        with asked(server, f"/clip/{places[1]}.mp4") as response, pytest.raises(IncompleteRead):
            response.read()
        assert ask(server, "/")[0].status == 200
        server.shutdown()


def test_what_cannot_be_served(server: ArchiveServer, served_path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"port .* cannot be had .*--port 0"):
        ArchiveServer(served_path, port=server.server_port)
    (tmp_path / "none.dnerv").write_bytes(b"no archive")
    with pytest.raises(ArchiveError):
        ArchiveServer(tmp_path / "none.dnerv", port=0)
    with pytest.raises(UsageError, match="port"):
        parse(COMMAND.takes, ["a.dnerv", "--port", "70000"])
