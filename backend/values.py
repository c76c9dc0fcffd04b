"""What travels on links between nodes; each can be saved to a folder and loaded from it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from torch import nn

from backend.core.artifact import Artifact
from backend.core.channel_plan import ChannelSpace
from backend.core.errors import FretsawError
from backend.core.files import write_atomic
from backend.core.value import value
from backend.data.manifest import Manifest
from backend.data.pairs import PairsManifest
from backend.data.preprocess import ImageInput
from backend.models.recipe import Recipe, RecipeError, apply, load_network, save_network

__all__ = [
    "Artifact",
    "Classifier",
    "Cost",
    "CutPlan",
    "Data",
    "Diffuser",
    "Discriminator",
    "Figure",
    "Generator",
    "Model",
    "Pairs",
    "Report",
]


@value
@dataclass
class Model:
    """A network: recipe, module with weights, and what it reads.

    ``label`` names it in tables ("ResNet-20 float"). Nodes never change a model that they are
    given; :meth:`transformed` and :meth:`with_module` make new ones.
    """

    recipe: Recipe
    module: nn.Module
    image: ImageInput
    label: str = "model"
    facts: dict[str, Any] = field(default_factory=dict)

    def transformed(self, name: str, plan: dict[str, Any], *, label: str = "") -> Self:
        """Return a copy with a transform applied, weights carried along."""
        module, recipe = apply(self.module, self.recipe, name, plan)
        return self._with(recipe, module, label)

    def with_module(self, module: nn.Module, *, label: str = "", **facts: Any) -> Self:
        """Return the same recipe with other weights."""
        return self._with(self.recipe, module, label, **facts)

    def save(self, folder: Path) -> None:
        """Write recipe, tensors and description."""
        save_network(folder, self.recipe, self.module)
        record = {"image": asdict(self.image), "label": self.label, "facts": self.facts}
        record.update(self._extras())
        write_atomic(folder / "model.json", json.dumps(record, indent=1))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            RecipeError: damaged files, or a transform that is not installed.
        """
        recipe, module = load_network(folder)
        try:
            record = json.loads((folder / "model.json").read_bytes())
            image = ImageInput(**record.pop("image"))
            return cls(recipe, module, image, **record)
        except (OSError, ValueError, KeyError, TypeError) as error:
            if getattr(error, "for_user", False):
                raise
            raise RecipeError(
                f"model.json in {folder} is missing or damaged; take it from a copy, or save the "
                "network again."
            ) from error

    def _extras(self) -> dict[str, Any]:
        return {}

    def _with(self, recipe: Recipe, module: nn.Module, label: str, **facts: Any) -> Self:
        return type(self)(
            recipe,
            module,
            self.image,
            label=label or self.label,
            facts={**self.facts, **facts},
            **self._extras(),
        )


@value
@dataclass
class Classifier(Model):
    """A network with logits (N, K) for K named classes."""

    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Make a tuple of the list that JSON has."""
        self.classes = tuple(self.classes)

    def require_classes_of(self, data: Data) -> None:
        """Check that the network tells as many classes apart as ``data`` has.

        Raises:
            FretsawError: it does not.
        """
        known, wanted = len(self.classes), len(data.manifest.classes)
        if known != wanted:
            raise FretsawError(
                f"{self.label} knows {known} classes, but {data.manifest.title} has {wanted}.",
                "Link this data to the node that makes the network, too.",
            )

    def _extras(self) -> dict[str, Any]:
        return {"classes": self.classes}


@value
@dataclass
class Generator(Model):
    """A network from pictures (N, 3, H, W) to pictures of the same size.

    It reads what ``image`` says. What it gives are pixels once ``low`` is black and ``high`` is
    white: (y - low) / (high - low) on a 0..1 scale. ``any_size`` says that other heights and widths
    fit too, in multiples of ``multiple``.
    """

    low: float = -1.0
    high: float = 1.0
    any_size: bool = True
    multiple: int = 4

    def _extras(self) -> dict[str, Any]:
        return {
            "low": self.low,
            "high": self.high,
            "any_size": self.any_size,
            "multiple": self.multiple,
        }


@value
@dataclass
class Discriminator(Model):
    """A network from pictures to patch scores (N, 1, h, w).

    ``conditional``: it sees source and target stacked, (N, 6, H, W).
    """

    conditional: bool = True

    def _extras(self) -> dict[str, Any]:
        return {"conditional": self.conditional}


@value
@dataclass(frozen=True)
class Pairs:
    """Pictures before and after an edit: a manifest of pairs, see :mod:`backend.data.pairs`."""

    manifest: PairsManifest

    def save(self, folder: Path) -> None:
        """Write the manifest, and beside it the pictures that the making node wrote.

        Raises:
            DataError: a picture is gone.
        """
        self.manifest.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: a picture changed or vanished since.
        """
        return cls(PairsManifest.load(folder))


