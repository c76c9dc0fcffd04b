"""Concepts in the page: switched live, blended, reported; what is shown is what torch makes."""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device_bridge import protocol as say
from device_bridge import wire
from tests.device_bridge.concept_fixture import Exported
from tests.device_bridge.page_bench import Studio
from tests.device_bridge.page_fixtures import until
from tests.fakes.edit_artifact import edit_artifact

pytestmark = pytest.mark.timeout(90)
GAP_MS = 250


def opened(studio: Studio, page: Any, exported: Exported) -> say.Ready:
    studio.push(exported.folder, "styles", "Styles")
    page.goto(studio.token().url)
    return studio.until(say.Ready)


def shown(studio: Studio, first: str, **more: Any) -> say.ConceptShown:
    """Switch from the studio, and wait until the phone shows it."""
    before = studio.now
    studio.tell(say.ShowConcept(id="styles", first=first, **more))
    return studio.until(say.ConceptShown, lambda one: one.first == first, after=before)


def picture_after(studio: Studio, last: np.ndarray, least: float) -> np.ndarray:
    """Return the first preview that is unlike `last`; one of before may still be on its way."""
    deadline = time.monotonic() + 10
    while np.abs((picture := studio.picture().astype(float)) - last).mean() <= least:
        assert time.monotonic() < deadline, "the picture did not change"
    return picture


def test_three_concepts_are_switched_live_and_the_picture_follows(
    studio: Studio, page: Any, exported: Exported
) -> None:
    assert opened(studio, page, exported).backend == "wasm-1"
    night, one, two = exported.ids
    first = studio.until(say.ConceptShown)
    assert (first.first, first.by) == (night, "phone")
    last, switches = studio.picture().astype(float), []
    pictures = {night: last}
    for concept in (one, two, night, one):
        switches.append(shown(studio, concept))
        pictures[concept] = last = picture_after(studio, last, 8)
    assert {told.by for told in switches} == {"studio"}
    means = [pictures[id] for id in exported.ids]
    for i in range(3):
        assert np.abs(means[i] - means[i - 1]).mean() > 8, "each looks different"
    assert max(told.gap_ms or 0 for told in switches) < GAP_MS
    assert max(told.switch_ms or 0 for told in switches) < 1000  # bench concepts measures this
    studio.until(say.Telemetry, lambda told: told.concept == say.Mix(first=one))
    before = studio.now
    studio.tell(say.ShowConcept(id="styles", first="nosuch"))
    studio.until(wire.Trouble, lambda t: 'no concept "nosuch"' in t.text, after=before)
    studio.tell(say.ShowConcept(id="other", first=one))
    studio.until(wire.Trouble, lambda t: "was not pushed" in t.text, after=before)
    assert page.locator("#edit-name").text_content() == "c1"
    for id in exported.ids:
        studio.until(say.Golden, partial(is_good, id))
    assert len(studio.said(say.Golden)) == 1 + len(exported.ids)
    assert all(golden.ok for golden in studio.said(say.Golden))


def is_good(concept: str, golden: say.Golden) -> bool:
    return golden.concept == concept and golden.max_error <= 1e-4


OPENED = """
  const { startSlot } = await import('/page/slot.js');
  const { planOf } = await import('/page/ladder.js');
  const { modelOf, movable, quickOf } = await import('/page/model.js');
  const { Mixing } = await import('/page/mixing.js');
  const { Files } = await import('/page/files.js');
  const { offer } = JSON.parse(localStorage.getItem('fretsaw.edits.1')).edits[0];
  const files = new Files();
  const slot = await startSlot('wasm-1', planOf('wasm-1'));
  const model = await modelOf(files, offer, false);
  const { input: from, output: to } = offer;
  await slot.ask('build', { model, input: from, output: to }, movable(model));
  const mixing = new Mixing(files);
"""
"""A worker of its own with the edit that is on the phone."""
WORKER = f"""async ({{ input, mixes }}) => {{{OPENED}
  const all = [];
  for (const mix of mixes) {{
    await mixing.set(slot, offer, mix);
    const shape = [1, 3, from.height, from.width];
    const {{ data }} = await slot.ask('tensor', {{ data: Float32Array.from(input), shape }});
    all.push(Array.from(data));
  }}
  slot.close();
  return all;
}}"""


