"""What E2GAN's nodes have in common: adapters put on, concepts fixed, inputs that fit together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from torch import Tensor, nn

from backend.concept_values import ConceptBase, Concepts, RankPlan, recipe_digest
from backend.core.context import Context
from backend.core.errors import FretsawError, nearest
from backend.data.pairs import PairsManifest
from backend.distill import lora
from backend.models.concept import GROUPS, fix_concept
from backend.models.recipe import apply
from backend.models.seeded import seeded
from backend.values import Discriminator, Generator, Pairs

BLOCKS = "rb"
"""Both parts of residual blocks, which the paper speaks of as one."""
_RESIDUAL = tuple(name for name in GROUPS if name.startswith(BLOCKS))

_FEW = 16  # training pairs below which a generator learns them by heart


class Lesson(NamedTuple):
    """One concept to learn: its name, prompt, token vectors (T, D), and the pairs of it."""

    name: str
    prompt: str
    text: Tensor
    manifest: PairsManifest


def attached(
    base: ConceptBase,
    ranks: Mapping[str, int],
    scale: float,
    seed: int,
    form: lora.Form = "conv",
) -> nn.Module:
    """Return a copy of the base network with fresh adapters; only these can be trained."""
    with seeded(seed):
        plan = {"ranks": dict(ranks), "scale": scale, "form": form}
        return lora.fuse(apply(base.module, base.recipe, "lora.attach", plan)[0])


def is_trained(one: Discriminator) -> bool:
    """Whether there is something to go on from."""
    return one.facts.get("trained") is not False


def fixed(
    base: ConceptBase, network: nn.Module, text: Tensor, label: str, **facts: Any
) -> Generator:
    """Return ``network``, of the base's recipe, as a generator of one concept."""
    module, recipe = apply(network, base.recipe, "concept.fix", {"tokens": len(text)})
    fix_concept(module, text)
    found = {**base.facts, **facts}
    return Generator(recipe, module.eval(), base.image, label, found, multiple=8)


def groups_of(text: str) -> tuple[str, ...]:
    """Return the parts of the generator that ``text`` lists; the paper's where it lists none.

    Source: Gong et al., E2GAN, ICML 2024, fig. 3: all but the residual blocks.

    Raises:
        FretsawError: there is no such part.
    """
    named = [one.strip() for one in text.split(",") if one.strip()]
    if not named:
        return lora.CRUCIAL
    wanted: set[str] = set()
    for name in named:
        if name not in (*GROUPS, BLOCKS):
            raise FretsawError(
                f'The generator has no part "{name}".',
                f"Its parts are {', '.join((*GROUPS, BLOCKS))}.",
            )
        wanted.update(_RESIDUAL if name == BLOCKS else (name,))
    return tuple(one for one in GROUPS if one in wanted)


def ranks_for(
    base: ConceptBase, rank: int, parts: str, form: lora.Form, plan: RankPlan | None
) -> tuple[dict[str, int], lora.Form]:
    """Return the rank of each layer and the form: those of ``plan``, else the given ones.

    Raises:
        FretsawError: the plan was made for another network.
    """
    if plan is None:
        return lora.rank_plan(lora.adaptable(base.module, groups_of(parts)), rank, form), form
    if plan.recipe != recipe_digest(base.recipe):
        raise FretsawError(
            f"The plan of ranks was made for another network than {base.label}.",
            "Link the same base to the node that plans the ranks.",
        )
    return dict(plan.ranks), plan.form


def listed_ranks(text: str, layers: Mapping[str, nn.Module]) -> dict[str, int]:
    """Return the rank of each layer from ``part: rank, layer: rank``; the longer name comes first.

    Raises:
        FretsawError: a part that cannot be read, or that is not there.
    """
    wanted: dict[str, int] = {}
    for one in filter(None, (part.strip() for part in text.replace("\n", ",").split(","))):
        name, _, rank = (side.strip() for side in one.partition(":"))
        if not rank.isdecimal() or int(rank) < 1:
            raise FretsawError(
                f'"{one[:60]}" is no rank of a part.', 'Write "tb: 2" or "tb.q1: 4".'
            )
        inside = [layer for layer in layers if layer == name or layer.startswith(name + ".")]
        if not inside:
            raise FretsawError(
                f'No layer that can carry an adapter is called "{name}".',
                nearest(name, {*layers, *(layer.split(".")[0] for layer in layers)}),
            )
        wanted[name] = int(rank)
    found = {}
    for layer in layers:
        names = [name for name in wanted if layer == name or layer.startswith(name + ".")]
        if names:
            found[layer] = wanted[max(names, key=len)]
    return found


def lesson_of(
    ctx: Context, base: ConceptBase, concepts: Concepts, pairs: Pairs, chosen: str = ""
) -> Lesson:
    """Return the concept that pairs and prompts are of.

    One name of pairs and one concept belong together, whatever they are called.

    Raises:
        FretsawError: none or several, or a text that the base cannot read.
    """
    has = pairs.manifest.concepts()
    found = [name for name in concepts.prompts if name in has]
    if chosen:
        if chosen not in concepts.prompts:
            raise FretsawError(
                f'There is no concept "{chosen}".', nearest(chosen, concepts.prompts)
            )
        found = [chosen] if chosen in has or len(has) == 1 else []
    elif not found and len(has) == len(concepts) == 1:
        found = list(concepts.prompts)
    if len(found) != 1:
        raise FretsawError(
            f"An adapter is for one concept; the pairs and the linked concepts share "
            f"{len(found)}: the pairs are of {_listed(has)}, the concepts are "
            f"{_listed(concepts.prompts)}.",
            "Name the concept to be taken, or give it the name that its pairs have.",
        )
    name = found[0]
    called = name if name in has else has[0]
    if called != name:
        ctx.log(f'The pairs are of "{called}"; they teach the concept "{name}".')
    require_texts(base, concepts)
    manifest = joined([pairs], [called])
    _warn(ctx, manifest, {called: concepts.prompts[name]})
    return Lesson(name, concepts.prompts[name], concepts.text(name), manifest)


