"""The command line's root: `dnerv` and `dnerv study`, which the other modules add their commands to."""

from __future__ import annotations

from typing import Annotated

import typer

from dnerv import __version__

app = typer.Typer(
    help="A whole video collection in one neural file.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
study = typer.Typer(
    help="The paper's experiments, on your own videos.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(study, name="study")


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    if version:
        print(f"dnerv {__version__}")
        raise typer.Exit
