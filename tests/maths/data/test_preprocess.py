from __future__ import annotations

import numpy as np
import pytest
import torch

from backend.data.manifest import DataError
from backend.data.preprocess import ImageInput
from backend.data.splits import Pixels

RNG = np.random.default_rng(0)


def test_the_formula():
    u8 = torch.from_numpy(RNG.integers(0, 256, (4, 6, 5, 3), dtype=np.uint8))
    image = ImageInput(3, 6, 5, (0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    x = image.to_float(u8)
    assert x.shape == (4, 3, 6, 5)
    assert x.dtype == torch.float32
    assert x.is_contiguous(memory_format=torch.channels_last)
    mean, std = (torch.tensor(v, dtype=torch.float64) for v in (image.mean, image.std))
    expected = ((u8.double() / 255 - mean) / std).permute(0, 3, 1, 2)
    assert torch.allclose(x.double(), expected, atol=1e-6)


def test_unit_range_is_exact():
    u8 = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1)
    before = u8.clone()
    x = ImageInput(1, 16, 16, (0.0,), (1.0,)).to_float(u8)
    assert torch.equal((x.flatten() * 255).round(), torch.arange(256.0))
    assert x.max() == 1
    assert torch.equal(u8, before)


def test_grey_becomes_colour_and_back():
    grey = torch.full((2, 4, 4, 1), 51, dtype=torch.uint8)
    x = ImageInput(3, 4, 4, (0, 0, 0), (1, 1, 1)).to_float(grey)
    assert x.shape == (2, 3, 4, 4)
    assert torch.allclose(x, torch.tensor(0.2))
    colour = torch.tensor([255, 0, 0], dtype=torch.uint8).expand(2, 4, 4, 3)
    y = ImageInput(1, 4, 4, (0,), (1,)).to_float(colour)
    assert y.shape == (2, 1, 4, 4)
    assert torch.allclose(y, torch.tensor(0.299))


@pytest.mark.parametrize("size", [(4, 6), (20, 30)])
def test_size_is_changed_and_flat_stays_flat(size):
    u8 = torch.full((2, 9, 13, 3), 102, dtype=torch.uint8)
    x = ImageInput(3, *size, (0.4, 0.4, 0.4), (1, 1, 1)).to_float(u8)
    assert x.shape == (2, 3, *size)
    assert x.abs().max() < 1e-6


def test_measured_standardises():
    pixels = RNG.normal(100, 30, (300, 8, 8, 3)).clip(0, 255).astype(np.uint8)
    images = Pixels(pixels, np.zeros(300))
    image = ImageInput.measured(images)
    flat = pixels.reshape(-1, 3) / 255
    assert np.allclose(image.mean, flat.mean(0))
    assert np.allclose(image.std, flat.std(0))
    x = image.batch(images.take(np.arange(300)))
    assert x.mean((0, 2, 3)).abs().max() < 1e-4
    assert (x.std((0, 2, 3)) - 1).abs().max() < 1e-3
    few = ImageInput.measured(images, most=10)
    assert np.allclose(few.mean, image.mean, atol=0.02)


def test_flat_pictures_do_not_divide_by_zero():
    image = ImageInput.measured(Pixels(np.zeros((3, 2, 2, 1), np.uint8), np.zeros(3)))
    assert image.std == (1 / 255,)


def test_read_only_pixels_are_fine():
    pixels = np.frombuffer(bytes(16), np.uint8).reshape(1, 4, 4, 1)
    assert ImageInput(1, 4, 4, (0,), (1,)).batch(pixels).sum() == 0


@pytest.mark.parametrize(
    "fields",
    [
        (2, 4, 4, (0, 0), (1, 1)),
        (1, 0, 4, (0,), (1,)),
        (3, 4, 4, (0,), (1,)),
        (1, 4, 4, (0,), (0,)),
    ],
)
def test_bad_fields_get_a_sentence(fields):
    with pytest.raises(DataError, match="input"):
        ImageInput(*fields)


@pytest.mark.parametrize("shape", [(2, 4, 4), (2, 4, 4, 2), (2, 4, 4, 4)])
def test_bad_pictures_get_a_sentence(shape):
    with pytest.raises(DataError, match="Pictures need the shape"):
        ImageInput(1, 4, 4, (0,), (1,)).to_float(torch.zeros(shape, dtype=torch.uint8))
