"""Exports a base once and each concept as a small file; the node is ``export.concepts``."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from backend.concept_values import Adapter, ConceptBase
from backend.core.artifact import file_sha256
from backend.core.context import Context
from backend.core.errors import FretsawError, nearest
from backend.core.files import slug, write_atomic
from backend.core.node import Params, node
from backend.core.views import Column, Table
from backend.distill import lora
from backend.export import concept_file, concepts
from backend.export.concept_file import KEY, VALUE, Precision
from backend.export.onnx import ExportError
from backend.export.slots import Slot
from backend.export.verify import ParityError, golden
from backend.export.weights import export_graph, slots, write_weights
from backend.exported import (
    generator_artifact,
    gmacs_of,
    metadata_of,
    random_pictures,
    tolerance_of,
    write_thumb,
)
from backend.methods.e2gan import MergeParams, e2gan_merge
from backend.methods.e2gan_parts import fixed
from backend.methods.export_generator import pictures_of
from backend.models.editing import edit_pictures
from backend.values import Artifact, Data, Generator, Pairs

MOST_CONCEPTS = 64
MOST_GMACS = 1.5
_THUMB = 192  # pixels: the gallery shows them larger than a list of edits does
_GOLDEN_SIDE = 64  # values of a side that a phone compares, for each concept


class ConceptsExportParams(Params):
    """Which concepts, and how exactly they are stored."""

    concepts: str = Field(
        default="",
        title="Of the base",
        description='Concepts that the base was trained on, with ";" between, or: all. '
        "Empty: none where adapters are linked, else all.",
    )
    precision: Precision = Field(
        default="float32",
        title="Adapter numbers",
        description="float16 halves the files of the concepts; what it changes in the picture is "
        "measured.",
        json_schema_extra={"labels": {"float32": "32 bits", "float16": "16 bits"}},
    )


@dataclass(frozen=True)
class _Entry:
    """One concept: where it comes from, and the plain generator that it is."""

    id: str
    adapter: Adapter | None
    made: Generator
    prompt: str
    text: Tensor


@dataclass(frozen=True)
class _Base:
    """What all concepts share: graphs, places of weights, the base's own weights."""

    switch: list[Path]
    quick: list[Path]
    slots: tuple[Slot, ...]
    inputs: frozenset[str]
    weights: bytes
    digest: str
    texts: dict[str, Tensor]
    golden: Tensor
    small: Tensor
    picture: np.ndarray | None


@node("export.concepts", title="Export concepts", views=("table",))
def export_concepts(
    ctx: Context,
    p: ConceptsExportParams,
    base: ConceptBase,
    adapters: list[Adapter],
    pictures: Data | Pairs | None = None,
) -> Artifact:
    """Write the base as one ONNX file and each concept as a small file that is merged on the phone.

    The text encoder stays here: a concept carries the projection of its text. Every concept is
    checked in ONNX Runtime against the network with the adapter merged. Linked pictures give each
    concept a small picture of what it does.

    Source: Gong et al., E2GAN, ICML 2024, sec. 3.3
    """
    _require_size(base)
    chosen = _entries(ctx, p, base, adapters)
    shown = pictures_of(pictures, 1)
    first = fixed(base, base.module, chosen[0].text, base.label)
    ctx.progress(0, len(chosen) + 1)
    gmacs = gmacs_of(first.module, base.image)
    if gmacs > MOST_GMACS:
        ctx.log(
            f"{base.label} takes {gmacs:.2f} GMAC a picture, above the {MOST_GMACS} that phones "
            "show live; a smaller picture or width is faster.",
            level="warning",
        )
    graph, shared = _write_base(ctx, base, first, chosen, shown)
    records, files = [], [_file(path) for path in (*shared.switch, *shared.quick)]
    before = None
    if shown is not None:
        before = write_thumb(shown[0], graph.with_suffix(".before.jpg"), _THUMB)
        files.append(_file(before))
    for i, entry in enumerate(chosen):
        record, made = _write_concept(ctx.folder, p, entry, shared, base)
        records.append(record)
        files += [_file(path) for path in made]
        ctx.progress(i + 2, len(chosen) + 1)
    ctx.view(_table(records), "table")
    largest = max(record["bytes"] for record in records)
    ctx.metric(0, gmacs=gmacs, base_bytes=len(shared.weights), adapter_bytes=largest)
    ctx.log(
        f"{len(records)} concepts: base {len(shared.weights) / 1e3:.0f} kB once, the largest "
        f"concept {largest / 1e3:.1f} kB."
    )
    return generator_artifact(
        first,
        graph,
        node=ctx.node,
        dynamic_batch=False,
        any_size=False,
        facts={
            "gmacs": gmacs,
            "tolerance": tolerance_of(first),
            "base": shared.digest,
            "switch": [path.name for path in shared.switch],
            "quick": _quick_facts(shared),
            "inputs": sorted(shared.inputs),
            "slots": [[s.name, list(s.shape), s.offset, s.bytes] for s in shared.slots],
            "concepts": records,
            "before": before.name if before is not None else None,
            "files": files,
            "parity": {"max_error": max(record["max_error"] for record in records)},
        },
        weights=graph.with_suffix(".weights"),
        thumb=graph.with_suffix(".thumb.jpg") if shown is not None else None,
    )


