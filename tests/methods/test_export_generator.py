"""Generators as ONNX files: sizes, facts, golden pair, thumb, parity, weights beside the file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from torch import nn

from backend.core.artifact import Artifact, file_sha256
from backend.core.errors import FretsawError
from backend.data import vision
from backend.data.preprocess import ImageInput
from backend.export.runtime import session
from backend.export.verify import ParityError
from backend.methods import export_generator as methods
from backend.methods.export import OnnxParams, export_float
from backend.methods.profile import ProfileParams, profile
from backend.models.editing import edit_pictures
from backend.models.recipe import Recipe, build
from backend.values import Classifier, Data, Generator, Pairs
from tests.methods.graphs import write_pairs
from tests.methods.test_evaluate_images import Seen

RECIPE = Recipe(
    "zoo:resnet_generator(width=4, blocks=1, norm='batch', upsampling='shuffle', skips=True)"
)


@pytest.fixture(scope="module")
def model() -> Generator:
    torch.manual_seed(0)
    module = build(RECIPE, meta=False)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
    image = ImageInput(3, 32, 32, (0.5,) * 3, (0.5,) * 3)
    return Generator(RECIPE, module.eval(), image, "Tiny edit", {"epochs": 7})


@pytest.fixture(scope="module")
def photos() -> Data:
    return Data(vision.photos("bundled", size=32, crops=1))


@pytest.fixture(scope="module")
def exported(model, photos, tmp_path_factory) -> Artifact:
    ctx = Seen(folder=tmp_path_factory.mktemp("exported"))
    ctx.node = "onnx"
    return export_float(ctx, OnnxParams(dynamic_batch=False), model, photos)


def test_facts_tell_a_device_all_it_needs(model, exported):
    facts = exported.facts
    assert (exported.format, exported.path.name) == ("onnx", "tiny-edit.onnx")
    assert exported.input.name == "image"
    assert exported.output.name == "edited"
    assert exported.input.shape == exported.output.shape == (1, 3, 32, 32)
    assert facts["task"] == "image_to_image"
    assert facts["output"] == {"low": -1.0, "high": 1.0}
    assert ImageInput(**facts["image"]) == model.image
    assert (facts["node"], facts["epochs"], facts["label"]) == ("onnx", 7, "Tiny edit")
    assert facts["bytes"] == exported.path.stat().st_size
    assert facts["parity"]["max_error"] <= facts["parity"]["tolerance"] == 1e-4
    json.dumps(facts)


def test_the_file_is_for_old_runtimes_and_has_no_norms(exported):
    file = onnx.load(exported.path)
    assert file.ir_version <= 9
    assert [entry.version for entry in file.opset_import] == [17]
    kinds = {node.op_type for node in file.graph.node}
    assert not kinds & {"BatchNormalization", "InstanceNormalization"}


def test_gmacs_are_those_of_the_profile_node(model, exported):
    ctx = Seen()
    report = profile(ctx, ProfileParams(seconds=0.01), model, exported)
    figures = {f.name: f.value for f in report.figures}
    assert figures["MACs"] == pytest.approx(1e9 * exported.facts["gmacs"])
    assert figures["time"] > 0
    # By hand: the first convolution, 7 x 7, 3 to 4 channels, of 32 x 32 places.
    first = next(row for row in ctx.views["layers"].rows if row[0] == "stem.1")
    assert first[4] == 32 * 32 * 49 * 3 * 4


def test_the_size_of_a_file_counts_the_weights_beside_it(model, exported):
    beside = {"path": "x.weights", "sha256": "0" * 64, "bytes": 1_024_000}
    apart = replace(exported, facts={**exported.facts, "weights": beside})
    sizes = [
        next(f for f in profile(Seen(), ProfileParams(seconds=0.01), model, one).figures
             if f.name == "file")
        for one in (exported, apart)
    ]  # fmt: skip
    assert sizes[1].value == pytest.approx(sizes[0].value + 1000)
    assert "beside" in sizes[1].note
    assert not sizes[0].note


def test_the_golden_pair_is_a_photo_and_what_the_network_makes_of_it(model, photos, exported):
    pair = np.load(exported.golden, allow_pickle=False)
    assert pair["input"].shape == pair["output"].shape == (1, 3, 32, 32)
    assert pair["input"].dtype == pair["output"].dtype == np.float32
    first = vision.open_split(photos.manifest, "val").take(np.array([0]))
    assert (pair["input"] == model.image.batch(first).numpy()).all()
    with torch.no_grad():
        wanted = model.module(torch.from_numpy(pair["input"])).numpy()
    assert pair["output"] == pytest.approx(wanted, abs=1e-4)


def test_the_thumb_is_a_small_jpeg_of_an_edited_photo(model, photos, exported):
    assert exported.thumb == exported.path.parent / exported.facts["thumb"]
    picture = Image.open(exported.thumb)
    assert picture.format == "JPEG"
    assert picture.size == (32, 32)
    assert exported.thumb.stat().st_size < 8000
    first = vision.open_split(photos.manifest, "val").take(np.array([0]))
    edited, _ = edit_pictures(model.module, first, model.image, low=-1, high=1)
    gap = np.abs(np.asarray(picture).astype(int) - edited[0]).mean()
    assert gap < 25, "JPEG, but the same picture"


def test_without_pictures_there_is_no_thumb_and_pairs_do_as_well(model, tmp_path):
    plain = export_float(Seen(folder=tmp_path / "a"), OnnxParams(), model)
    assert plain.thumb is None
    assert plain.input.shape == (None, 3, 32, 32)
    from backend.data.pair_folder import pair_folder

    pairs = Pairs(pair_folder(write_pairs(tmp_path / "p"), size=32))
    ctx = Seen(folder=tmp_path / "b")
    assert export_float(ctx, OnnxParams(), model, pairs).thumb.is_file()
    assert ctx.images["before, after"].shape == (32, 64, 3)


def test_a_free_size_is_open_in_both_and_fixed_networks_refuse_it(model, tmp_path):
    free = export_float(Seen(folder=tmp_path), OnnxParams(any_size=True), model)
    assert free.input.shape == (None, 3, None, None)
    assert free.facts["multiple"] == model.multiple
    x = np.zeros((2, 3, 16, 48), np.float32)
    assert session(free.path).run(None, {"image": x})[0].shape == x.shape
    with pytest.raises(FretsawError, match="one size only"):
        export_float(
            Seen(folder=tmp_path), OnnxParams(any_size=True), replace(model, any_size=False)
        )


def test_a_file_that_disagrees_fails_and_says_so(model, tmp_path):
    ctx = Seen(folder=tmp_path)
    with pytest.raises(ParityError, match="does not compute what the network computes"):
        export_float(ctx, OnnxParams(tolerance=1e-12), model)
    assert ctx.views["parity"].holds is False
    assert ParityError.exit_code == 4


def test_norms_that_fold_into_something_else_are_found(model, tmp_path):
    x = torch.rand(1, 3, 32, 32)
    other = build(RECIPE, meta=False).eval()
    with pytest.raises(ParityError, match="cannot be folded"):
        methods._require_equal(model, other, x, 1e-4)


def test_classifiers_refuse_what_is_for_generators(tmp_path, model):
    recipe = Recipe("zoo:resnet(depth=8, width=4, in_channels=3)")
    net = Classifier(recipe, build(recipe, meta=False), model.image, "net", classes=("a",) * 10)
    pairs = object.__new__(Pairs)
    with pytest.raises(FretsawError, match="pairs of pictures are no use"):
        export_float(Seen(folder=tmp_path), OnnxParams(), net, pairs)
    with pytest.raises(FretsawError, match="at one picture size"):
        export_float(Seen(folder=tmp_path), OnnxParams(any_size=True), net)


def beside(exported: Artifact, content: bytes) -> Artifact:
    path = exported.path.with_suffix(".weights")
    path.write_bytes(content)
    told = {"path": path.name, "sha256": file_sha256(path), "bytes": len(content)}
    return replace(exported, facts={**exported.facts, "weights": told})


def test_saving_takes_weights_and_thumb_along_and_loading_checks_them(exported, tmp_path):
    artifact = beside(exported, b"1234")
    folder = tmp_path / "saved"
    folder.mkdir()
    artifact.save(folder)
    found = Artifact.load(folder)
    assert found.weights.read_bytes() == b"1234"
    assert found.thumb.read_bytes() == artifact.thumb.read_bytes()
    assert found.facts == json.loads(json.dumps(artifact.facts))
    found.weights.write_bytes(b"1235")
    with pytest.raises(ValueError, match=r"weights .* were changed"):
        Artifact.load(folder)
    found.weights.unlink()
    with pytest.raises(ValueError, match=r"weights .* are missing"):
        Artifact.load(folder)


@pytest.mark.parametrize("key", ["weights", "thumb"])
def test_names_that_lead_out_of_the_folder_are_refused(exported, tmp_path, key: str):
    folder = tmp_path / "saved"
    folder.mkdir()
    beside(exported, b"1234").save(folder)
    record = json.loads((folder / "artifact.json").read_text())
    outside: Path = tmp_path / "secret"
    outside.write_bytes(b"1234")
    named = "../secret"
    weights = {**record["facts"]["weights"], "path": named}
    record["facts"][key] = weights if key == "weights" else named
    (folder / "artifact.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match="leads out"):
        Artifact.load(folder)
