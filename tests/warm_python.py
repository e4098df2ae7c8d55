"""A Python that has torch imported: its commands, `-c CODE ...` or `-m MODULE ...`, run in forks of one server.

Importing torch takes a process longer than most of what tests do in processes of their own. A command has the caller's
arguments, environment, folder, files and signals, and ends as it would in a Python of its own. Three things differ:
some modules are there already, all commands hash strings alike, and a caller that is killed is gone before its command.
"""

import fcntl
import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

MOST_FILES = 253  # of one message


def ask(server: str, executable: str, *words: str) -> int:
    """Hand a command and all open files to the server, and signals as they come; the command's exit code."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(server)
        files = [number for path in Path("/dev/fd").iterdir() if _is_inherited(number := int(path.name))]
        heard = signal.getsignal(signal.SIGINT) != signal.SIG_IGN
        asked = {"words": words, "executable": executable, "files": files, "heard": heard}
        request = json.dumps(asked | {"environment": dict(os.environ), "folder": str(Path.cwd())}).encode()
        socket.send_fds(connection, [len(request).to_bytes(4, "big")], files)
        connection.sendall(request)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda sent, _: connection.send(bytes([sent])))
        return int(connection.makefile().readline())


def serve(path: str) -> None:
    """Fork for every command until standard input ends. In a fork: run the command and return."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()  # callers wait from here on
        import av  # noqa: F401
        import torch._dynamo  # noqa: F401  # which every optimiser imports, in as long as torch takes

        gc.freeze()  # what is there stays there, at the end of a fork, too
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            if not os.fork():
                listener.close()
                return _keep(connection)
            connection.close()
            _reap()
    _reap()
    os._exit(0)


def _keep(connection: socket.socket) -> None:
    """Fork once more for the command, kill it where the caller is killed, and tell the caller how it ends."""
    length, received, _, _ = socket.recv_fds(connection, 4, MOST_FILES)
    with connection.makefile("rb") as stream:
        request = json.loads(stream.read(int.from_bytes(length, "big")))
    child = os.fork()
    if not child:
        connection.close()
        return _become(request, received)
    for number in received:
        os.close(number)
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if select.select([connection], [], [], 0.01)[0]:
            os.kill(child, (connection.recv(1) or bytes([signal.SIGKILL]))[0])
    with suppress(BrokenPipeError):
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(ended[1]))
    os._exit(0)


def _become(request: dict[str, Any], received: list[int]) -> None:
    """Take over the caller's files, by their numbers, its folder and its environment; then run the command."""
    spare = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 2 * MOST_FILES) for number in received]
    for number in received:
        os.close(number)
    for number, held in zip(request["files"], spare, strict=True):
        os.dup2(held, number)
        os.close(held)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.executable = request["executable"]
    signal.signal(signal.SIGINT, signal.default_int_handler if request["heard"] else signal.SIG_IGN)
    _run(*request["words"])


def _run(*words: str) -> None:
    """A module or code, as Python does it."""
    while words[0] in ("-B", "-u"):
        sys.dont_write_bytecode |= words[0] == "-B"
        sys.stdout.reconfigure(write_through=sys.stdout.write_through or words[0] == "-u")  # type: ignore[union-attr]
        words = words[1:]
    option, what, *rest = words
    main = sys.modules["__main__"] = ModuleType("__main__")
    if option == "-c":
        sys.path[0], sys.argv = "", [option, *rest]
        exec(compile(what, "<string>", "exec"), vars(main))
    elif option == "-m":
        sys.path[0], sys.argv = str(Path.cwd()), [what, *rest]
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        raise ValueError(f"{option}: allowed are -B, -u, -c and -m")


def _is_inherited(number: int) -> bool:
    with suppress(OSError):
        return not fcntl.fcntl(number, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    return False


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _end(code: int) -> None:
    """End with this exit code, or by the signal that it stands for."""
    if code < 0:
        with suppress(OSError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        _end(ask(*sys.argv[2:]))
