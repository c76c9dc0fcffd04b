"""What a network costs on a phone, as that phone measured it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from backend.core.context import Context
from backend.core.errors import DocumentError, nearest
from backend.core.node import Params, node
from backend.core.phone_records import PhoneTime, times, times_of
from backend.core.views import Column, Table
from backend.core.workspace import Workspace
from backend.values import Artifact, Cost

NETWORK = "network"
"""Key of the whole network in the table of costs; its other key is the file's SHA-256."""


class PhoneCostParams(Params):
    """Whose figures count."""

    device: str = Field(
        default="",
        max_length=100,
        title="Phone",
        description="Name of the phone; empty takes the one that measured last.",
    )
    edit: str = Field(
        default="",
        max_length=64,
        title="Edit",
        description="Id of an edit whose figures count, measured or live; empty: benchmarks of "
        "this very file.",
    )
    file: Path | None = Field(
        default=None,
        title="Records",
        description="A phone.jsonl to read; empty looks through all runs of this workspace.",
    )


@node("cost.phone", title="Cost: phone", cached=False, views=("table",))
def cost_phone(ctx: Context, p: PhoneCostParams, artifact: Artifact) -> Cost:
    """Milliseconds for one frame of an exported network, as a phone measured it.

    Reads what phones told of any run: push the file, choose Benchmark on the phone, then run this
    node. Nothing is measured here and nothing is guessed: without a measurement it stops.
    """
    records = times_of(p.file) if p.file is not None else _of_all_runs(Workspace.current().runs)
    found = [one for one in records if _counts(one, p.edit, artifact)]
    if not found:
        raise DocumentError(
            f'No phone has measured "{p.edit or artifact.path.name}" yet.',
            "Push it, choose Benchmark on the phone, then run this node again.",
        )
    named = [one for one in found if p.device in ("", one.device)]
    if not named:
        known = {one.device for one in found}
        raise DocumentError(f'"{p.device}" has not measured this.', nearest(p.device, known))
    chosen = named[-1]
    ctx.view(_table(found), name="phones")
    ctx.metric(0, phone_ms=chosen.ms)
    ctx.log(f"{chosen.device}, {chosen.backend}: {chosen.ms:.2f} ms a frame ({chosen.how})")
    how = "its own benchmark" if chosen.how == "bench" else "the median of its live camera"
    provenance = f"{chosen.device}, {chosen.backend}, {how}, ms for one frame."
    return Cost("ms", provenance, {NETWORK: chosen.ms, artifact.sha256: chosen.ms})


def _of_all_runs(runs: Path) -> list[PhoneTime]:
    """Figures of every run, the newest run last."""
    folders = sorted(path for path in runs.iterdir() if path.is_dir()) if runs.is_dir() else []
    return [one for run in folders for one in times(run)]


def _counts(one: PhoneTime, edit: str, artifact: Artifact) -> bool:
    """The same file, or the edit that was asked for; a live figure does not know its file."""
    return one.edit == edit if edit else one.graph == artifact.sha256


def _table(found: list[PhoneTime]) -> Table:
    rows: list[list[str | float | int | None]] = [
        [one.device, one.edit, one.backend, round(one.ms, 3), round(one.p90, 3), one.how]
        for one in found
    ]
    columns = [
        Column(name="phone"),
        Column(name="edit"),
        Column(name="backend"),
        Column(name="median", unit="ms", better="lower"),
        Column(name="p90", unit="ms"),
        Column(name="how"),
    ]
    return Table(title="On phones", columns=columns, rows=rows)
