"""Tables as text: Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

Rows = Sequence[Sequence[str]]


def to_markdown(head: Sequence[str], rows: Rows, numbers: Sequence[bool] = ()) -> str:
    """Write a Markdown table; ``numbers`` says which columns stand at the right."""

    def line(cells: Sequence[str]) -> str:
        clean = [
            cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ") for cell in cells
        ]
        return "| " + " | ".join(clean) + " |"

    marks = ["---:" if k < len(numbers) and numbers[k] else "---" for k in range(len(head))]
    return "\n".join([line(head), "| " + " | ".join(marks) + " |", *map(line, rows)]) + "\n"


def to_csv(head: Sequence[str], rows: Rows) -> str:
    """Write comma separated values with a head line.

    A cell that a spreadsheet would take for a formula gets an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in (head, *rows):
        writer.writerow([_harmless(cell) for cell in row])
    return out.getvalue()


def _harmless(cell: str) -> str:
    if cell[:1] in ("=", "@", "+", "-") and not _is_number(cell):
        return "'" + cell
    return cell


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", ""))
    except ValueError:
        return False
    return True