def _require_size(base: ConceptBase) -> None:
    image = base.image
    if image.height % 8 or image.width % 8:
        raise FretsawError(
            f"{base.label} is for pictures of {image.height} x {image.width}; sides must be "
            "multiples of 8.",
            "Choose another picture size in Concept generator.",
        )


def _entries(
    ctx: Context, p: ConceptsExportParams, base: ConceptBase, adapters: list[Adapter]
) -> list[_Entry]:
    """Return all concepts, those of the base first; each with an id of its own."""
    found = []
    for name in _of_base(p, base, adapters):
        assert base.concepts is not None
        made = e2gan_merge(ctx, MergeParams(concept=name), base)
        text = base.concepts.text(name)
        found.append(_Entry("", None, made, base.concepts.prompts[name], text))
    for one in adapters:
        one.require_base(base)
        made = e2gan_merge(ctx, MergeParams(), base, one)
        found.append(_Entry("", one, made, one.prompt, one.text))
    if not found:
        raise FretsawError(
            f"{base.label} knows no concept yet, and no adapter is linked.",
            "Link an adapter, or a base that was trained.",
        )
    if len(found) > MOST_CONCEPTS:
        raise FretsawError(
            f"{len(found)} concepts are chosen; a phone takes {MOST_CONCEPTS} at once.",
            "Export them in two files.",
        )
    lengths = {len(entry.text) for entry in found}
    if len(lengths) > 1:
        raise FretsawError(
            f"The texts of the concepts have {min(lengths)} to {max(lengths)} tokens.",
            "Let one node read all prompts, with the same text encoder.",
        )
    named: list[_Entry] = []
    for entry in found:
        id = _free(slug(entry.made.label)[:56].strip("-_") or "concept", {e.id for e in named})
        named.append(_Entry(id, entry.adapter, entry.made, entry.prompt, entry.text))
    return named


def _of_base(p: ConceptsExportParams, base: ConceptBase, adapters: list[Adapter]) -> list[str]:
    known = list(base.concepts.prompts) if base.concepts is not None else []
    wish = p.concepts.strip()
    if wish == "all" or (not wish and not adapters):
        return known
    names = [name.strip() for name in wish.split(";") if name.strip()]
    for name in names:
        if name not in known:
            raise FretsawError(
                f'{base.label} was not trained on "{name}".',
                nearest(name, known) if known else "Link a base that was trained.",
            )
    return names


def _free(id: str, taken: set[str]) -> str:
    if id not in taken:
        return id
    return next(name for n in range(2, 100) if (name := f"{id}-{n}") not in taken)


def _write_base(
    ctx: Context,
    base: ConceptBase,
    first: Generator,
    chosen: list[_Entry],
    shown: np.ndarray | None,
) -> tuple[Path, _Base]:
    """Write both graphs, the base's weights, the golden pair, and the thumb."""
    name = slug(base.label)
    graph, weights = ctx.folder / f"{name}.onnx", ctx.folder / f"{name}.weights"
    example = base.image.batch(shown) if shown is not None else None
    inputs = random_pictures(base.image, 1, ctx.seed) if example is None else example.contiguous()
    export_graph(first.module, inputs, graph, weights=weights.name, metadata=metadata_of(first))
    places = slots(graph)
    write_weights(first.module, places, weights)
    adapted = {layer for entry in chosen if entry.adapter for layer in entry.adapter.ranks}
    layers = adapted | set(lora.adaptable(base.module))
    told = {f"{layer}.weight" for layer in layers} & {slot.name for slot in places}
    told |= {KEY, VALUE}
    switch = concepts.switching_graphs(graph, name, told)
    small = concepts.quick_input(inputs)
    quick = _write_quick(first, small, graph, told, places) if small.numel() else []
    _, output = golden(graph, inputs)
    _require_parity(_answer(first.module, inputs), output, tolerance_of(first), graph.name)
    if shown is not None:
        _thumb(first.module, shown, base, graph.with_suffix(".thumb.jpg"))
    return graph, _Base(
        switch,
        quick,
        places,
        frozenset(told),
        weights.read_bytes(),
        base.digest(),
        {entry.id: entry.text for entry in chosen},
        inputs,
        small,
        shown,
    )


def _write_quick(
    first: Generator, small: Tensor, graph: Path, told: set[str], places: tuple[Slot, ...]
) -> list[Path]:
    """Write the graph of small pictures, in stages; it reads the weights of the large one."""
    path = graph.with_name(f"{graph.stem}.quick.onnx")
    export_graph(first.module, small, path, weights=f"{graph.stem}.weights")
    if slots(path) != places:
        raise ExportError("The graph of small pictures has its weights at other places.")
    made = concepts.switching_graphs(path, f"{graph.stem}.quick", told, concepts.QUICK_STAGES)
    path.unlink()
    return made


