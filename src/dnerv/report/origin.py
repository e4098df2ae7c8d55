"""How a record was made, as its page says it: out of the record and of nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from dnerv.report.table_html import table_html
from dnerv.tables import Table, table

Record = Mapping[str, Any]
_UNKNOWN = "not recorded"


def origin_html(record: Record, name: str) -> str:
    """The command, then who, when, where, of what and with which options. `name`: the study's in the page."""
    facts = "".join(f"<div><dt>{title}</dt><dd>{escape(text)}</dd></div>" for title, text in _facts(record))
    note = f'<p class="note">{escape(record["note"])}</p>' if record.get("note") else ""
    return (
        f'<pre class="command" tabindex="0"><code>{escape(record["command"])}</code></pre>\n'
        f'{note}<dl class="facts">{facts}</dl>\n{_inputs(record["inputs"], name)}\n{_options(record["options"], name)}'
    )


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    commits = record.get("commits") or [record["commit"]]
    known = ", ".join(commit[:10] if commit else "unknown" for commit in commits)
    changed = ", with changes that are in no commit" if record.get("modified") else ""
    yield "Made by", f"dnerv {record['version']}, commit {known}{changed}"
    yield "Time", _time(record)
    yield "Machine", _machine(record["machine"])
    yield "Seed", _UNKNOWN if record["seed"] is None else str(record["seed"])


def _time(record: Record) -> str:
    if record["started"] is None or record["ended"] is None or record["seconds"] is None:
        return _UNKNOWN
    started, ended = (record[name].replace("T", " ").replace("+00:00", "") for name in ("started", "ended"))
    seconds = record["seconds"]
    work = f"{seconds / 60:,.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"
    return f"{started} to {ended} UTC, {work} of work"


def _machine(machine: Record | None) -> str:
    if machine is None:
        return _UNKNOWN
    device = "" if machine["device"] == "cpu" else f", {machine['device']}"
    return (
        f"{machine['processor']}{device}; cores: {machine['cores']}, threads: {machine['threads']}; "
        f"Python {machine['python']}, torch {machine['torch']}"
    )


def _inputs(inputs: Record, name: str) -> str:
    given, files = ", ".join(inputs["given"]), inputs["files"]
    if not files:
        return f'<p class="origin">Inputs: {escape(given)}; their hashes were not recorded.</p>'
    rows = table("file", ">bytes", "SHA-256")
    for file in files:
        rows.add_row(file["path"], f"{file['bytes']:,}", file["sha256"])
    return _folded(f"Inputs: {given} ({len(files)} {'file' if len(files) == 1 else 'files'})", rows, f"{name}, inputs")


def _options(options: Record, name: str) -> str:
    rows = table("option", "value")
    for option, value in options.items():
        rows.add_row(option, value if isinstance(value, str) else json.dumps(value))
    return _folded("Options", rows, f"{name}, options")


def _folded(summary: str, rows: Table, name: str) -> str:
    return f'<details class="origin"><summary>{escape(summary)}</summary>{table_html(rows, name)}</details>'
