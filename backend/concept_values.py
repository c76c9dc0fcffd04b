"""Values of the one-concept-a-tap generators: concepts, base network, plan of ranks, adapter."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self, get_args

from torch import Tensor, nn

from backend.core.errors import FretsawError, nearest
from backend.core.files import write_atomic
from backend.core.value import value
from backend.data.preprocess import ImageInput
from backend.distill.lora import Form
from backend.models.recipe import Recipe, RecipeError, load_network
from backend.models.tensors import pack, read_tensors, write_together
from backend.values import Model

TENSORS = "adapter.safetensors"
_TEXT = "text.safetensors"


@value
@dataclass(frozen=True)
class Concepts:
    """Edits by name: the prompt of each, and what a text encoder made of it.

    ``texts`` are token vectors (T, D), float32, of the encoder called ``encoder``.
    """

    prompts: dict[str, str]
    texts: dict[str, Tensor]
    encoder: str

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.prompts)

    def text(self, name: str) -> Tensor:
        """Return the token vectors (T, D) of a concept.

        Raises:
            FretsawError: there is no such concept.
        """
        if name not in self.texts:
            raise FretsawError(f'There is no concept "{name}".', nearest(name, self.texts))
        return self.texts[name]

    def save(self, folder: Path) -> None:
        """Write prompts as JSON and token vectors as safetensors."""
        _write(folder, "concepts.json", {"prompts": self.prompts, "encoder": self.encoder})
        _write_texts(folder, self.texts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            RecipeError: damaged files.
        """
        with _record(folder, "concepts.json") as record:
            return cls(record["prompts"], _read_texts(folder, record["prompts"]), record["encoder"])


@value
@dataclass
class ConceptBase(Model):
    """A network from pictures and token vectors of a text to edited pictures, both in -1 .. 1.

    Sides of pictures are multiples of 8. ``concepts`` are those that it was trained on; None
    before.
    """

    concepts: Concepts | None = None

    def save(self, folder: Path) -> None:
        """Write the network, and the concepts in a folder of their own."""
        super().save(folder)
        if self.concepts is not None:
            (folder / "concepts").mkdir(exist_ok=True)
            self.concepts.save(folder / "concepts")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            RecipeError: damaged files, or a transform that is not installed.
        """
        recipe, module = load_network(folder)
        inside = folder / "concepts"
        concepts = Concepts.load(inside) if inside.is_dir() else None
        with _record(folder, "model.json") as record:
            image = ImageInput(**record.pop("image"))
            return cls(recipe, module, image, **record, concepts=concepts)

    def trained(self, module: nn.Module, concepts: Concepts, **facts: Any) -> Self:
        """Return the same recipe with other weights, trained on ``concepts``."""
        return replace(self, module=module, concepts=concepts, facts={**self.facts, **facts})

    def digest(self) -> str:
        """Return a SHA-256 over recipe and weights: adapters fit one base only."""
        total = hashlib.sha256(recipe_digest(self.recipe).encode())
        for name, tensor in sorted(self.module.state_dict().items()):
            total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            total.update(tensor.detach().cpu().contiguous().numpy().data)
        return total.hexdigest()


@value
@dataclass(frozen=True)
class RankPlan:
    """The rank of each adapted layer; ``recipe`` is the digest of the base's recipe.

    ``form`` is that of the adapters' convolutions, see :data:`backend.distill.lora.Form`; a rank
    means something else in the other one.
    ``mode`` says how the ranks were found, ``trials`` every plan that was tried, or every part that
    was studied.
    """

    ranks: dict[str, int]
    recipe: str
    mode: str
    parameters: int
    trials: list[dict[str, Any]] = field(default_factory=list)
    form: Form = "conv"

    def save(self, folder: Path) -> None:
        """Write the plan as JSON."""
        _write(folder, "ranks.json", {f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            RecipeError: a damaged file.
        """
        with _record(folder, "ranks.json") as record:
            made = cls(**record)
            if made.form not in get_args(Form):
                raise ValueError("an unknown form of adapters")
            return made


@value
@dataclass(frozen=True)
class Adapter:
    """What one concept adds to a base: tensors ``layer.A`` and ``layer.B``, and its text (T, D).

    The change of a layer's weight is ``scale`` B A, see :func:`backend.distill.lora.delta`.
    ``base`` is the digest of the base that it was trained on, see :meth:`ConceptBase.digest`; it
    means nothing on another.
    """

    tensors: dict[str, Tensor]
    text: Tensor
    ranks: dict[str, int]
    scale: float
    concept: str
    prompt: str
    encoder: str
    base: str
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """How many numbers the tensors hold."""
        return sum(tensor.numel() for tensor in self.tensors.values())

    def save(self, folder: Path) -> None:
        """Write ``adapter.safetensors`` with the tensors alone, the text, and a description."""
        write_together(
            folder,
            {
                TENSORS: pack(self.tensors, {"base": self.base}),
                _TEXT: pack({"0": self.text}),
            },
        )
        kept = ("ranks", "scale", "concept", "prompt", "encoder", "base", "facts")
        _write(folder, "adapter.json", {name: getattr(self, name) for name in kept})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            RecipeError: damaged files, files of two adapters, or other ranks than described.
        """
        file = read_tensors(folder / TENSORS)
        text = read_tensors(folder / _TEXT).tensors
        with _record(folder, "adapter.json") as record:
            if file.notes["base"] != record["base"]:
                raise ValueError("the files belong to two adapters")
            made = cls(tensors=file.tensors, text=text["0"], **record)
            found = {k[:-2]: t.shape[0] for k, t in made.tensors.items() if k.endswith(".A")}
            if found != made.ranks:
                raise ValueError("the ranks are not those of the tensors")
            return made

    def require_base(self, base: ConceptBase) -> None:
        """Check that it was trained on ``base``.

        Raises:
            FretsawError: it was not.
        """
        if self.base != base.digest():
            raise FretsawError(
                f'The adapter "{self.concept}" was trained on another base than {base.label}.',
                "Link the base that it was trained on, or train it again.",
            )


def recipe_digest(recipe: Recipe) -> str:
    """Return a SHA-256 of a recipe as JSON."""
    return hashlib.sha256(json.dumps(recipe.to_json(), sort_keys=True).encode()).hexdigest()


def _write(folder: Path, name: str, record: Mapping[str, Any]) -> None:
    write_atomic(folder / name, json.dumps(record, indent=1))


def _write_texts(folder: Path, texts: Mapping[str, Tensor]) -> None:
    # Numbered: a concept may be called anything, names in the file may not.
    numbered = {str(i): text for i, text in enumerate(texts.values())}
    write_together(folder, {_TEXT: pack(numbered)})


def _read_texts(folder: Path, names: Mapping[str, str]) -> dict[str, Tensor]:
    found = read_tensors(folder / _TEXT).tensors
    return {name: found[str(i)] for i, name in enumerate(names)}


@contextmanager
def _record(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """Give the JSON record in a file; what is wrong with it becomes one sentence."""
    try:
        yield json.loads((folder / name).read_bytes())
    except (OSError, ValueError, KeyError, TypeError) as error:
        if getattr(error, "for_user", False):
            raise
        raise RecipeError(
            f"{name} in {folder} is missing or damaged ({error}); take it from a copy, or run the "
            "node that made it again."
        ) from error
