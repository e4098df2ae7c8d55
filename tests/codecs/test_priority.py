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
frames = list(np.random.default_rng(0).integers(0, 256, (24, 96, 128, 3), np.uint8))
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


def test_encodings_side_by_side_end_with_the_bytes_of_one_alone():
    alone = subprocess.run([sys.executable, "-c", _ENCODE], capture_output=True, text=True, check=True, timeout=300)
    running = [subprocess.Popen([sys.executable, "-c", _ENCODE], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    try:
        outputs = [process.communicate(timeout=300)[0] for process in running]
    finally:
        for process in running:
            process.kill()
    assert outputs == [alone.stdout] * 3
