"""Containers behind URLs, from servers on the loopback address: few requests, tried again, never another file's."""

from __future__ import annotations

import multiprocessing
import pickle
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from remote import RangeServer, put, s3_server

from dnerv.bitstream import Container, changed_container, new_container, remote
from dnerv.bitstream.header import HEADER_SIZE
from dnerv.bitstream.remote import expand_url
from dnerv.bitstream.storage import is_url, name_of
from dnerv.errors import ArchiveError, InputError

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("aiohttp")

KINDS = ("NETW", "CONF")
WEIGHTS, PACKETS = bytes(range(200)), bytes(reversed(range(256))) * 4


def written(path: Path, configuration: bytes = b"configuration", weights: bytes = WEIGHTS) -> Path:
    with new_container(path, force=True) as appender:
        first = appender.section("NETW", weights)
        appender.append(PACKETS)
        appender.commit([first, appender.section("CONF", configuration)])
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path / "a.dnerv")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PAUSES", (0.001,) * 4)


@pytest.fixture
def server(path: Path) -> Iterator[RangeServer]:
    with RangeServer({"a.dnerv": path.read_bytes()}) as running:
        yield running


@pytest.fixture
def url(server: RangeServer) -> str:
    return f"{server.url}/a.dnerv"


def packets(opened: Container, first: int = 0, past: int = len(PACKETS)) -> bytes:
    return opened.read_at(HEADER_SIZE + len(WEIGHTS) + first, past - first)


def test_opening_is_a_look_and_two_reads_and_each_read_a_request(server: RangeServer, url: str, path: Path) -> None:
    with Container.open(url, KINDS) as opened, Container.open(path, KINDS) as local:
        assert opened.read("CONF") == b"configuration"
        assert server.requests == [("HEAD", 0), ("GET", HEADER_SIZE), ("GET", opened.size - opened.slot.start)]
        assert (opened.identity, opened.sizes, opened.name) == (local.identity, local.sizes, url)
        assert (opened.is_remote, local.is_remote) == (True, False)
        server.counted()
        assert packets(opened, 100, 200) == PACKETS[100:200]
        assert packets(opened, 120, 200) == PACKETS[120:200]
        assert server.counted() == (1, 100)
        opened.prepare([(HEADER_SIZE + len(WEIGHTS) + first, 10) for first in (900, 300, 910)])
        assert (packets(opened, 300, 310), packets(opened, 905, 920)) == (PACKETS[300:310], PACKETS[905:920])
        assert server.counted() == (1, 620)
        assert opened.verify() == [("NETW", True), ("CONF", True)]
        with pytest.raises(InputError, match="needs a local file"):
            _ = opened.path


def test_what_fails_is_tried_again(server: RangeServer, url: str) -> None:
    server.failures = [503, 0, 500]  # of the look, and a connection that is closed within the answer
    with Container.open(url, KINDS) as opened:
        server.failures = [429, 503]
        assert packets(opened) == PACKETS
        assert not server.failures


@pytest.mark.parametrize(("status", "tries", "words"), [(503, 5, "answers 503"), (403, 1, "answers 403")])
def test_what_goes_on_failing_is_told_once(server: RangeServer, url: str, status: int, tries: int, words: str) -> None:
    with Container.open(url, KINDS) as opened:
        server.counted()
        server.failures = [status] * 100
        with pytest.raises(ArchiveError, match=rf"^{url}: cannot be read: the server {words}$"):
            packets(opened)
        assert [method for method, _ in server.requests].count("HEAD") <= tries
        server.failures = []
        assert packets(opened) == PACKETS


def test_where_nothing_is(server: RangeServer, url: str) -> None:
    with pytest.raises(ArchiveError, match=f"^{server.url}/b.dnerv: no such file$"):
        Container.open(f"{server.url}/b.dnerv", KINDS)
    with pytest.raises(ArchiveError, match=r"^http://127\.0\.0\.1:1/a\.dnerv: cannot be read: Cannot connect"):
        Container.open("http://127.0.0.1:1/a.dnerv", KINDS)
    server.files["a.dnerv"] = b"<html>"
    with pytest.raises(ArchiveError, match="not a dnerv archive"):
        Container.open(url, KINDS)
    server.files["a.dnerv"] = b""
    with pytest.raises(ArchiveError, match=r"the file is empty|does not say how many bytes"):
        Container.open(url, KINDS)


def test_a_truncated_file_is_refused(server: RangeServer, url: str) -> None:
    server.files["a.dnerv"] = server.files["a.dnerv"][:-1]
    with pytest.raises(ArchiveError, match="truncated"):
        Container.open(url, KINDS)


def test_a_server_without_ranges_is_refused(server: RangeServer, url: str) -> None:
    server.gives_ranges = False
    with pytest.raises(ArchiveError, match="does not give parts of a file"):
        Container.open(url, KINDS)


