"""Workers on many machines: a dask.distributed cluster as an executor of `concurrent.futures`.

The engine is dask's: it shares out the work, and gives what a worker had when it died to another (up to the
scheduler's `allowed-failures`, 3).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor
from contextlib import contextmanager

from dnerv import progress
from dnerv.errors import DnervError, InputError

_CONNECT_SECONDS = 10


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """Workers of the scheduler at `address` ("tcp://HOST:PORT"); the cluster stays when this ends.

    Workers need this version of dnerv, and reach the videos under the same paths.

    Raises:
        InputError: the extra is missing, or no scheduler answers.
        DnervError: the scheduler has gone, or work whose workers died again and again.
    """
    try:
        from distributed import Client, KilledWorker
        from distributed.comm.addressing import parse_address, parse_host_port
        from distributed.utils import silence_logging_cmgr
    except ImportError:
        raise InputError("--cluster needs the extra: pip install 'dnerv[cluster]'") from None
    try:
        kind, place = parse_address(address)
        if kind == "tcp":
            parse_host_port(place)  # a client that fails at this lingers, and complains when it goes
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"--cluster {address}: no scheduler of dask.distributed answers there ({error})") from None
    # What dask would log here with a traceback, a scheduler that has gone, is said below in one line.
    quiet, quieter = (silence_logging_cmgr(logging.CRITICAL, name) for name in ("distributed", "distributed.client"))
    with quiet, quieter, client, warnings.catch_warnings():
        # A piece of work carries the pictures that its video may start from: large, and each needed once.
        warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
        threads = client.nthreads()
        if not threads:
            progress.warning(f"--cluster {address}: no worker is there yet; the work waits for some")
        else:
            progress.note(f"workers at {address}: {len(threads)}, with {sum(threads.values())} threads")
        try:
            yield client.get_executor(pure=False)
        except KilledWorker as error:
            raise DnervError(
                f"--cluster {address}: workers died again and again at one video ({error.last_worker} last): "
                "their logs say why; too little memory, mostly"
            ) from error
        except CancelledError as error:
            raise DnervError(f"--cluster {address}: the scheduler has gone; the same command goes on") from error
