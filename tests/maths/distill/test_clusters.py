"""Choosing by clusters; properties P7 and P8 of the E2GAN digest."""

from __future__ import annotations

import numpy as np
import pytest

from backend.distill.clusters import ClusterError, choose, coverage, kmeans, pixel_features


def blobs(count: int = 6, size: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    made = np.random.default_rng(seed)
    angles = np.arange(count) * 2 * np.pi / count
    centres = 10 * np.stack([np.cos(angles), np.sin(angles)], 1)
    labels = np.repeat(np.arange(count), size)
    return centres[labels] + 0.3 * made.normal(size=(count * size, 2)), labels


def test_e2gan_p7_one_of_each_cluster_the_nearest_to_its_centre() -> None:
    points, labels = blobs()
    picked = choose(points, 6)
    assert sorted(labels[picked]) == list(range(6))
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    for index in picked:
        members = np.flatnonzero(labels == labels[index])
        distance = ((unit[members] - unit[members].mean(0)) ** 2).sum(1)
        assert members[distance.argmin()] == index


def test_e2gan_p7_the_choice_is_the_same_for_the_same_seed() -> None:
    points = np.random.default_rng(1).normal(size=(60, 5))
    first = choose(points, 12, seed=3)
    assert (first == choose(points, 12, seed=3)).all()
    assert len(set(first.tolist())) == 12


def test_e2gan_p7_random_choices_miss_a_cluster_as_often_as_counting_says() -> None:
    points, labels = blobs()
    trials = 400
    missed = sum(
        len(set(labels[choose(points, 6, how="random", seed=s)])) < 6 for s in range(trials)
    )
    # 6 of 120 without replacement hit each of 6 blobs of 20 with probability 20^6 / C(120, 6).
    hit = 20**6 / 3_652_745_460
    assert missed / trials == pytest.approx(1 - hit, abs=0.03)


def test_e2gan_p8_of_near_duplicates_at_most_one_is_chosen() -> None:
    made = np.random.default_rng(0)
    concepts = made.normal(size=(8, 16))
    prompts = np.repeat(concepts, 3, axis=0) + 0.01 * made.normal(size=(24, 16))
    picked = choose(prompts, 8)
    assert len({index // 3 for index in picked}) == 8
    assert len({index // 3 for index in choose(prompts, 5, how="farthest")}) == 5


def test_several_of_each_cluster_are_the_nearest_ones() -> None:
    points, labels = blobs()
    picked = choose(points, 18, each=3)
    assert np.bincount(labels[picked]).tolist() == [3] * 6
    assert set(choose(points, 6)) <= set(picked)
    uneven = choose(points[labels != 5][:81], 81, each=9)
    assert len(set(uneven.tolist())) == 81, "small clusters give all they have, others the rest"


def test_pictures_are_told_apart_by_their_colours_and_covered_better_than_by_chance() -> None:
    dice = np.random.default_rng(0)
    colours = 30 + 200 * np.array([(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1)])
    kind = np.repeat(np.arange(5), [40, 5, 5, 5, 5])
    noise = dice.integers(-9, 10, (60, 20, 30, 3))
    pictures = np.clip(colours[kind, None, None] + noise, 0, 255).astype(np.uint8)
    features = pixel_features(pictures)
    assert features.shape == (60, 32)
    picked = choose(features, 5, directions=False)
    assert sorted(kind[picked]) == list(range(5))
    chance = [
        coverage(features, choose(features, 5, how="random", seed=s), directions=False)
        for s in range(20)
    ]
    assert coverage(features, picked, directions=False) < np.mean(chance)
    with pytest.raises(ClusterError, match="too small"):
        pixel_features(pictures[:, :8])


def test_empty_clusters_are_filled() -> None:
    points = np.array([[0.0], [0.0], [0.0], [9.0]])
    assert sorted(set(kmeans(points, 3).tolist())) == [0, 1, 2]


def test_what_cannot_be_chosen_is_refused() -> None:
    with pytest.raises(ClusterError, match="ask for fewer"):
        choose(np.zeros((3, 2)), 4)
    with pytest.raises(ClusterError, match="ask for fewer"):
        kmeans(np.zeros((3, 2)), 4)
    with pytest.raises(ClusterError, match="broken picture"):
        kmeans(np.array([[np.nan], [1.0]]), 1)
