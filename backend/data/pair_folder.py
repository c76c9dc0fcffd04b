"""Pairs that the user has: two folders, pictures side by side, or a list; nothing is copied."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np

from backend.data.image_folder import BROKEN, load_upright, reason_of
from backend.data.manifest import DataError, FileEntry, Split
from backend.data.pairs import Pair, PairsManifest
from backend.data.photos import pictures_below, share_out
from backend.data.splits import choose

Layout = Literal["auto", "folders", "side by side", "list"]

Check = Callable[[Path], str]

_LIST = "metadata.jsonl"
_MOST_LINES = 1_000_000


@dataclass(frozen=True)
class _Found:
    source: Path
    target: Path
    concept: str = ""
    prompt: str = ""
    split: str = ""


def pair_folder(
    folder: Path | str,
    *,
    layout: Layout = "auto",
    size: int = 256,
    fit: Literal["crop", "stretch"] = "crop",
    on_error: Literal["stop", "skip"] = "stop",
    check: Check | None = None,
    **options: Any,
) -> PairsManifest:
    """Return the manifest of the pairs in a folder.

    Args:
        folder: has ``A`` and ``B`` with equal file names (endings aside), or pictures with the
            source on the left and the target on the right, or ``metadata.jsonl`` with ``source``,
            ``target`` and perhaps ``concept``, ``prompt`` and ``split`` in each line. The first
            two may lie in ``train``, ``val`` and ``test``; missing splits are cut from train.
        layout: which of them; ``auto`` looks for the list, then the folders.
        size: height and width of what is read, in pixels.
        fit: ``crop`` scales the shorter side to ``size`` and cuts the middle; ``stretch`` bends.
        on_error: ``stop`` refuses the first pair that cannot be used; ``skip`` leaves it out and
            lists it in ``options["skipped"]``.
        check: says of a source, decoded without trouble, why it cannot be used; empty if it can.
        options: those of :func:`backend.data.splits.split_options`. Pairs with one source are
            in one split.

    Raises:
        DataError: no such folder, no pairs, or a pair that cannot be used.
    """
    root = Path(folder).expanduser().absolute()
    if not root.is_dir():
        raise DataError(f'There is no folder "{root}"; choose one that holds pairs of pictures.')
    if layout == "auto":
        layout = _layout(root)
    skipped: dict[str, str] = {}
    found = _FINDERS[layout](root, skipped)
    if skipped and on_error == "stop":
        path, reason = next(iter(skipped.items()))
        raise DataError(f'"{path}" {reason}; correct it, or choose to skip such pairs.')
    problems = _unusable(found, layout == "side by side", on_error, check)
    skipped |= {str(found[i].source): reason for i, reason in problems.items()}
    found = [one for i, one in enumerate(found) if i not in problems]
    if not found:
        raise DataError(
            f'The folder "{root}" holds no pairs that can be used'
            + (f" ({len(skipped)} left out: one {next(iter(skipped.values()))})" if skipped else "")
            + f'; it needs folders "A" and "B", pictures side by side, or {_LIST}.'
        )
    pairs, made = _pairs(found, options)
    about = {"layout": layout, "halves": layout == "side by side", "fit": fit}
    about["skipped"] = [[path, reason] for path, reason in skipped.items()]
    return PairsManifest(f"{root.name} ({len(pairs):,} pairs)", (size, size), pairs, made | about)


def _pairs(
    found: Sequence[_Found], options: dict[str, Any]
) -> tuple[tuple[Pair, ...], dict[str, Any]]:
    """Describe the files and give each pair its split; return the split options, too."""
    paths = dict.fromkeys(path for one in found for path in (one.source, one.target))
    entries = {path: FileEntry.of(path) for path in paths}
    numbers = {path: i for i, path in enumerate(dict.fromkeys(one.source for one in found))}
    splits, made = _splits(found, numbers, options)
    pairs = tuple(
        Pair(
            entries[one.source],
            entries[one.target],
            splits[numbers[one.source]],
            prompt=one.prompt,
            concept=one.concept,
            photo=numbers[one.source],
        )
        for one in found
        if splits[numbers[one.source]]
    )
    return pairs, made


def _layout(root: Path) -> Layout:
    if (root / _LIST).is_file():
        return "list"
    if any((top / "A").is_dir() and (top / "B").is_dir() for top in (root, root / "train")):
        return "folders"
    for path in pictures_below(root):
        try:
            width, height = load_upright(path).size
        except BROKEN:
            continue
        # An ordinary photo must not be taken for two halves.
        if width == 2 * height:
            return "side by side"
        break
    raise DataError(
        f'The folder "{root}" has no folders "A" and "B", no {_LIST}, and its pictures are not '
        "twice as wide as high; choose another folder, or say the layout."
    )


def _tops(root: Path) -> list[tuple[str, Path]]:
    if not (root / "train").is_dir():
        return [("", root)]
    return [(split, root / split) for split in get_args(Split) if (root / split).is_dir()]


def _from_folders(root: Path, skipped: dict[str, str]) -> list[_Found]:
    found = []
    for split, top in _tops(root):
        for side in ("A", "B"):
            if not (top / side).is_dir():
                raise DataError(f'The folder "{top}" has no folder "{side}"; it needs both.')
        sources, targets = _by_name(top / "A"), _by_name(top / "B")
        for name in sorted(sources.keys() ^ targets.keys()):
            for here in sources.get(name) or targets[name]:
                skipped[str(here)] = f'has no partner in "{"B" if name in sources else "A"}"'
        for name in sorted(sources.keys() & targets.keys()):
            found += _partners(sources[name], targets[name], split, skipped)
    return found


def _by_name(side: Path) -> dict[Path, list[Path]]:
    """Return the pictures below a folder by their names without endings."""
    named: dict[Path, list[Path]] = {}
    for path in pictures_below(side):
        named.setdefault(path.relative_to(side).with_suffix(""), []).append(path)
    return named


def _partners(
    sources: list[Path], targets: list[Path], split: str, skipped: dict[str, str]
) -> list[_Found]:
    """Pair pictures of one name; where it has several, by the endings too."""
    if len(sources) == len(targets) == 1:
        return [_Found(sources[0], targets[0], split=split)]
    first, second = ({path.suffix: path for path in side} for side in (sources, targets))
    for here in [*sources, *targets]:
        if here.suffix not in first.keys() & second.keys():
            skipped[str(here)] = (
                "shares its name with another picture and has no partner of its own"
            )
    return [
        _Found(first[ending], second[ending], split=split)
        for ending in sorted(first.keys() & second.keys())
    ]


def _side_by_side(root: Path, skipped: dict[str, str]) -> list[_Found]:
    return [
        _Found(path, path, split=split)
        for split, top in _tops(root)
        for path in pictures_below(top)
    ]


def _from_list(root: Path, skipped: dict[str, str]) -> list[_Found]:
    found = []
    text = (root / _LIST).read_text(errors="replace")
    lines = text.splitlines()
    if len(lines) > _MOST_LINES:
        raise DataError(f'"{root / _LIST}" has more than {_MOST_LINES:,} lines; split it up.')
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"line {number} of {_LIST}"
        try:
            entry = json.loads(line)
            names = [str(entry[side]) for side in ("source", "target")]
            words = [str(entry.get(key, "")) for key in ("concept", "prompt", "split")]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            skipped[where] = 'is no JSON object with "source" and "target"'
            continue
        paths = [root / name for name in names]
        if not all(path.resolve().is_relative_to(root.resolve()) for path in paths):
            skipped[where] = "names a file outside the folder"
        elif words[2] not in ("", *get_args(Split)):
            skipped[where] = f'has the split "{words[2][:40]}", and there are train, val and test'
        else:
            found.append(_Found(paths[0], paths[1], *words))
    return found


_FINDERS = {"folders": _from_folders, "side by side": _side_by_side, "list": _from_list}


def _unusable(
    found: Sequence[_Found], halves: bool, on_error: str, check: Check | None
) -> dict[int, str]:
    """Decode every pair once; return which cannot be used and why, or refuse the first."""

    def problem(pair: _Found) -> str:
        sizes = []
        for path in (pair.source,) if halves else (pair.source, pair.target):
            try:
                sizes.append(load_upright(path).size)
            except FileNotFoundError:
                return f'is not complete: there is no file "{path}"'
            except BROKEN as error:
                return f'cannot be used: "{path}" cannot be read ({reason_of(error)})'
        if halves:
            width = sizes[0][0]
            return "" if width % 2 == 0 else f"is {width} pixels wide, which has no middle"
        (w1, h1), (w2, h2) = sizes
        if abs(w1 * h2 - w2 * h1) > 0.01 * w1 * h2:
            return f"is {w1} x {h1} pixels but its target {w2} x {h2}: not the same shape"
        return check(pair.source) if check is not None else ""

    skipped: dict[int, str] = {}
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for i, reason in enumerate(pool.map(problem, found)):
            if reason and on_error == "stop":
                pool.shutdown(wait=False, cancel_futures=True)
                raise DataError(
                    f'The pair "{found[i].source}" {reason}; correct it, or choose to skip such '
                    "pairs."
                )
            if reason:
                skipped[i] = reason
    return skipped


def _splits(
    found: Sequence[_Found], numbers: dict[Path, int], options: dict[str, Any]
) -> tuple[list[str], dict[str, Any]]:
    """Return the split of each source ("" for none, where a limit leaves it out), and options."""
    given = [""] * len(numbers)
    for one in found:
        known = given[numbers[one.source]]
        if known and one.split and known != one.split:
            raise DataError(
                f'"{one.source}" is the source of pairs in "{known}" and in "{one.split}"; a '
                "picture belongs to one split."
            )
        given[numbers[one.source]] = known or one.split
    named = {split for split in given if split}
    parts = cast("tuple[Split, ...]", tuple(s for s in get_args(Split) if s in named))
    parts = parts if "train" in parts else ("train", *parts)
    pool = np.array([i for i, split in enumerate(given) if split in ("", "train")], np.int64)
    made = share_out(len(pool), options, parts, what="pair")
    splits = ["" if split in ("", "train") else split for split in given]
    for split in get_args(Split):
        if split == "train" or split not in parts:
            for i in choose(np.zeros(len(pool), np.int64), split, made):
                splits[int(pool[i])] = split
    return splits, made