def _quick_facts(shared: _Base) -> dict[str, Any] | None:
    if not shared.quick:
        return None
    height, width = shared.small.shape[2:]
    return {"graphs": [path.name for path in shared.quick], "height": height, "width": width}


def _write_concept(
    folder: Path, p: ConceptsExportParams, entry: _Entry, shared: _Base, base: ConceptBase
) -> tuple[dict[str, Any], list[Path]]:
    """Write one concept; what its file says is merged, computed, and compared with the network."""
    one = entry.adapter
    concept = concepts.concept_of(
        entry.made.module,
        one.tensors if one else {},
        one.ranks if one else {},
        one.scale if one else 1.0,
        shared.digest,
    )
    path = folder / f"{entry.id}.concept"
    write_atomic(path, concept_file.write(concept, p.precision))
    again = concept_file.read(path.read_bytes(), shared.slots)
    weights = concept_file.merged(shared.weights, shared.slots, [(again, 1.0)])
    told = concepts.told(weights, shared.slots, shared.inputs)
    output = concepts.run_stages(shared.switch, shared.golden.numpy(), told)
    network = fixed(base, base.module, entry.text, entry.made.label).module
    concepts.load_merged(network, weights, shared.slots)
    limit, exact = tolerance_of(entry.made), _answer(entry.made.module, shared.golden)
    error = _require_parity(_answer(network, shared.golden), output, limit, entry.made.label)
    rounding = float(np.abs(output - exact).max())
    if shared.quick:
        small = concepts.run_stages(shared.quick, shared.small.numpy(), told)
        _require_parity(_answer(network, shared.small), small, limit, entry.made.label)
    if p.precision == "float32":
        error = max(error, _require_parity(exact, output, limit, entry.made.label))
    files = [path, _golden(folder / f"{entry.id}.golden.npz", output)]
    thumb = None
    if shared.picture is not None:
        thumb = _thumb(network, shared.picture, base, folder / f"{entry.id}.thumb.jpg")
        files.append(thumb)
    met = concepts.met_of(one.tensors, one.ranks, shared.texts) if one else {}
    if met:
        write_atomic(folder / f"{entry.id}.blend", concept_file.write_met(met, p.precision))
        files.append(folder / f"{entry.id}.blend")
    return {
        "id": entry.id,
        "name": entry.made.label,
        "prompt": entry.prompt,
        "kind": "adapter" if one else "base",
        "adapter": path.name,
        "bytes": sum(one.stat().st_size for one in files if one.suffix in (".concept", ".blend")),
        "blend": f"{entry.id}.blend" if met else None,
        "golden": files[1].name,
        "thumb": thumb.name if thumb else None,
        "numbers": one.parameters if one else 0,
        "max_error": error,
        "rounding": None if p.precision == "float32" else rounding,
        "l1": one.facts.get("val_l1") if one else None,
        "psnr": one.facts.get("val_psnr") if one else None,
    }, files


@torch.no_grad()
def _answer(module: nn.Module, inputs: Tensor) -> np.ndarray:
    return module.eval()(inputs).numpy()


def _require_parity(expected: np.ndarray, found: np.ndarray, limit: float, name: str) -> float:
    error = float(np.abs(expected - found).max())
    if not error <= limit:
        raise ParityError(
            f'The exported "{name}" differs from the network by {error:.3g}, allowed is '
            f"{limit:.3g}."
        )
    return error


def _golden(path: Path, output: np.ndarray) -> Path:
    """Keep every so many-th value of rows and columns: a concept is compared by a sample."""
    step = max(1, -(-max(output.shape[2:]) // _GOLDEN_SIDE))
    buffer = io.BytesIO()
    np.savez(buffer, output=output[:, :, ::step, ::step], step=np.int64(step))
    write_atomic(path, buffer.getvalue())
    return path


def _thumb(module: nn.Module, picture: np.ndarray, base: ConceptBase, path: Path) -> Path:
    edited, _ = edit_pictures(
        module, picture[:1], base.image, low=-1.0, high=1.0, any_size=True, multiple=8
    )
    return write_thumb(edited[0], path, _THUMB)


def _file(path: Path) -> dict[str, Any]:
    return {"path": path.name, "sha256": file_sha256(path), "bytes": path.stat().st_size}


def _table(records: list[dict[str, Any]]) -> Table:
    columns = [
        Column(name="Concept"),
        Column(name="Of"),
        Column(name="Bytes"),
        Column(name="Numbers"),
        Column(name="Error"),
    ]
    rows: list[list[str | float | int | None]] = [
        [r["name"], r["kind"], r["bytes"], r["numbers"], r["max_error"]] for r in records
    ]
    return Table(title="Concepts", columns=columns, rows=rows)
