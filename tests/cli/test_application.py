"""All commands: what they are called, what they explain, and what that costs."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dnerv.archive import Archive
from dnerv.cli.application import call, command, commands, usage
from dnerv.cli.help import command_help
from dnerv.cli.parsing import UsageError
from dnerv.options import REQUIRED, typed_options
from dnerv.studies import STUDIES

COMMANDS = commands()
HEAVY = {"torch", "av", "matplotlib", "PIL", "scipy", "rich", "constriction", "pytorch_msssim", "importlib.metadata"}
PROGRAM = f"""
import json, sys
from dnerv.cli import main
heavy = {{}}
for words in json.loads(sys.argv[1]):
    sys.argv = ["dnerv", *words.split(), "--help"]
    main()
    heavy[words] = sorted(set(sys.modules) & {HEAVY})
print(json.dumps(heavy), file=sys.stderr)
"""
GOLDEN = Path(__file__).parents[1] / "golden"
RUN = """
import json, sys
from dnerv.cli import main
waited = {}
for words in json.loads(sys.argv[1]):
    sys.argv = ["dnerv", *words]
    main()
    waited[words[0]] = "torch" in sys.modules
print(json.dumps(waited))
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    made = COMMANDS[name]
    assert made.name == name
    text = command_help(f"dnerv {name}", made.help, made.takes)
    assert max(map(len, text.splitlines())) <= 80
    assert len(made.summary) <= 62, made.summary
    assert made.summary.endswith((".", "?"))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_each_flag_once_and_explains_it(name: str) -> None:
    options = [each for one in COMMANDS[name].takes for each in typed_options(one)]
    assert max(Counter(each.flag for each in options).values()) == 1
    assert all(each.facts.help.endswith((".", "...")) for each in options), [each.facts.help for each in options]


@pytest.mark.parametrize("name", COMMANDS)
def test_defaults_are_within_their_ranges(name: str) -> None:
    for one in COMMANDS[name].takes:
        if all(each.default is not REQUIRED for each in typed_options(one)):
            one()


@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_command_runs_is_called_with_its_options_in_their_order(name: str) -> None:
    made = COMMANDS[name]
    parameters = inspect.signature(made.run, eval_str=True).parameters.values()
    kinds = [each.annotation for each in parameters]
    assert len(kinds) == len(made.options)
    assert all(kind in (one, Any) for kind, one in zip(kinds, made.options, strict=True))


def test_every_study_is_a_command() -> None:
    assert {made.split()[-1] for made in COMMANDS} >= set(STUDIES)


def test_help_waits_for_nothing_heavy() -> None:
    words = ["", "study", *COMMANDS]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(words)], capture_output=True, text=True, check=True
    )
    assert done.stdout.count("Usage: dnerv") == len(words)
    assert json.loads(done.stderr) == {each: [] for each in words}


def test_the_list_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    call([])
    listed = capsys.readouterr().out
    call(["study"])
    studies = capsys.readouterr().out
    for name, made in COMMANDS.items():
        place = studies if name.startswith("study ") else listed
        assert f"  {name.removeprefix('study ')} " in place
        if not name.startswith("study ") and name not in STUDIES:
            assert " ".join(made.summary.split()) in " ".join(place.split())


def test_what_decodes_no_frame_waits_for_no_torch(tmp_path: Path) -> None:
    archive, changed = str(GOLDEN / "references.dnerv"), str(tmp_path / "changed.dnerv")
    with Archive(archive) as opened:
        first, second = opened.names[:2]
    commands = [
        ["info", archive],
        ["verify", archive],
        ["extract", archive, first, second, "-o", changed],
        ["remove", changed, first],
        ["compact", changed],
        ["merge", changed, "-o", str(tmp_path / "merged.dnerv")],
    ]
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(commands)], capture_output=True, text=True, check=True, timeout=120
    )
    assert json.loads(done.stdout.splitlines()[-1]) == {words[0]: False for words in commands}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("sing", "'sing'; known: .*encode"),
        ("enocde", r"'enocde' \(did you mean encode\?\); known"),
        ("study", "'study'; known"),
        ("study alchemy", "'study alchemy'; known"),
        ("study layer", r"'study layer' \(did you mean study layers\?\); known"),
        ("prior trian", r"'prior trian' \(did you mean prior train\?\); known"),
    ],
)
def test_unknown_commands(words: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        command(words)


@pytest.mark.parametrize("words", [["prior"], ["prior", "-h"], ["prior", "--help"]])
def test_commands_of_priors(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    call(words)
    shown = capsys.readouterr().out
    assert "  prior train     Train a network once" in shown
    assert "  prior show      Say what" in shown


def test_usage_of_what_is_meant() -> None:
    assert usage(["prior", "train", "--bpp"]).startswith("Usage: dnerv prior train VIDEO|FOLDER... -o FILE")
    assert usage(["encode", "--bpp"]).startswith("Usage: dnerv encode VIDEO|FOLDER... -o FILE")
    assert usage(["paint"]) == usage([]) == "Usage: dnerv COMMAND ..."