@pytest.mark.parametrize("weights", [WEIGHTS[::-1], bytes(400), b""])
def test_another_file_is_never_read_as_the_one_that_was_opened(
    server: RangeServer, url: str, path: Path, weights: bytes
) -> None:
    """As long, longer, shorter."""
    with Container.open(url, KINDS) as opened:
        pickled = pickle.dumps(opened)
        server.files["a.dnerv"] = written(path, weights=weights).read_bytes()
        replaced = f"^{url}: the archive has been replaced since it was opened; open it anew$"
        for _ in range(2):
            with pytest.raises(ArchiveError, match=replaced):
                opened.read("NETW")
            with pytest.raises(ArchiveError, match=replaced):
                opened.prepare([(HEADER_SIZE, 10)])
        with pytest.raises(ArchiveError, match=replaced):
            pickle.loads(pickled)
        with Container.open(url, KINDS) as again:
            assert again.read("NETW") == weights


def test_without_etags_damage_is_looked_into(server: RangeServer, url: str, path: Path) -> None:
    server.gives_etags = False
    with Container.open(url, KINDS) as opened:
        server.files["a.dnerv"] = written(path, weights=WEIGHTS[::-1]).read_bytes()
        with pytest.raises(ArchiveError, match="checksum of section NETW") as damaged:
            opened.read("NETW")
        with pytest.raises(ArchiveError, match="has been replaced") as replaced:
            opened.check_same(damaged.value)
        server.counted()
        opened.check_same(replaced.value)  # is said already
        server.failures = [503] * 100
        with pytest.raises(ArchiveError, match="answers 503") as failed:
            packets(opened)
        server.failures = []
        server.counted()
        opened.check_same(failed.value)  # is no damage
        assert server.counted() == (0, 0)
        server.failures = [503] * 100
        opened.check_same(ArchiveError("damaged, and the server cannot be asked"))


def test_a_file_that_was_added_to_is_read_on(server: RangeServer, url: str, path: Path) -> None:
    with Container.open(url, KINDS) as opened:
        pickled = pickle.dumps(opened)
        with changed_container(path) as appender:
            appender.commit([appender.section("CONF", b"new")])
        server.files["a.dnerv"] = path.read_bytes()
        assert packets(opened) == PACKETS
        assert opened.read("CONF") == b"configuration"
        with pickle.loads(pickled) as again:
            assert again.read("NETW") == WEIGHTS
        with Container.open(url, KINDS) as newest:
            assert newest.read("CONF") == b"new"


def test_a_file_that_is_replaced_while_it_opens(server: RangeServer, url: str, path: Path) -> None:
    look = server.files["a.dnerv"]
    server.files["a.dnerv"] = written(path, b"another configuration").read_bytes()
    replaced = server.files["a.dnerv"]

    class Changing(dict[str, bytes]):
        """The first answer is of the file that was there before."""

        asked = 0

        def get(self, key: str, default: Any = None) -> Any:
            self.asked += 1
            return look if self.asked == 1 else replaced

    server.files = Changing()
    with Container.open(url, KINDS) as opened:
        assert opened.read("CONF") == b"another configuration"


def read_packets(opened: Container) -> bytes:
    return packets(opened)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_it_travels_to_other_processes(url: str, way: str) -> None:
    with Container.open(url, KINDS) as opened:
        assert packets(opened, 0, 10) == PACKETS[:10]
        with multiprocessing.get_context(way).Pool(1) as pool:
            assert pool.apply(read_packets, (opened,)) == PACKETS
        assert packets(opened) == PACKETS


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_a_connection_of_its_own(url: str) -> None:
    with Container.open(url, KINDS) as opened:
        packets(opened, 0, 10)
        context = multiprocessing.get_context("fork")
        answers = context.SimpleQueue()
        children = [context.Process(target=lambda: answers.put(packets(opened))) for _ in range(2)]
        for child in children:
            child.start()
        assert packets(opened) == PACKETS
        assert [answers.get() for _ in children] == [PACKETS] * 2
        for child in children:
            child.join()
        assert opened.read("NETW") == WEIGHTS


