"""Concepts on the server: what is offered, what is refused, and how the desktop merges."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.core.artifact import Artifact, file_sha256
from backend.core.errors import FretsawError
from device_bridge import protocol as say
from device_bridge import worker
from device_bridge.concepts import Mixer, require_concept
from device_bridge.edits import Edits
from device_bridge.frames import Frame, mix_message
from device_bridge.wire import Push
from tests.device_bridge.concept_fixture import Exported


def pushed(folder: Path) -> tuple[Edits, say.Offer]:
    edits = Edits()
    return edits, edits.push(Push(folder=str(folder), id="styles", name="Styles")).offer


def test_an_offer_lists_concepts_and_the_base_once(exported: Exported) -> None:
    edits, offer = pushed(exported.folder)
    assert offer.concepts is not None
    assert [one.id for one in offer.concepts.concepts] == exported.ids
    assert [one.kind for one in offer.concepts.concepts] == ["base", "adapter", "adapter"]
    roles = [file.role for file in offer.files]
    assert roles == ["graph", *["switch"] * 5, "weights", "golden"]
    for one in offer.concepts.concepts:
        roles = [file.role for file in one.files]
        assert roles[:2] == ["adapter", "golden"]
        assert ("blend" in roles) == (one.kind == "adapter")
        for file in one.files:
            content = edits.content(file.sha256)
            assert content is not None
            assert content.size == file.bytes
    told = {slot.name for slot in offer.concepts.slots if slot.told}
    assert {"tb.key", "tb.value", "down.1.weight"} <= told
    assert "rb_before.0.body.1.weight" not in told
    text = offer.model_dump_json(exclude_none=True)
    assert len(text) < say.MAX_JSON
    assert say.to_phone(text) == offer
    old = json.loads(text)
    del old["concepts"]
    assert say.to_phone(json.dumps(old)) is not None, "a studio before concepts is understood"


Change = Callable[[Path, dict[str, Any]], None]


def cut_adapter(folder: Path, record: dict[str, Any]) -> None:
    rewrite(folder, record, "c1.concept", lambda data: data[:-40])


def adapter_of_another_base(folder: Path, record: dict[str, Any]) -> None:
    record["facts"]["base"] = "0" * 64


def fixed_layer(folder: Path, record: dict[str, Any]) -> None:
    record["facts"]["inputs"].remove("down.1.weight")


def not_finite(folder: Path, record: dict[str, Any]) -> None:
    nan = np.float32(np.nan).tobytes()
    rewrite(folder, record, "c2.concept", lambda data: data[:-4] + nan)


def strange_blend(folder: Path, record: dict[str, Any]) -> None:
    rewrite(folder, record, "c2.blend", lambda data: data.replace(b"tb.k2", b"tb.k9"))


def slots_beyond_the_end(folder: Path, record: dict[str, Any]) -> None:
    record["facts"]["slots"][-1][2] += 1 << 20


def slots_over_each_other(folder: Path, record: dict[str, Any]) -> None:
    record["facts"]["slots"][1][2] = record["facts"]["slots"][0][2]


def same_id_twice(folder: Path, record: dict[str, Any]) -> None:
    record["facts"]["concepts"][1]["id"] = record["facts"]["concepts"][0]["id"]


def strange_id(folder: Path, record: dict[str, Any]) -> None:
    record["facts"]["concepts"][0]["id"] = "../night"


def outside(folder: Path, record: dict[str, Any]) -> None:
    record["facts"]["concepts"][0]["adapter"] = "../../secret"


def too_many(folder: Path, record: dict[str, Any]) -> None:
    first = record["facts"]["concepts"][0]
    record["facts"]["concepts"] = [{**first, "id": f"a{i}"} for i in range(65)]


def oversize(folder: Path, record: dict[str, Any]) -> None:
    rewrite(folder, record, "c1.concept", lambda data: data + bytes(16 * 1024 * 1024))


def no_golden(folder: Path, record: dict[str, Any]) -> None:
    rewrite(folder, record, "c1.golden.npz", lambda _: b"PK no archive")


def rewrite(
    folder: Path, record: dict[str, Any], name: str, change: Callable[[bytes], bytes]
) -> None:
    path = folder / name
    path.write_bytes(change(path.read_bytes()))
    entry = next(one for one in record["facts"]["files"] if one["path"] == name)
    entry["sha256"] = file_sha256(path)


@pytest.mark.parametrize(
    "change",
    [cut_adapter, adapter_of_another_base, fixed_layer, not_finite, strange_blend,
     slots_beyond_the_end, slots_over_each_other, same_id_twice, strange_id, outside, too_many,
     oversize, no_golden],
)  # fmt: skip
def test_a_damaged_artefact_is_refused_in_words(
    exported: Exported, tmp_path: Path, change: Change
) -> None:
    folder = tmp_path / "bad"
    shutil.copytree(exported.folder, folder, ignore=shutil.ignore_patterns("made"))
    record = json.loads((folder / "artifact.json").read_text())
    change(folder, record)
    (folder / "artifact.json").write_text(json.dumps(record))
    with pytest.raises(FretsawError) as caught:
        pushed(folder)
    assert caught.value.message.endswith(".")
    assert "Traceback" not in caught.value.message


@pytest.mark.parametrize("share", [-0.01, 1.01, "NaN", "0.5", None])
def test_a_share_that_is_none_is_refused_in_both_directions(share: Any) -> None:
    fields = {"v": 1, "t": "concept", "id": "styles", "first": "a", "second": "b", "share": share}
    for read, more in ((say.to_phone, {}), (say.from_phone, {"backend": "wasm-1"})):
        with pytest.raises(say.ProtocolError, match="share"):
            read(json.dumps({**fields, **more}))


def test_a_wish_for_what_is_not_there_names_what_is(exported: Exported) -> None:
    edits, _ = pushed(exported.folder)
    edit = edits.edits["styles"]
    require_concept(edit, say.ShowConcept(id="styles", first="c1", second="c2", share=0.5))
    with pytest.raises(FretsawError, match='no concept "c9"') as caught:
        require_concept(edit, say.ShowConcept(id="styles", first="c1", second="c9"))
    assert "c1" in caught.value.remedy or "c2" in caught.value.remedy
    with pytest.raises(FretsawError, match="was not pushed"):
        require_concept(None, say.ShowConcept(id="other", first="c1"))


def test_a_phone_that_names_an_unknown_concept_is_refused(exported: Exported) -> None:
    edits, _ = pushed(exported.folder)
    shown = say.ConceptShown(id="styles", first="c9", backend="wasm-1")
    with pytest.raises(say.ProtocolError, match='no concept "c9"'):
        edits.require_known(shown)
    chosen = say.Chosen(id="styles", concept=say.Mix(first="c1", second="x", share=0.1))
    with pytest.raises(say.ProtocolError, match='no concept "x"'):
        edits.require_known(chosen)
    edits.require_known(say.Chosen(id="gone", concept=say.Mix(first="c1")))


def test_the_desktop_merges_as_torch_does(exported: Exported) -> None:
    artifact = Artifact.load(exported.folder)
    mixer = Mixer(artifact)
    first, second = exported.adapters
    mixes = {
        say.Mix(first="night"): exported.output(None),
        say.Mix(first="c1"): exported.output(first),
        say.Mix(first="c1", second="c2", share=1.0): exported.output(second),
        say.Mix(first="c1", second="c2", share=0.4): exported.blend(0.4),
    }
    for mix, expected in mixes.items():
        run = worker._session(artifact, mixer, mix)
        found = run.run(None, {"image": exported.input})[0]
        assert np.abs(found - expected).max() <= 1e-4
    with pytest.raises(FretsawError, match='no concept "c9"'):
        mixer.weights(say.Mix(first="c9"))


def test_the_desktops_worker_changes_the_concept_between_pictures(exported: Exported) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    jpeg = io.BytesIO()
    Image.fromarray(pixels).save(jpeg, "JPEG")
    ask = Frame("ASK1", 1, 0.0, 0, jpeg.getvalue()).pack()
    wishes = [say.Mix(first="c1"), say.Mix(first="c2"), say.Mix(first="c1")]
    source = io.BytesIO(b"".join(mix_message(w.model_dump_json()) + ask for w in wishes))
    sink = io.BytesIO()
    worker.serve(exported.folder, source, sink)
    answers = sink.getvalue().split(b"ANS1")[1:]
    pictures = [
        np.asarray(Image.open(io.BytesIO(one[20:])).convert("RGB"), float) for one in answers
    ]
    assert np.array_equal(pictures[0], pictures[2])
    assert np.abs(pictures[0] - pictures[1]).mean() > 4
