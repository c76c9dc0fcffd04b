"""The page reads concepts' files and merges them: the same weights as the desktop's, in all forms.

No picture is made here; see test_page_concepts for those.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from backend.concept_values import Adapter, ConceptBase
from backend.core.context import QuietContext
from backend.distill import lora
from backend.export import concept_file, concepts
from backend.export.concept_file import KEY, VALUE, Concept, ConceptError
from backend.export.slots import Slot
from backend.methods.e2gan import BlendParams, MergeParams, e2gan_blend, e2gan_merge
from tests.device_bridge.page_bench import Studio
from tests.methods.test_e2gan import adapter, base

pytestmark = pytest.mark.timeout(90)

MERGE = """async ({ files, slots, weights, mixes }) => {
  const { readConcept, merged } = await import('/page/concepts.js');
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
  const places = new Map(slots.map(([name, shape, offset]) =>
    [name, { name, shape, offset, told: true }]));
  const all = files.map(([data, blend], i) =>
    readConcept({ id: String(i), data: bytes(data), blend: blend && bytes(blend) }, places));
  const base = new Float32Array(bytes(weights));
  return mixes.map((mix) => {
    const found = merged(base, places, mix.map(([i, share]) => [all[i], share]));
    return slots.map(([name]) => Array.from(found.get(name)));
  });
}"""


def laid_out(of: ConceptBase) -> tuple[bytes, list[Slot]]:
    """Return the weights that a concept may change, one after the other, and where each is."""
    state = e2gan_merge(QuietContext(), MergeParams(), of).module.state_dict()
    names = [f"{layer}.weight" for layer in lora.adaptable(of.module)] + [KEY, VALUE]
    names = [name for name in names if name[:5] not in concept_file.TEXT_LAYERS]
    slots, data = [], b""
    for name in names:
        values = state[name].numpy()
        slots.append(Slot(name, values.shape, len(data), values.nbytes))
        data += values.tobytes()
    return data, slots


def stored(of: ConceptBase, one: Adapter, texts: dict[str, torch.Tensor]) -> tuple[bytes, bytes]:
    made = e2gan_merge(QuietContext(), MergeParams(), of, one).module
    concept = concepts.concept_of(made, one.tensors, one.ranks, one.scale, of.digest())
    met = concepts.met_of(one.tensors, one.ranks, texts)
    return concept_file.write(concept), concept_file.write_met(met)


def test_what_the_page_merges_is_what_the_desktop_and_torch_merge(
    studio: Studio, page: Any
) -> None:
    of = base()
    adapters = [adapter(of, 1, 0.5, "matrix"), adapter(of, 2, 1.5, "matrix"), adapter(of, 3)]
    texts = {str(i): one.text for i, one in enumerate(adapters)}
    weights, slots = laid_out(of)
    files = [stored(of, one, texts) for one in adapters]
    mixes = [[(0, 1.0)], [(2, 1.0)], [(0, 0.7), (1, 0.3)], [(0, 0.7), (2, 0.3)], []]
    page.goto(studio.token().url)
    wish = {
        "files": [[base64.b64encode(x).decode() for x in pair] for pair in files],
        "slots": [[s.name, list(s.shape), s.offset] for s in slots],
        "weights": base64.b64encode(weights).decode(),
        "mixes": mixes,
    }
    said = page.evaluate(MERGE, wish)
    read = [whole(pair, slots, str(i)) for i, pair in enumerate(files)]
    assert [bool(concept.rows) for concept in read] == [True, True, False]
    for mix, found in zip(mixes, said, strict=True):
        desktop = concept_file.merged(weights, slots, [(read[i], share) for i, share in mix])
        exact = in_torch(of, [(adapters[i], share) for i, share in mix])
        for slot, values in zip(slots, found, strict=True):
            wanted = np.frombuffer(desktop, "<f4", slot.bytes // 4, slot.offset)
            assert np.abs(np.array(values, np.float32) - wanted).max() <= 2e-6, slot.name
            if mix:
                assert np.abs(wanted - exact[slot.name].numpy().ravel()).max() <= 1e-5, slot.name


def whole(pair: tuple[bytes, bytes], slots: list[Slot], id: str) -> Concept:
    data, blend = pair
    return replace(concept_file.read(data, slots, id), met=concept_file.read_met(blend, slots))


def in_torch(of: ConceptBase, mix: list[tuple[Adapter, float]]) -> dict[str, torch.Tensor]:
    one = mix[0][0] if mix else None
    if len(mix) == 2:
        share = BlendParams(share=mix[1][1])
        one = e2gan_blend(QuietContext(), share, mix[0][0], mix[1][0])
    return e2gan_merge(QuietContext(), MergeParams(), of, one).module.state_dict()


def test_files_with_rows_that_are_none_are_refused_in_words(studio: Studio, page: Any) -> None:
    of = base()
    one = adapter(of, 1, form="matrix")
    _, slots = laid_out(of)
    data, blend = stored(of, one, {"0": one.text})
    concept = whole((data, blend), slots, "0")
    odd = [0, -3, 2, 1.5, "3", None, True, [3], {"a": 3}]
    files = [
        concept_file.write(replace(concept, rows={**concept.rows, "down.5": rows})) for rows in odd
    ]
    files.append(data.replace(b'format\\":2', b'format\\":1').replace(b"rows", b"sown"))
    page.goto(studio.token().url)
    said = page.evaluate(
        """async ({ files, slots }) => {
          const { readConcept } = await import('/page/concepts.js');
          const places = new Map(slots.map(([name, shape, offset]) =>
            [name, { name, shape, offset, told: true }]));
          return files.map((text) => {
            const data = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
            try { readConcept({ id: 'a', data }, places); return 'read'; }
            catch (error) { return `${error.name}: ${error.message}`; }
          });
        }""",
        {
            "files": [base64.b64encode(one).decode() for one in files],
            "slots": [[s.name, list(s.shape), s.offset] for s in slots],
        },
    )
    assert {answer.partition(":")[0] for answer in said} == {"ConceptError"}
    assert sum("no rows" in answer for answer in said) >= 7
    for broken in files:
        with pytest.raises(ConceptError):
            concept_file.read(broken, slots)
