"""Adapters that are kept as files: those that come with Fretsaw, or your own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import Field

import assets
from backend.concept_values import Adapter
from backend.core.context import Context
from backend.core.errors import FretsawError, nearest
from backend.core.node import Params, node

BUNDLED = assets.FOLDER / "models" / "e2gan_concepts"
"""The folder of the adapters that come with Fretsaw, one folder a concept."""


class AdapterParams(Params):
    """Which adapter."""

    concept: str = Field(
        default="mosaic",
        max_length=80,
        title="Concept",
        description="One of those that come with Fretsaw; without effect where a folder is given.",
    )
    folder: Path | None = Field(
        default=None,
        title="Folder",
        description="Folder with an adapter that Train adapter made; empty: the concept above.",
    )


def bundled() -> list[str]:
    """Return the names of the adapters that come with Fretsaw."""
    return sorted(path.parent.name for path in BUNDLED.glob("*/adapter.json"))


def _folder(p: AdapterParams) -> Path:
    return BUNDLED / p.concept.strip() if p.folder is None else p.folder.expanduser()


def _files(p: AdapterParams) -> Iterable[Path]:
    return [_folder(p)]


@node("e2gan.adapter", title="Load adapter", reads=_files)
def e2gan_adapter(ctx: Context, p: AdapterParams) -> Adapter:
    """Load an adapter that was trained before: a bundled one, or one of your own.

    Source: Gong et al., E2GAN, ICML 2024, sec. 3.3: an adapter is all that is stored of a concept
    """
    if p.folder is None and p.concept.strip() not in bundled():
        known = bundled()
        raise FretsawError(
            f'There is no bundled adapter "{p.concept}".',
            nearest(p.concept, known) if known else "Give the folder of one.",
        )
    folder = _folder(p)
    if not (folder / "adapter.json").is_file():
        raise FretsawError(
            f'The folder "{folder}" holds no adapter.',
            "Choose the output folder of Train adapter.",
        )
    made = Adapter.load(folder)
    ctx.log(f"{made.concept}: {made.parameters:,} numbers.")
    return made