def test_threads_read_at_once(url: str) -> None:
    with Container.open(url, KINDS) as opened:
        wrong: list[int] = []

        def read(first: int) -> None:
            for past in range(first + 1, first + 50):
                if packets(opened, first, past) != PACKETS[first:past]:
                    wrong.append(first)

        threads = [threading.Thread(target=read, args=(first,)) for first in range(0, 800, 100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong


def test_handles_do_not_grow_with_what_was_opened(server: RangeServer, url: str) -> None:
    def once() -> int:
        with Container.open(url, KINDS) as opened:
            packets(opened)
        with pytest.raises(ArchiveError):
            Container.open(f"{server.url}/b.dnerv", KINDS)
        with pytest.raises(ValueError, match="is closed"):
            packets(opened)
        return len([*Path("/proc/self/fd").iterdir()])

    once()  # fsspec keeps a connection or two, for the next
    assert max(once() for _ in range(10)) <= once() + 2


def test_any_file_system_of_fsspec_does(path: Path) -> None:
    """Whatever is registered, as huggingface_hub registers "hf": files there are read ahead, if nobody objects."""
    from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

    stored = {"datasets/me/a.dnerv": path.read_bytes()}
    fetched: list[tuple[int, int]] = []

    class HubFile(AbstractBufferedFile):  # type: ignore[misc]
        def _fetch_range(self, start: int, end: int) -> bytes:
            fetched.append((start, end))
            return stored[self.path][start:end]

    class Hub(AbstractFileSystem):  # type: ignore[misc]
        protocol = "hub"

        def info(self, path: str, **_: Any) -> dict[str, Any]:
            if path not in stored:
                raise FileNotFoundError(path)
            return {"name": path, "type": "file", "size": len(stored[path]), "blob_id": str(hash(stored[path]))}

        def _open(self, path: str, mode: str = "rb", block_size: Any = None, **options: Any) -> HubFile:
            return HubFile(self, path, mode, block_size or "default", **options)

    fsspec.register_implementation("hub", Hub, clobber=True)
    with Container.open("hub://datasets/me/a.dnerv", KINDS) as opened:
        first = HEADER_SIZE + len(WEIGHTS)
        opened.prepare([(first, 10), (first + 500, 10)])
        assert packets(opened, 0, 10) == PACKETS[:10]
        assert fetched == [(0, HEADER_SIZE), (opened.slot.start, opened.size), (first, first + 510)]
        assert packets(opened) == PACKETS
        stored["datasets/me/a.dnerv"] = written(path, b"another").read_bytes()
        with pytest.raises(ArchiveError, match="has been replaced"):
            opened.check_same(ArchiveError("damaged"))
    with pytest.raises(ArchiveError, match="hub://datasets/c: no such file"):
        Container.open("hub://datasets/c", KINDS)


def test_memory(path: Path) -> None:
    """A file system without ranges of files."""
    system = fsspec.filesystem("memory")
    for name in ("b", "a"):
        system.pipe_file(f"/of-test/{name}.dnerv", path.read_bytes())
    try:
        assert expand_url("memory://of-test/*.dnerv") == ["memory:///of-test/a.dnerv", "memory:///of-test/b.dnerv"]
        with Container.open("memory://of-test/a.dnerv", KINDS) as opened:
            opened.prepare([(HEADER_SIZE, 10)])
            assert packets(opened) == PACKETS
        with pytest.raises(ArchiveError, match=r"memory://of-test: (is a folder|no such file)"):
            Container.open("memory://of-test", KINDS)
    finally:
        system.rm("/of-test", recursive=True)


def test_what_cannot_be_had_says_why(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"nosuch://x/a\.dnerv: Protocol not known: nosuch"):
        Container.open("nosuch://x/a.dnerv", KINDS)
    with pytest.raises(InputError, match="storage_options are for URLs"):
        Container.open(path, KINDS, storage_options={"anon": True})
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(InputError, match=r"https://x/a\.dnerv: remote archives need .*pip install 'dnerv\[remote\]'"):
        Container.open("https://x/a.dnerv", KINDS)


def test_names_without_secrets() -> None:
    assert name_of("https://me:word@host/a.dnerv?X-Amz-Signature=abc") == "https://host/a.dnerv"
    assert name_of("s3://bucket/a.dnerv") == "s3://bucket/a.dnerv"
    assert [is_url(each) for each in ("s3://b/a", "simplecache::s3://b/a", "a.dnerv", "c:\\a", Path("s3://b/a"))] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_s3(path: Path) -> None:
    pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    with s3_server() as endpoint, RangeServer(behind=endpoint) as proxy:
        put(endpoint, "bucket", "a.dnerv", path.read_bytes())
        url, options = "s3://bucket/a.dnerv", {"client_kwargs": {"endpoint_url": proxy.url}}
        with Container.open(url, KINDS, storage_options=options) as opened:
            assert opened.read("CONF") == b"configuration"
            assert proxy.counted() == (3, HEADER_SIZE + opened.size - opened.slot.start)
            first = HEADER_SIZE + len(WEIGHTS)
            opened.prepare([(first, 10), (first + 500, 10)])
            assert proxy.counted() == (1, 510)
            assert (packets(opened, 0, 10), packets(opened, 500, 510)) == (PACKETS[:10], PACKETS[500:510])
            assert proxy.counted() == (0, 0)
            assert expand_url("s3://bucket/*.dnerv", options) == [url]
            put(endpoint, "bucket", "a.dnerv", written(path, weights=WEIGHTS[::-1]).read_bytes())
            with pytest.raises(ArchiveError, match=f"{url}: the archive has been replaced"):
                opened.read("NETW")
        with pytest.raises(ArchiveError, match="s3://bucket/b: no such file"):
            Container.open("s3://bucket/b", KINDS, storage_options=options)
