"""Commands that show what there is."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from rich.console import Console as RichConsole
from rich.table import Table
from rich.text import Text

from backend.cli.progress import table_text
from backend.core import catalog as catalogs
from backend.core import events as ev
from backend.core.errors import DocumentError, nearest
from backend.core.node import NodeSpec, Port
from backend.core.run import Run, all_runs


def catalog(arguments: argparse.Namespace) -> int:
    """List kinds of node, or show one."""
    found = catalogs.current()
    if arguments.id:
        spec = found.nodes.get(arguments.id)
        if spec is None:
            raise DocumentError(
                f'There is no kind "{arguments.id}".', nearest(arguments.id, found.nodes)
            )
        print(spec.model_dump_json(indent=1) if arguments.json else _describe(spec))
        return 0
    if arguments.json:
        print(found.model_dump_json(indent=1))
        return 0
    table = _table("kind", "takes", "gives", "what it does")
    for spec in found.nodes.values():
        first = spec.doc.split("\n")[0]
        table.add_row(
            Text(spec.id), Text(_ports(spec.inputs)), Text(_ports(spec.outputs)), Text(first)
        )
    _print(table)
    for broken in found.broken:
        print(f"BROKEN {broken.file}, line {broken.line}: {broken.error}")
    return 0


def ls(arguments: argparse.Namespace) -> int:
    """List runs, oldest first."""
    runs = all_runs()
    runs = runs[-arguments.n :] if arguments.n > 0 else runs
    if arguments.json:
        rows = [{"run": r.name, "state": r.state(), **r.result} for r in runs]
        print(json.dumps(rows))
        return 0
    if not runs:
        print("There are no runs yet. Make one with: python -m backend demo")
        return 0
    table = _table("run", "state", "seconds", "figures")
    for run in runs:
        result = run.result
        seconds = f"{result['seconds']:.0f}" if "seconds" in result else ""
        table.add_row(Text(run.name), run.state(), seconds, Text(_headline(result)))
    _print(table)
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Show one run: state, nodes, figures, errors."""
    run = Run.open(arguments.run)
    if arguments.events:
        for event in run.events():
            print(ev.to_line(event))
        return 0
    result = run.result
    if arguments.json:
        print(json.dumps({"run": str(run.path), "state": run.state(), **run.settings, **result}))
        return 0
    print(f"{run.name}: {run.state()}\n{run.path}")
    if result.get("error"):
        print(f"Error: {result['error']}")
    table = _table("node", "seconds", "figure", "last", "least", "most")
    metrics: dict[str, dict[str, dict[str, float]]] = result.get("metrics", {})
    for node, entry in result.get("nodes", {}).items():
        seconds = "cached" if entry.get("cached") else f"{entry.get('seconds', 0):.1f}"
        table.add_row(Text(node), seconds)
        for name, value in metrics.get(node, {}).items():
            table.add_row("", "", Text(name), *(f"{value[k]:.5g}" for k in ("last", "min", "max")))
    _print(table)
    print(table_text(run), end="")
    if run.state() == "crashed":
        print(f"It ended without a word. Go on with: python -m backend resume {run.name}")
    return 0


def report(arguments: argparse.Namespace) -> int:
    """Write the HTML page of a run, or print Markdown."""
    from backend import report as reports

    run = Run.open(arguments.run)
    if arguments.markdown:
        print(reports.markdown(run))
        return 0
    path = reports.write(run, arguments.output, strip=arguments.strip)
    print(json.dumps({"report": str(path)}) if arguments.json else path)
    return 0


def inspect(arguments: argparse.Namespace) -> int:
    """Look into a model file."""
    from backend.export.inspect import inspect_file, inspect_in_parts

    if arguments.lines:
        for part in inspect_in_parts(arguments.file):
            print(json.dumps(part), flush=True)
        return 0
    facts = inspect_file(arguments.file)
    if arguments.json:
        print(json.dumps(facts))
        return 0
    tables = {key: value for key, value in facts.items() if _is_rows(value)}
    for key, value in facts.items():
        if key not in tables and value not in (None, "", [], {}):
            print(f"{key}: {_short(value)}")
    for key, rows in tables.items():
        columns = [c for c in rows[0] if any(row.get(c) not in (None, "") for row in rows)]
        table = _table(*columns, title=key)
        for row in rows:
            table.add_row(*(Text(_cell(row.get(c))) for c in columns))
        _print(table)
    return 0


def _print(table: Table) -> None:
    # A pipe has no width of its own; cells cut to 80 columns would be of no use to a reader.
    RichConsole(width=None if sys.stdout.isatty() else 160).print(table)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)


def _short(value: Any, most: int = 120) -> str:
    """One line for a terminal; ``--json`` has the whole of it."""
    if isinstance(value, dict):
        return "".join(f"\n  {key}: {_short(inner)}" for key, inner in value.items())
    text = _cell(value)
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"


def _table(*columns: str, title: str | None = None) -> Table:
    table = Table(title=title, box=None, header_style="bold", pad_edge=False, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _ports(ports: tuple[Port, ...]) -> str:
    words = []
    for port in ports:
        mark = "*" if port.many else "?" if port.optional else ""
        words.append(f"{port.name}{mark}: {port.type}")
    return ", ".join(words)


def _headline(result: dict[str, Any]) -> str:
    if result.get("error"):
        return str(result["error"])
    words = [
        f"{node}.{name} {value['last']:.4g}"
        for node, figures in result.get("metrics", {}).items()
        for name, value in figures.items()
        if name.endswith("top1") and "val" not in name
    ]
    return ", ".join(words[-3:])


def _describe(spec: NodeSpec) -> str:
    lines = [f"{spec.id}  ({spec.title}, version {spec.version})", "", spec.doc]
    if spec.source:
        lines.append(f"Source: {spec.source}")
    lines += [
        "",
        f"takes: {_ports(spec.inputs) or 'nothing'}",
        f"gives: {_ports(spec.outputs) or 'nothing'}",
    ]
    lines.append("parameters:")
    for name, field in spec.params.get("properties", {}).items():
        unit = f" {field['unit']}" if field.get("unit") else ""
        default = json.dumps(field["default"]) if "default" in field else "must be given"
        bounds = [
            f"{word} {field[key]}"
            for key, word in (
                ("minimum", ">="),
                ("exclusiveMinimum", ">"),
                ("maximum", "<="),
                ("exclusiveMaximum", "<"),
            )
            if key in field
        ]
        choices = ["one of " + ", ".join(map(str, field["enum"]))] if "enum" in field else []
        notes = "; ".join([f"default {default}{unit}", *bounds, *choices])
        lines.append(f"  {name}: {field.get('description', '')} ({notes})")
    return "\n".join(lines)
