"""`dnerv decode` of base layers: no network is looked at, not even its code."""

import subprocess
import sys
from pathlib import Path

GOLDEN = Path(__file__).parents[2] / "golden"
OPTIONS = {"dnerv.engine", "dnerv.engine.precision", "dnerv.families", "dnerv.families.registry"}
OPTIONS |= {"dnerv.training", "dnerv.training.config"}  # where other commands' options are written down

PROGRAM = """
import sys
from dnerv.cli import main
try:
    main()
finally:
    print(*(name for name in sys.modules if name.startswith(("dnerv.engine", "dnerv.families", "dnerv.training"))))
"""


def test_base_layers_take_no_network(tmp_path: Path) -> None:
    words = ["decode", str(GOLDEN / "dnerv.dnerv"), "-o", str(tmp_path / "out"), "--layers", "base", "--format", "png"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, timeout=120, check=True
    )
    assert set(done.stdout.splitlines()[-1].split()) <= OPTIONS
    assert len(list((tmp_path / "out").rglob("*.png"))) > 10