def test_mixes_are_those_of_the_merged_network_and_there_and_back_is_equal(
    studio: Studio, page: Any, exported: Exported
) -> None:
    opened(studio, page, exported)
    studio.until(say.Golden, lambda golden: golden.concept == exported.ids[-1])
    night, one, two = exported.ids
    mixes = [
        {"first": one}, {"first": two}, {"first": one}, {"first": night},
        {"first": one, "second": two, "share": 0}, {"first": one, "second": two, "share": 1},
        {"first": one, "second": two, "share": 0.5}, {"first": one, "second": two, "share": 0.2},
    ]  # fmt: skip
    wish = {"input": exported.input.ravel().tolist(), "mixes": mixes}
    found = [np.array(row, np.float32) for row in page.evaluate(WORKER, wish)]
    a, b, again, plain, start, end, half, fifth = found
    assert np.array_equal(a, again)
    assert np.array_equal(a, start)
    assert np.array_equal(b, end)
    wanted = [exported.output(x) for x in (*exported.adapters, None)]
    wanted += [exported.blend(0.5), exported.blend(0.2)]
    for got, expected in zip((a, b, plain, half, fifth), wanted, strict=True):
        assert np.abs(got - expected.ravel()).max() <= 1e-4
    assert np.abs(a - b).max() > 0.05


def test_a_tap_a_swipe_and_keys_switch_and_names_are_said(
    studio: Studio, page: Any, exported: Exported
) -> None:
    opened(studio, page, exported)
    night, one, two = exported.ids
    strip = page.get_by_role("radiogroup", name="Edits")
    assert strip.get_by_role("radio").count() == 3
    strip.get_by_role("radio", name="c1", exact=True).click()
    tapped = studio.until(say.ConceptShown, lambda told: told.first == one)
    assert tapped.by == "phone"
    assert page.locator("#edit-name").text_content() == "c1"
    page.keyboard.press("ArrowRight")
    studio.until(say.ConceptShown, lambda told: told.first == two)
    box = page.locator("#stage").bounding_box()
    middle = box["y"] + box["height"] / 2
    before = studio.now
    page.mouse.move(box["x"] + 300, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 180, middle, steps=4)
    page.mouse.up()
    studio.until(say.ConceptShown, lambda told: told.first == night, after=before)
    assert strip.get_by_role("radio", name="night").get_attribute("aria-checked") == "true"
    page.locator("#tab-edits").click()
    page.get_by_role("radio", name="Adapters").click()
    assert page.locator("#edits-grid").get_by_role("button", name="Show night").count() == 0
    page.locator("#edits-grid").get_by_role("button", name="Show c2").click()
    studio.until(say.ConceptShown, lambda told: told.first == two, after=before)
    assert page.locator("#camera").is_visible()


def test_a_slider_blends_while_it_is_dragged_and_the_last_wish_is_told(
    studio: Studio, page: Any, exported: Exported
) -> None:
    opened(studio, page, exported)
    _, one, two = exported.ids
    shown(studio, one)
    slider = page.get_by_label("Blend", exact=True)
    until(lambda: page.locator("#blend-with").input_value() == two)
    before = studio.now
    for value in range(2, 62, 2):
        slider.fill(str(value))
    told = studio.until(say.ConceptShown, lambda m: m.share == 0.6, after=before)
    assert (told.first, told.second) == (one, two)
    heard = [event.message for event in studio.events[before:] if isinstance(event, wire.Said)]
    assert len([one for one in heard if isinstance(one, say.ConceptShown)]) < 30
    assert page.locator("#edit-name").text_content() == "c1, 60 % c2"
    assert slider.get_attribute("aria-valuetext") == "60 % c2"
    page.locator("#blend-with").select_option("night")
    studio.until(say.ConceptShown, lambda m: m.second == "night" and m.share == 0.6)


def test_the_studios_blends_come_while_the_edit_is_still_on_its_way(
    studio: Studio, page: Any, exported: Exported
) -> None:
    _, one, two = exported.ids
    page.goto(studio.token().url)
    studio.until(wire.Connected)
    studio.push(exported.folder, "styles", "Styles")
    studio.tell(say.ShowConcept(id="styles", first=one, second=two, share=0.25))
    told = studio.until(say.ConceptShown, lambda m: m.share == 0.25)
    assert (told.first, told.second) == (one, two)


def test_a_reload_and_a_new_connection_keep_the_concept(
    studio: Studio, page: Any, exported: Exported
) -> None:
    opened(studio, page, exported)
    _, one, two = exported.ids
    shown(studio, one, second=two, share=0.5)
    before = studio.now
    page.reload()
    told = studio.until(say.ConceptShown, after=before)
    assert (told.first, told.second, told.share) == (one, two, 0.5)
    before = studio.now
    port = int(studio.base.rsplit(":", 1)[1].strip("/"))
    studio.listen(port)
    again = studio.until(say.ConceptShown, after=before, seconds=30)
    assert (again.first, again.share, again.switch_ms) == (one, 0.5, None)