@value
@dataclass(frozen=True)
class Data:
    """A data set: a manifest of files, never a copy of them."""

    manifest: Manifest

    def labels(self) -> tuple[str, ...]:
        """Return the names of the classes.

        Raises:
            FretsawError: the pictures have no labels.
        """
        if not self.manifest.classes:
            raise FretsawError(
                f"{self.manifest.title} have no labels to learn from.", "Link labelled pictures."
            )
        return self.manifest.classes

    def save(self, folder: Path) -> None:
        """Write the manifest."""
        write_atomic(folder / "data.json", json.dumps(self.manifest.to_json(), indent=1))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: a file of the data set changed or vanished since.
        """
        manifest = Manifest.from_json(json.loads((folder / "data.json").read_text()))
        reason = manifest.stale()
        if reason:
            from backend.data.manifest import DataError

            raise DataError(reason)
        return cls(manifest)


@dataclass(frozen=True)
class Figure:
    """One measured figure; ``better`` says which direction wins, ``samples`` what it rests on."""

    name: str
    value: float
    unit: str = ""
    better: str = ""
    samples: int | None = None
    note: str = ""


@value
@dataclass(frozen=True)
class Report:
    """Figures about one subject, such as a model under one label."""

    subject: str
    figures: tuple[Figure, ...]
    kind: str = "report"
    details: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write the figures as JSON."""
        write_atomic(folder / "report.json", json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote."""
        record = json.loads((folder / "report.json").read_text())
        record["figures"] = tuple(Figure(**entry) for entry in record["figures"])
        return cls(**record)


@value
@dataclass(frozen=True)
class Cost:
    """What operations cost: ``table`` maps an operation's key to a figure in ``unit``.

    ``provenance`` says how the figures came about: a convention of counting, or a runtime, a
    machine and a number of threads. A search reads costs from here and from nowhere else.
    """

    unit: str
    provenance: str
    table: dict[str, float]

    def total(self, keys: Iterable[str]) -> float:
        """Sum the cost of operations.

        Raises:
            KeyError: an operation that is not in the table.
        """
        return sum(self.table[key] for key in keys)

    def save(self, folder: Path) -> None:
        """Write the table as JSON."""
        write_atomic(folder / "cost.json", json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote."""
        return cls(**json.loads((folder / "cost.json").read_text()))


@value
@dataclass(frozen=True)
class Diffuser:
    """A diffusion pipeline that edits pictures: where it is, which one it is, how it is run.

    The weights stay in ``source``, a folder or a hub id at ``commit``; ``digest`` is over its
    settings, and names and sizes of its weights. ``settings`` are those of
    :class:`backend.diffusion.editor.Settings`.
    """

    source: str
    commit: str
    digest: str
    kind: str
    settings: dict[str, Any]
    seed: int = 0
    label: str = "diffusion"
    facts: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write the reference as JSON, not the weights."""
        write_atomic(folder / "diffuser.json", json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote."""
        return cls(**json.loads((folder / "diffuser.json").read_text()))


@value
@dataclass(frozen=True)
class CutPlan:
    """Which channels of a network stay: the space that was searched, and what was found.

    ``keep`` names the surviving indices of every group of channels; ``size`` is the picture
    (C, H, W) that costs were counted for.
    """

    space: ChannelSpace
    widths: dict[str, int]
    keep: dict[str, list[int]]
    threshold: float
    size: tuple[int, int, int]

    def save(self, folder: Path) -> None:
        """Write the plan as JSON."""
        record = {
            "space": self.space.model_dump(mode="json"),
            "widths": self.widths,
            "keep": self.keep,
            "threshold": self.threshold,
            "size": list(self.size),
        }
        write_atomic(folder / "plan.json", json.dumps(record))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote."""
        record = json.loads((folder / "plan.json").read_text())
        record["space"] = ChannelSpace(**record["space"])
        record["size"] = tuple(record["size"])
        return cls(**record)
