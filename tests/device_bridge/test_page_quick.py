"""The first picture after a switch is a smaller one where a whole one takes long."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from backend.concept_values import Adapter
from backend.core.context import QuietContext
from backend.methods.e2gan import MergeParams, e2gan_merge
from device_bridge import protocol as say
from tests.device_bridge.concept_fixture import Exported
from tests.device_bridge.page_bench import Studio
from tests.device_bridge.test_page_concepts import OPENED, WORKER, opened, picture_after, shown

pytestmark = pytest.mark.timeout(120)
SIZE, SMALL = 128, 80


def test_a_slow_concept_is_shown_small_at_first_and_whole_right_after(
    studio: Studio, page: Any, slow: Exported
) -> None:
    opened(studio, page, slow)
    studio.until(say.Golden, lambda golden: golden.concept == slow.ids[-1], seconds=60)
    night, one, _ = slow.ids
    first = studio.picture().astype(float)
    told = shown(studio, one)
    assert told.is_quick
    assert told.sharp_ms is None
    whole = studio.until(say.ConceptShown, lambda m: m.first == one and m.sharp_ms is not None)
    assert whole.switch_ms == told.switch_ms < whole.sharp_ms
    assert whole.is_quick
    after = picture_after(studio, first, 4)
    assert after.shape == first.shape
    back = shown(studio, night)
    assert back.is_quick
    assert (back.first, back.by) == (night, "studio")


def test_a_photo_in_the_cameras_place_is_computed_whole_after_the_small_picture(
    studio: Studio, page: Any, slow: Exported
) -> None:
    opened(studio, page, slow)
    studio.until(say.Golden, lambda golden: golden.concept == slow.ids[-1], seconds=60)
    page.evaluate(
        """() => new Promise((done) => {
          const canvas = document.createElement('canvas');
          Object.assign(canvas, { width: 90, height: 120 });
          const context = canvas.getContext('2d');
          for (let y = 0; y < 120; y += 8) {
            context.fillStyle = `hsl(${3 * y} 80% 50%)`;
            context.fillRect(0, y, 90, 8);
          }
          canvas.toBlob((blob) => {
            const files = new DataTransfer();
            files.items.add(new File([blob], 'photo.png', { type: 'image/png' }));
            const input = document.querySelector('input[type=file]');
            input.files = files.files;
            input.dispatchEvent(new Event('change', { bubbles: true }));
            done();
          });
        })"""
    )
    _, one, two = slow.ids
    page.wait_for_timeout(600)
    for id in (one, two):
        assert shown(studio, id).is_quick
        studio.until(say.ConceptShown, lambda m, id=id: m.first == id and m.sharp_ms is not None)


FRAMES = f"""async ({{ input, mixes }}) => {{{OPENED}
  const quick = await quickOf(files, offer);
  await slot.ask('quicken', {{ model: quick }}, movable(quick));
  const all = [];
  const frame = async () => {{
    const pixels = Uint8ClampedArray.from(input).buffer;
    const answer = await slot.ask('frame', {{ pixels, width: from.width, height: from.height }});
    const {{ width, height, isQuick, mix }} = answer;
    all.push({{ width, height, isQuick, mix, pixels: Array.from(new Uint8Array(answer.pixels)) }});
  }};
  await frame();
  for (const mix of mixes) {{
    await mixing.set(slot, offer, mix);
    await frame();
    await frame();
  }}
  slot.close();
  return all;
}}"""


def test_small_and_whole_pictures_are_those_of_the_merged_network(
    studio: Studio, page: Any, slow: Exported
) -> None:
    opened(studio, page, slow)
    studio.until(say.Golden, lambda golden: golden.concept == slow.ids[-1], seconds=60)
    dice = np.random.default_rng(3)
    coarse = dice.integers(0, 256, (8, 8, 3)).astype(np.uint8)
    photo = np.kron(coarse, np.ones((SIZE // 8, SIZE // 8, 1), np.uint8))
    pixels = np.concatenate([photo, np.full((SIZE, SIZE, 1), 255, np.uint8)], 2)
    _, one, two = slow.ids
    mixes = [{"first": one}, {"first": two}]
    wish = {"input": pixels.ravel().tolist(), "mixes": mixes}
    before, *frames = page.evaluate(FRAMES, wish)
    assert not before["isQuick"], "nothing was asked for yet"
    assert [frame["isQuick"] for frame in frames] == [True, False] * 2
    assert [frame["mix"] for frame in frames] == [1, 1, 2, 2]
    image = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 127.5 - 1
    for n, adapter in enumerate(slow.adapters):
        small, whole = frames[2 * n : 2 * n + 2]
        assert (small["width"], small["height"]) == (SMALL, SMALL)
        for found, side in ((small, SMALL), (whole, SIZE)):
            made = np.array(found["pixels"], np.uint8).reshape(side, side, 4)[:, :, :3]
            wanted = answer(slow, adapter, covered(image, side))
            assert np.abs(made.astype(int) - wanted.astype(int)).max() <= 1


def covered(image: torch.Tensor, side: int) -> torch.Tensor:
    """Return the image with each new pixel the mean of what it covers, by fine steps."""
    step = SIZE // np.gcd(SIZE, side)
    fine = nn.functional.interpolate(image, (side * step, side * step), mode="nearest")
    return nn.functional.avg_pool2d(fine, step)


@torch.no_grad()
def answer(slow: Exported, adapter: Adapter, image: torch.Tensor) -> np.ndarray:
    made = e2gan_merge(QuietContext(), MergeParams(), slow.base, adapter).module(image)
    pixels = ((made[0].permute(1, 2, 0) + 1) * 127.5).clamp(0, 255)
    return pixels.round().numpy().astype(np.uint8)


def test_networks_that_are_quick_anyway_have_no_small_pictures(
    studio: Studio, page: Any, exported: Exported
) -> None:
    opened(studio, page, exported)
    studio.until(say.Golden, lambda golden: golden.concept == exported.ids[-1])
    told = shown(studio, exported.ids[1])
    assert not told.is_quick
    wish = {"input": exported.input.ravel().tolist(), "mixes": [{"first": exported.ids[1]}]}
    [found] = page.evaluate(WORKER, wish)
    assert np.abs(found - exported.output(exported.adapters[0]).ravel()).max() <= 1e-4
