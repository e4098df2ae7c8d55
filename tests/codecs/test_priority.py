"""SVT-AV1 as root takes real-time priority; nothing of it stays."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from dnerv.codecs import SvtAv1
from dnerv.codecs.priority import priority_kept, real_time_threads
from dnerv.errors import InputError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads have policies that can be read on Linux alone")

_ENCODE = """
import hashlib, os, sys
import numpy as np
from dnerv.codecs import SvtAv1
from dnerv.codecs.priority import real_time_threads

os.sched_setaffinity(0, set(list(os.sched_getaffinity(0))[:2]))
frames = list(np.random.default_rng(0).integers(0, 256, (12, 96, 128, 3), np.uint8))
digest = hashlib.sha256()
for _ in range(2):
    for packet in SvtAv1(preset=3).keyframes(frames, 40):
        digest.update(packet.data)
assert not real_time_threads()
print(digest.hexdigest())
"""


@pytest.fixture
def real_time():
    """Make one thread real-time, and skip where that is not allowed."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)

    def take(thread=0):
        try:
            os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(1))
        except PermissionError:
            pytest.skip("this user may not have real-time priority")

    yield take
    os.sched_setscheduler(0, policy, parameters)


def test_no_thread_is_real_time_while_encoding_and_after(moving_frames):
    seen = []

    def watched():
        for frame in moving_frames(30, 64, 64):
            seen.append(real_time_threads())
            yield frame

    SvtAv1(preset=8).keyframes(watched(), 50)
    assert len(seen) == 30
    assert set().union(*seen) == set()
    assert real_time_threads() == set()


def test_what_is_started_later_is_not_real_time(moving_frames):
    SvtAv1(preset=8).keyframes(moving_frames(2, 64, 64), 50)
    found = []
    thread = threading.Thread(target=lambda: found.append(os.sched_getscheduler(0)))
    thread.start()
    thread.join()
    program = "import os; print(os.sched_getscheduler(0))"
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert [*found, int(child.stdout)] == [os.SCHED_OTHER, os.SCHED_OTHER]


def test_an_encoder_that_does_not_open_leaves_nothing():
    with pytest.raises(InputError):
        SvtAv1().keyframes([np.zeros((64, 20000, 3), np.uint8)], 40)
    assert real_time_threads() == set()


def test_priority_taken_inside_is_given_back(real_time):
    with priority_kept():
        real_time()
        assert real_time_threads() == {threading.get_native_id()}
    assert real_time_threads() == set()


def test_priority_had_before_is_kept(real_time):
    stop = threading.Event()
    other = threading.Thread(target=stop.wait)
    other.start()
    try:
        real_time(other.native_id)
        with priority_kept():
            real_time()
        assert real_time_threads() == {other.native_id}
    finally:
        stop.set()
        other.join()


def test_threads_that_open_encoders_together_leave_no_real_time(moving_frames):
    """None may take another's threads for its own, give them the wrong priority, or miss its own."""
    frames, seen, start = moving_frames(3, 64, 64), [], threading.Barrier(8)

    def encode():
        start.wait()
        for _ in range(5):
            seen.append((SvtAv1(preset=10, threads=1).keyframes(watched(), 50), os.sched_getscheduler(0)))

    def watched():
        for frame in frames:
            assert os.sched_getscheduler(0) == os.SCHED_OTHER
            yield frame

    threads = [threading.Thread(target=encode) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(policy, packets == seen[0][0]) for packets, policy in seen] == [(os.SCHED_OTHER, True)] * 40
    assert real_time_threads() == set()


def test_threads_go_through_one_by_one(real_time):
    """With both inside, the one that came first would put the other's priority back while that is still at work."""
    first_is_in, is_over, found = threading.Event(), threading.Event(), []

    def second():
        first_is_in.wait()
        with priority_kept():
            found.append((is_over.is_set(), real_time_threads()))

    other = threading.Thread(target=second)
    other.start()
    with priority_kept():
        first_is_in.set()
        real_time()
        other.join(0.2)
        is_over.set()
    other.join()
    assert found == [(True, set())]


def test_a_child_forked_meanwhile_does_not_wait():
    code = (
        "import os, threading\nfrom dnerv.codecs.priority import priority_kept\n"
        "def hold():\n  for _ in range(300):\n    with priority_kept():\n      pass\n"
        "thread = threading.Thread(target=hold)\nthread.start()\n"
        "for _ in range(30):\n  child = os.fork()\n  if not child:\n    with priority_kept():\n      os._exit(0)\n"
        "  assert os.waitpid(child, 0)[1] == 0\nthread.join()\nprint('done')\n"
    )
    told = [sys.executable, "-W", "ignore", "-c", code]
    assert subprocess.run(told, capture_output=True, text=True, timeout=60, check=False).stdout == "done\n"


def test_encodings_side_by_side_end_with_the_bytes_of_one_alone():
    alone = subprocess.run([sys.executable, "-c", _ENCODE], capture_output=True, text=True, check=True, timeout=300)
    running = [subprocess.Popen([sys.executable, "-c", _ENCODE], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    try:
        outputs = [process.communicate(timeout=300)[0] for process in running]
    finally:
        for process in running:
            process.kill()
    assert outputs == [alone.stdout] * 3