def test_only_the_concept_that_is_new_is_fetched(
    studio: Studio, page: Any, exported: Exported, tmp_path: Path
) -> None:
    fetched: list[str] = []
    page.on("request", lambda r: "/model/" in r.url and fetched.append(r.url[-64:]))
    shutil.copytree(exported.folder, tmp_path / "two", ignore=shutil.ignore_patterns("made"))
    record = json.loads((tmp_path / "two" / "artifact.json").read_text())
    record["facts"]["concepts"].pop()
    (tmp_path / "two" / "artifact.json").write_text(json.dumps(record))
    studio.push(tmp_path / "two", "styles", "Styles")
    page.goto(studio.token().url)
    studio.until(say.Golden, partial(is_good, "c1"))
    page.wait_for_timeout(50)
    before, now = len(fetched), studio.now
    assert len(set(fetched)) == before, "nothing is fetched twice"
    studio.push(exported.folder, "styles", "Styles")
    studio.until(say.Golden, partial(is_good, "c2"), after=now)
    page.wait_for_timeout(50)
    new = {one["sha256"] for one in record["facts"]["files"] if one["path"].startswith("c2.")}
    assert len(new & set(fetched[before:])) == 2, "its file and the one for its blends"
    assert len(fetched) - before == 3, "and a sample of what it computes; the base is here"


def test_a_damaged_file_of_a_concept_is_refused_by_the_page_in_words(
    studio: Studio, page: Any, exported: Exported
) -> None:
    page.goto(studio.base)
    slots = json.loads((exported.folder / "artifact.json").read_text())["facts"]["slots"]
    data = (exported.folder / "c1.concept").read_bytes()
    broken = {
        "cut off": data[:100],
        "no concept's file": b"\x02\0\0\0\0\0\0\0{}",
        "layer": data.replace(b"down.1", b"dawn.1"),
        "no rank": data.replace(b'down.1\\":2', b'down.1\\":0'),
        "not finite": data[:-4] + np.float32(np.inf).tobytes(),
        "another format": data.replace(b'format\\":1', b'format\\":7'),
        "unknown type": data.replace(b'"F32"', b'"F8 "'),
    }
    dice = np.random.default_rng(0)
    mutants = [bytearray(data) for _ in range(60)]
    for mutant in mutants:
        header = 8 + int.from_bytes(data[:8], "little")
        for at in dice.integers(0, header, 2):
            mutant[at] = dice.integers(0, 256)
    said = page.evaluate(
        """async ({ files, slots }) => {
          const { readConcept } = await import('/page/concepts.js');
          const places = new Map(slots.map(([name, shape, offset]) =>
            [name, { name, shape, offset, told: true }]));
          return files.map((bytes) => {
            const data = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0)).buffer;
            try { readConcept({ id: 'a', data }, places); return 'read'; }
            catch (error) { return `${error.name}: ${error.message}`; }
          });
        }""",
        {
            "files": [base64.b64encode(one).decode() for one in (*broken.values(), *mutants)],
            "slots": slots,
        },
    )
    for words, answer in zip(broken, said, strict=False):
        assert answer.startswith("ConceptError")
        assert words in answer
    assert {one.partition(":")[0] for one in said} <= {"read", "ConceptError"}


def test_the_desktop_switches_for_a_phone_that_cannot(
    studio: Studio, new_page: Callable[..., Any], exported: Exported
) -> None:
    page = new_page()
    page.add_init_script(
        "localStorage.setItem('fretsaw.choice.1', JSON.stringify({agent: navigator.userAgent,"
        "picked: 'desktop', split: 0, strength: 1}))"
    )
    assert opened(studio, page, exported).backend == "desktop"
    night, one, two = exported.ids
    assert shown(studio, night).backend == "desktop"
    pictures = [studio.picture().astype(float)]
    for mix in ({"first": one}, {"first": one, "second": two, "share": 0.5}):
        told = shown(studio, **mix)
        assert told.backend == "desktop"
        pictures.append(picture_after(studio, pictures[-1], 4))
    for i in range(3):
        assert np.abs(pictures[i] - pictures[i - 1]).mean() > 4


def test_a_plain_edit_has_no_blend_and_a_page_that_is_older_is_named(
    studio: Studio, page: Any, exported: Exported, tmp_path: Path
) -> None:
    page.add_init_script(
        "const { send } = WebSocket.prototype; WebSocket.prototype.send = function (text) {"
        "  send.call(this, typeof text === 'string' ? text.replace('\"page\":\"2\"',"
        '    \'"page":"1"\') : text); }'
    )
    studio.push(edit_artifact(tmp_path / "a"), "invert", "Invert")
    page.goto(studio.token().url)
    studio.until(say.Ready)
    assert not page.locator("#blend-row").is_visible()
    studio.push(exported.folder, "styles", "Styles", show=False)
    before, began = studio.now, time.monotonic()
    studio.tell(say.ShowConcept(id="styles", first=exported.ids[0]))
    trouble = studio.until(wire.Trouble, after=before)
    assert "Reload the page" in trouble.remedy
    assert time.monotonic() - began < 10