def require_texts(base: ConceptBase, concepts: Concepts) -> None:
    """Check that the base can read the concepts' texts.

    Raises:
        FretsawError: no concept, texts of several lengths, of another text encoder, or token
            vectors of another length.
    """
    if not len(concepts):
        raise FretsawError("No concept has a prompt.", 'Write some: "watercolour: make it ...".')
    if base.concepts is not None and base.concepts.encoder != concepts.encoder:
        raise FretsawError(
            f"{base.label} was trained on texts of {base.concepts.encoder}, these are of "
            f"{concepts.encoder}.",
            "Choose the same text encoder.",
        )
    shapes = {tuple(text.shape) for text in concepts.texts.values()}
    reads = base.module.get_submodule("tb.k2").in_features
    if len(shapes) > 1:
        raise FretsawError(
            "The texts of the concepts are of several lengths.",
            "Let one node read all prompts.",
        )
    count, length = next(iter(shapes))
    known = {len(text) for text in base.concepts.texts.values()} if base.concepts else set()
    if known and count not in known:
        raise FretsawError(
            f"{base.label} was trained on texts of {min(known)} tokens, these have {count}.",
            "Choose the same number of tokens for both.",
        )
    if length != reads:
        raise FretsawError(
            f"{base.label} reads token vectors of {reads} numbers; those of {concepts.encoder} "
            f"have {length}.",
            f"Make a generator with a text vector of {length}, or choose the other text encoder.",
        )


def joined(pairs: list[Pairs], names: Iterable[str]) -> PairsManifest:
    """Return the pairs of ``names`` as one set.

    Raises:
        FretsawError: none, sizes or ways of reading that differ, or a picture that is in the
            training pairs of one set and in other pairs of another.
    """
    first, wanted = pairs[0].manifest, set(names)
    if any(one.manifest.size != first.size for one in pairs):
        raise FretsawError("The pairs are of several sizes.", "Make all of one size.")
    if len({_way(one.manifest) for one in pairs}) > 1:
        raise FretsawError(
            "The pairs are read in several ways (side by side or apart, cut out or stretched).",
            "Bring all folders into one layout, with the same fit.",
        )
    kept = tuple(x for one in pairs for x in one.manifest.pairs if x.concept in wanted)
    if not kept:
        has = dict.fromkeys(name for one in pairs for name in one.manifest.concepts())
        raise FretsawError(
            f"None of the pairs is of a linked concept: the pairs are of {_listed(has)}.",
            "Give concepts the names that pairs have.",
        )
    _require_apart(pairs)
    title = ", ".join(dict.fromkeys(one.manifest.title for one in pairs))
    return replace(first, title=title, pairs=kept)


def base_pairs(ctx: Context, concepts: Concepts, pairs: list[Pairs]) -> PairsManifest:
    """Return the pairs of all concepts as one set; say what is left out on either side.

    Raises:
        FretsawError: as :func:`joined`.
    """
    manifest = joined(pairs, concepts.prompts)
    has = dict.fromkeys(name for one in pairs for name in one.manifest.concepts())
    for name in has:
        if name not in concepts.prompts:
            ctx.log(f'Left out: the pairs of "{name}" have no prompt.', "warning")
    for name in concepts.prompts:
        if name not in has:
            ctx.log(f'Left out: the concept "{name}" has no pairs.', "warning")
    _warn(ctx, manifest, concepts.prompts)
    return manifest


def _way(manifest: PairsManifest) -> tuple[bool, str]:
    return bool(manifest.options.get("halves")), str(manifest.options.get("fit", "crop"))


def _require_apart(pairs: list[Pairs]) -> None:
    known: dict[str, str] = {}
    for one in pairs:
        mine: dict[str, str] = {}
        for pair in one.manifest.pairs:
            key = pair.source.sha256 or pair.source.path
            mine.setdefault(key, pair.split)
            if known.get(key, pair.split) != pair.split:
                raise FretsawError(
                    f'One picture is in the "{known[key]}" pairs of one set and in the '
                    f'"{pair.split}" pairs of another.',
                    "Make all pairs from the same node of photos, so that they are split alike.",
                )
        known |= mine


def _warn(ctx: Context, manifest: PairsManifest, prompts: Mapping[str, str]) -> None:
    made = {pair.concept: pair.prompt for pair in manifest.pairs if pair.prompt}
    for name, prompt in made.items():
        if prompts.get(name, prompt) != prompt:
            ctx.log(
                f'The pairs of "{name}" were made by the prompt "{prompt}", the concept says '
                f'"{prompts[name]}".',
                "warning",
            )
    count = manifest.count("train")
    if 0 < count < _FEW:
        ctx.log(
            f"There are only {count} training pairs; they will be learned by heart. Take some "
            "hundred.",
            "warning",
        )


def _listed(names: Iterable[str]) -> str:
    some = [f'"{name}"' for name in names]
    more = f" and {len(some) - 6} more" if len(some) > 6 else ""
    return (", ".join(some[:6]) + more) or "nothing"
