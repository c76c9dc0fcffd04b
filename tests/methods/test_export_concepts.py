"""export.concepts: base once, small files; what they say, merged and mixed, is what torch makes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from backend.concept_values import Adapter, ConceptBase, Concepts
from backend.core.artifact import Artifact
from backend.core.context import Context, QuietContext
from backend.core.errors import FretsawError
from backend.data.preprocess import ImageInput
from backend.distill import lora
from backend.export import concept_file, concepts
from backend.export.concept_file import TEXT_LAYERS, ConceptError
from backend.export.slots import Slot
from backend.methods.e2gan import BlendParams, MergeParams, e2gan_blend, e2gan_merge
from backend.methods.e2gan_parts import attached
from backend.methods.export_concepts import ConceptsExportParams, export_concepts
from tests.methods.test_e2gan import adapter, base


def ranked(of: ConceptBase, seed: int, scale: float = 1.0, *, text: bool = False) -> Adapter:
    """Return a random adapter; with ``text`` it changes how the text is projected, too."""
    made = adapter(of, seed, scale)
    if text:
        return made
    ranks = {k: r for k, r in made.ranks.items() if k not in ("tb.k2", "tb.v2")}
    tensors = {k: t for k, t in made.tensors.items() if k[:-2] in ranks}
    return replace(made, ranks=ranks, tensors=tensors)


def exported(
    folder: Path, of: ConceptBase, adapters: list[Adapter], **params: Any
) -> tuple[Artifact, QuietContext]:
    folder.mkdir(parents=True, exist_ok=True)
    ctx = QuietContext(folder=folder)
    return export_concepts(ctx, ConceptsExportParams(**params), of, adapters), ctx


def parts(artifact: Artifact) -> tuple[bytes, list[Slot], list[concept_file.Concept]]:
    places = [Slot(n, tuple(s), o, b) for n, s, o, b in artifact.facts["slots"]]
    weights = artifact.weights
    assert weights is not None
    folder = artifact.path.parent
    read = []
    for one in artifact.facts["concepts"]:
        concept = concept_file.read((folder / one["adapter"]).read_bytes(), places, one["id"])
        if one["blend"]:
            met = concept_file.read_met((folder / one["blend"]).read_bytes(), places)
            concept = replace(concept, met=met)
        read.append(concept)
    return weights.read_bytes(), places, read


def computed(artifact: Artifact, mix: list[tuple[concept_file.Concept, float]]) -> np.ndarray:
    """Return what the switching graph computes for a mix of concepts, on the golden input."""
    weights, places, _ = parts(artifact)
    merged = concept_file.merged(weights, places, mix)
    assert artifact.golden is not None
    told = concepts.told(merged, places, artifact.facts["inputs"])
    stages = [artifact.path.parent / name for name in artifact.facts["switch"]]
    assert len(stages) == concepts.STAGES
    return concepts.run_stages(stages, np.load(artifact.golden)["input"], told)


@torch.no_grad()
def expected(artifact: Artifact, of: ConceptBase, one: Adapter | None) -> np.ndarray:
    assert artifact.golden is not None
    made = e2gan_merge(QuietContext(), MergeParams(), of, one)
    return made.module(torch.from_numpy(np.load(artifact.golden)["input"])).numpy()


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, ConceptBase, list[Adapter]]:
    """A concept of the base, an adapter, and one that changes how the text is projected, too."""
    of = base()
    adapters = [ranked(of, 1, 0.5), ranked(of, 2, 1.5, text=True)]
    return exported(tmp_path_factory.mktemp("mixed"), of, adapters, concepts="all")[0], of, adapters


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, ConceptBase, Context]:
    """Two adapters of the same name."""
    of = base()
    same = [replace(ranked(of, seed), concept="Ink & Wash!") for seed in (1, 2)]
    artifact, ctx = exported(tmp_path_factory.mktemp("plain"), of, same)
    return artifact, of, ctx


@pytest.mark.parametrize("share", [0.0, 0.5, 0.8, 1.0])
def test_every_mix_of_two_concepts_is_the_merged_blend(mixed: Any, share: float) -> None:
    artifact, of, (one, two) = mixed
    _, _, (_, first, second) = parts(artifact)
    assert second.met, "the hard case: the text is projected by changed layers"
    blend = e2gan_blend(QuietContext(), BlendParams(share=share), one, two)
    found = computed(artifact, [(first, 1 - share), (second, share)])
    assert np.abs(found - expected(artifact, of, blend)).max() <= 1e-4


@pytest.fixture(scope="module")
def matrices(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Artifact, ConceptBase, list[Adapter]]:
    """Two adapters of two matrices, and one of two convolutions."""
    of = base()
    adapters = [adapter(of, 1, 0.5, "matrix"), adapter(of, 2, 1.0, "matrix"), adapter(of, 3)]
    return exported(tmp_path_factory.mktemp("matrices"), of, adapters)[0], of, adapters


def test_adapters_of_two_matrices_are_stored_whole_and_merged_as_in_torch(matrices: Any) -> None:
    artifact, of, adapters = matrices
    weights, places, found = parts(artifact)
    sides = {"down.1": 7, "down.5": 3, "down.9": 3, "ds.1": 3, "us.2": 3}
    sides |= {"up.2": 3, "up.7": 3, "up.11": 7}
    assert found[0].rows == found[1].rows == sides
    assert found[2].rows == {}, "the other form is written as before"
    for concept, one in zip(found, adapters, strict=True):
        merged = concept_file.merged(weights, places, [(concept, 1.0)])
        network = e2gan_merge(QuietContext(), MergeParams(), of, one).module.state_dict()
        for slot in places:
            values = np.frombuffer(merged, "<f4", slot.bytes // 4, slot.offset)
            exact = network[slot.name].numpy().ravel()
            assert np.abs(values - exact).max() <= 1e-5, slot.name
        assert (
            np.abs(computed(artifact, [(concept, 1.0)]) - expected(artifact, of, one)).max()
            <= (artifact.facts["tolerance"])
        )
    texts = found[0].key.size + found[0].value.size
    text_layers = sum(t.numel() for k, t in adapters[0].tensors.items() if k[:5] in TEXT_LAYERS)
    numbers = sum(a.size + b.size for a, b in found[0].pairs.values())
    assert numbers == adapters[0].parameters - text_layers
    record = artifact.facts["concepts"][0]
    assert (artifact.path.parent / record["adapter"]).stat().st_size < 4 * (numbers + texts) + 2048


@pytest.mark.parametrize("norm", ["plain", "none"])
def test_bases_of_other_norms_without_halving_are_exported(norm: str, tmp_path: Path) -> None:
    of = base(halved=False, norm=norm)
    made = adapter(of, 1, 0.2)
    artifact, _ = exported(tmp_path, of, [made])
    _, _, (concept,) = parts(artifact)
    assert np.abs(computed(artifact, [(concept, 1.0)]) - expected(artifact, of, made)).max() <= 1e-4


@pytest.mark.parametrize("other", [1, 2])
def test_a_mix_of_either_form_is_the_merged_blend(matrices: Any, other: int) -> None:
    artifact, of, adapters = matrices
    weights, places, found = parts(artifact)
    blend = e2gan_blend(QuietContext(), BlendParams(share=0.3), adapters[0], adapters[other])
    network = e2gan_merge(QuietContext(), MergeParams(), of, blend).module.state_dict()
    merged = concept_file.merged(weights, places, [(found[0], 0.7), (found[other], 0.3)])
    for slot in places:
        values = np.frombuffer(merged, "<f4", slot.bytes // 4, slot.offset)
        assert np.abs(values - network[slot.name].numpy().ravel()).max() <= 1e-5, slot.name


@pytest.mark.parametrize("rows", [0, 2, True, 1.5, "3", None, [3]])
def test_rows_that_are_none_are_refused(matrices: Any, rows: Any) -> None:
    _, places, found = parts(matrices[0])
    odd = replace(found[0], rows={**found[0].rows, "down.5": rows})
    with pytest.raises(ConceptError):
        concept_file.read(concept_file.write(odd), places)


def test_pure_concepts_are_the_merged_networks(mixed: Any) -> None:
    artifact, of, (one, two) = mixed
    _, _, (night, first, second) = parts(artifact)
    pictures = [expected(artifact, of, which) for which in (None, one, two)]
    for concept, picture in zip((night, first, second), pictures, strict=True):
        assert np.abs(computed(artifact, [(concept, 1.0)]) - picture).max() <= 1e-4
    assert min(np.abs(pictures[i] - pictures[i - 1]).max() for i in range(3)) > 0.05


def test_a_concept_of_the_base_blends_with_one_that_adapts_the_text(mixed: Any) -> None:
    artifact, of, (_, two) = mixed
    _, _, (night, _, second) = parts(artifact)
    assert not night.pairs
    none = replace(
        two,
        tensors={k: torch.zeros_like(t) for k, t in two.tensors.items()},
        text=of.concepts.text("night"),
    )
    blend = e2gan_blend(QuietContext(), BlendParams(share=0.3), none, two)
    found = computed(artifact, [(night, 0.7), (second, 0.3)])
    assert np.abs(found - expected(artifact, of, blend)).max() <= 1e-4


def test_the_sampled_golden_is_of_the_concept(mixed: Any) -> None:
    artifact, of, (one, _) = mixed
    kept = np.load(artifact.path.parent / artifact.facts["concepts"][1]["golden"])
    step = int(kept["step"])
    assert np.abs(kept["output"] - expected(artifact, of, one)[:, :, ::step, ::step]).max() <= 1e-4


def test_the_base_is_stored_once_and_a_concept_holds_its_numbers_alone(
    plain: Any, tmp_path: Path
) -> None:
    artifact, of, ctx = plain
    entry, other = artifact.facts["concepts"]
    assert (entry["id"], other["id"]) == ("ink-wash", "ink-wash-2")
    assert {entry["kind"], other["kind"]} == {"adapter"}
    one = ranked(of, 1)
    heads, tokens, channels = 2, 5, 16
    numbers = one.parameters + 2 * tokens * channels
    data = (artifact.path.parent / entry["adapter"]).read_bytes()
    header = int.from_bytes(data[:8], "little")
    assert len(data) == 8 + header + 4 * numbers
    assert header < 32 * (len(one.ranks) + 8)
    _, _, read = parts(artifact)
    assert not read[1].met
    assert entry["blend"] is None
    assert read[1].key.shape == (1, heads, tokens, channels // heads)
    metrics = {k: v for _, row in ctx.metrics for k, v in row.items()}
    assert metrics["base_bytes"] == artifact.weights.stat().st_size
    assert metrics["adapter_bytes"] == len(data)
    assert artifact.facts["parity"]["max_error"] <= 1e-4
    artifact.save(tmp_path)
    again = Artifact.load(tmp_path)
    assert {path.name for path in again.others.values()} <= {p.name for p in tmp_path.iterdir()}
    (tmp_path / entry["adapter"]).write_bytes(data[:-4])
    with pytest.raises(ValueError, match="was changed"):
        Artifact.load(tmp_path)


def test_half_precision_halves_the_file_and_says_what_it_costs(
    plain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, of, _ = plain
    one = ranked(of, 1)
    said: list[str] = []
    monkeypatch.setattr(QuietContext, "log", lambda _, text, level="info": said.append(level))
    monkeypatch.setattr("backend.methods.export_concepts.MOST_GMACS", 1e-6)
    half, _ = exported(tmp_path, of, [one], precision="float16")
    assert "warning" in said, "a network above the limit is exported, with a word"
    whole, small = (a.facts["concepts"][0] for a in (full, half))
    assert small["bytes"] < 0.6 * whole["bytes"]
    assert whole["rounding"] is None
    found = np.abs(computed(half, [(parts(half)[2][0], 1.0)]) - expected(half, of, one)).max()
    assert small["rounding"] == pytest.approx(float(found), abs=1e-4)
    assert 0 < small["rounding"] < 0.05
    assert small["max_error"] <= 1e-4, "the file is computed as it is"


def test_pictures_show_what_each_concept_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype(np.uint8)
    monkeypatch.setattr("backend.methods.export_concepts.pictures_of", lambda *_: photo)
    of = base()
    artifact, _ = exported(tmp_path, of, [ranked(of, 1)], concepts="all")
    named = [artifact.facts["before"], *(one["thumb"] for one in artifact.facts["concepts"])]
    pictures = [np.asarray(Image.open(artifact.others[name]), float) for name in named]
    assert all(picture.shape == (32, 32, 3) for picture in pictures)
    assert min(np.abs(pictures[i] - pictures[i - 1]).mean() for i in range(3)) > 4
    assert artifact.thumb is not None


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    of, other = base(), base(7)
    with pytest.raises(FretsawError, match="another base"):
        exported(tmp_path, other, [ranked(of, 1)])
    with pytest.raises(FretsawError, match='not trained on "day"'):
        exported(tmp_path, of, [], concepts="day")
    bare = of.trained(of.module, Concepts({}, {}, "random"))
    with pytest.raises(FretsawError, match="knows no concept"):
        exported(tmp_path, bare, [])
    odd = replace(of, image=ImageInput(3, 36, 32, (0.5,) * 3, (0.5,) * 3))
    with pytest.raises(FretsawError, match="multiples of 8"):
        exported(tmp_path, odd, [])
    short = replace(ranked(of, 1), text=torch.randn(4, 6))
    with pytest.raises(FretsawError, match="4 to 5 tokens"):
        exported(tmp_path, of, [short], concepts="night")


def cut(data: bytes) -> bytes:
    return data[:-4]


def longer(data: bytes) -> bytes:
    return data + bytes(4)


def header_beyond(data: bytes) -> bytes:
    return (2**40).to_bytes(8, "little") + data[8:]


def other_layer(data: bytes) -> bytes:
    return data.replace(b"down.1", b"dawn.1")


def other_rank(data: bytes) -> bytes:
    return data.replace(b'down.1\\":2', b'down.1\\":3')


def great_rank(data: bytes) -> bytes:
    return data.replace(b'down.1\\":2', b'down.1\\":-')


def other_format(data: bytes) -> bytes:
    return data.replace(b'format\\":1', b'format\\":9')


def other_type(data: bytes) -> bytes:
    return data.replace(b'"F32"', b'"F64"')


def not_finite(data: bytes) -> bytes:
    return data[:-4] + np.float32(np.nan).tobytes()


def oversize(data: bytes) -> bytes:
    return data + bytes(concept_file.MOST_BYTES)


@pytest.mark.parametrize(
    "damage",
    [cut, longer, header_beyond, other_layer, other_rank, great_rank, other_format, other_type,
     not_finite, oversize, lambda _: b"", lambda _: b"\0" * 64],
)  # fmt: skip
def test_a_damaged_file_is_refused_in_words(damage: Any) -> None:
    whole, places = made_file()
    damaged = damage(whole)
    assert damaged != whole
    with pytest.raises(ConceptError, match=r"\.$"):
        concept_file.read(damaged, places)


def made_file() -> tuple[bytes, list[Slot]]:
    of = base()
    one = ranked(of, 1, text=True)
    network = attached(of, one.ranks, one.scale, 0)
    lora.load_adapter_state(network, one.tensors)
    made = e2gan_merge(QuietContext(), MergeParams(), of, one)
    concept = concepts.concept_of(made.module, one.tensors, one.ranks, 1.0, "b")
    state = made.module.state_dict()
    places = [Slot(n, tuple(t.shape), 0, 4 * t.numel()) for n, t in state.items()]
    return concept_file.write(concept), places


def test_bytes_that_changed_on_the_way_are_read_or_refused(mixed: Any) -> None:
    artifact, _, _ = mixed
    weights, places, _ = parts(artifact)
    dice = np.random.default_rng(0)
    read_count, refusals = 0, list[str]()
    for name, read in (("c2.concept", concept_file.read), ("c2.blend", concept_file.read_met)):
        data = (artifact.path.parent / name).read_bytes()
        header = 8 + int.from_bytes(data[:8], "little")
        for n in range(200):
            broken = bytearray(data)
            # Mostly in the header: a number that changed is another number.
            for at in dice.integers(0, header if n % 4 else len(data), 1 + n % 3):
                broken[at] = dice.integers(0, 256)
            try:
                found = read(bytes(broken), places)
                if isinstance(found, concept_file.Concept):
                    concept_file.merged(weights, places, [(found, 1.0)])
                read_count += 1
            except ConceptError as error:
                refusals.append(str(error))
    assert len(refusals) > read_count > 0
    assert all(text.endswith(".") for text in refusals)


def test_small_pictures_for_the_first_after_a_switch_read_the_same_weights(tmp_path: Path) -> None:
    of = base(size=96)
    one, two = adapter(of, 1, 0.5), adapter(of, 2)
    artifact, _ = exported(tmp_path, of, [one, two])
    quick = artifact.facts["quick"]
    assert (quick["height"], quick["width"]) == (64, 64)
    assert len(quick["graphs"]) == concepts.QUICK_STAGES
    assert {path.suffix for path in tmp_path.iterdir()} >= {".onnx", ".weights"}
    assert not (tmp_path / f"{artifact.path.stem}.quick.onnx").exists(), "only its stages stay"
    weights, places, (first, second) = parts(artifact)
    merged = concept_file.merged(weights, places, [(first, 0.7), (second, 0.3)])
    told = concepts.told(merged, places, artifact.facts["inputs"])
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    graphs = [artifact.path.parent / name for name in quick["graphs"]]
    found = concepts.run_stages(graphs, image.numpy(), told)
    blend = e2gan_blend(QuietContext(), BlendParams(share=0.3), one, two)
    with torch.no_grad():
        wanted = e2gan_merge(QuietContext(), MergeParams(), of, blend).module(image).numpy()
    assert np.abs(found - wanted).max() <= 1e-4
    kept = tmp_path / "kept"
    kept.mkdir()
    artifact.save(kept)
    (kept / quick["graphs"][0]).write_bytes(b"other")
    with pytest.raises(ValueError, match="was changed"):
        Artifact.load(kept)


def test_a_network_of_tiny_pictures_has_no_smaller_ones(plain: Any) -> None:
    assert plain[0].facts["quick"] is None
    assert [concepts.quick_side(side) for side in (32, 64, 96, 224, 256, 512)] == [
        0, 0, 64, 144, 160, 320,
    ]  # fmt: skip
