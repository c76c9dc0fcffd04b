"""Diffusion pipelines that edit pictures, in a folder or on the hub: found and checked, not run.

``HF_HOME`` and ``HF_HUB_OFFLINE`` are honoured. Weights are read from safetensors only, and code
that a repository brings is never run.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARK = "_random_weights"
"""A key of ``model_index.json``: true says that nobody trained these weights."""

_INDEX = "model_index.json"
# Name in model_index.json -> what edits pictures with the same parts, and how.
_CLASSES = {
    "StableDiffusionInstructPix2PixPipeline": (
        "instruct",
        "StableDiffusionInstructPix2PixPipeline",
    ),
    "StableDiffusionImg2ImgPipeline": ("img2img", "StableDiffusionImg2ImgPipeline"),
    "StableDiffusionPipeline": ("img2img", "StableDiffusionImg2ImgPipeline"),
}
_LIBRARIES = {None, "diffusers", "transformers", "stable_diffusion"}
_WITH_WEIGHTS = ("unet", "vae", "text_encoder", "safety_checker")
_WANTED = ["*.json", "*.txt", "*.model", "README.md", "*/*.safetensors"]
_UNWANTED = ["*.fp16.safetensors", "*.non_ema.safetensors"]
# Networks for the tests of other programs, with random weights by their makers' own word.
_RANDOM_OWNERS = ("hf-internal-testing/", "peft-internal-testing/", "optimum-internal-testing/")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.\-]*/[A-Za-z0-9][\w.\-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class DiffusionError(ValueError):
    """A pipeline that cannot be used; the message names it and the remedy."""

    for_user = True


@dataclass(frozen=True)
class Found:
    """A pipeline on this computer.

    ``kind`` is ``instruct`` (the prompt is an instruction) or ``img2img`` (it describes the
    result). ``digest`` is over all settings, and names and sizes of the weights. ``random`` says
    how it is known that the weights are random, or is empty.
    """

    source: str
    commit: str
    folder: Path
    kind: str
    class_name: str
    digest: str
    bytes: int
    licence: str
    native_size: int
    random: str


def find_pipeline(source: str, commit: str = "", *, download: bool = False) -> Found:
    """Find a pipeline: a folder in the diffusers layout, or a hub id, and check what it is.

    Args:
        source: the folder, or an id such as ``timbrooks/instruct-pix2pix``.
        commit: of a hub id; empty: the newest, or offline the one in the hub's cache.
        download: get what is missing from the hub; else only its cache on this computer is used.

    Raises:
        DiffusionError: nothing of that name is to be had, or it does not edit pictures with
            safetensors.
    """
    given = Path(source).expanduser()
    if given.is_dir():
        return _checked(str(given.absolute()), "", given.absolute())
    if not _HUB_ID.fullmatch(source):
        raise DiffusionError(
            f'There is no folder "{source}", and it is no hub id such as '
            "timbrooks/instruct-pix2pix; choose one of the two."
        )
    folder = _snapshot(source, commit, download)
    found = folder.name if _COMMIT.fullmatch(folder.name) else commit
    return _checked(source, found, folder)


def size_on_hub(source: str, commit: str = "") -> tuple[int, str]:
    """Ask the hub for the bytes to download and the licence of a pipeline.

    Raises:
        DiffusionError: the hub cannot be reached, or has nothing of that name.
    """
    hub = _hub()
    from fnmatch import fnmatch

    try:
        info = hub.HfApi().model_info(source, revision=commit or None, files_metadata=True)
    except Exception as error:  # the hub's library raises those of its HTTP client, too
        raise DiffusionError(_unreachable(source, error)) from error
    wanted = [
        one.size or 0
        for one in info.siblings or ()
        if any(fnmatch(one.rfilename, p) for p in _WANTED)
        and not any(fnmatch(one.rfilename, p) for p in _UNWANTED)
    ]
    card = getattr(info, "card_data", None)
    return sum(wanted), str(getattr(card, "license", None) or "not stated")


def _snapshot(source: str, commit: str, download: bool) -> Path:
    hub = _hub()
    try:
        return Path(
            hub.snapshot_download(
                source,
                revision=commit or None,
                local_files_only=not download,
                allow_patterns=_WANTED,
                ignore_patterns=_UNWANTED,
            )
        )
    except Exception as error:  # the hub's library raises those of its HTTP client, too
        raise DiffusionError(_unreachable(source, error, download)) from error


def _unreachable(source: str, error: Exception, download: bool = True) -> str:
    reason = str(error).strip().split("\n")[0][:200]
    if not download:
        return (
            f"{source} is not on this computer. Allow the download, or give a folder that holds "
            f"{_INDEX}."
        )
    return (
        f"{source} can be had neither from the hub nor from its cache on this computer ({reason}). "
        "Check the name and the network; with HF_HUB_OFFLINE set only the cache is used."
    )


def _checked(source: str, commit: str, folder: Path) -> Found:
    index = _json(folder / _INDEX, source)
    name = index.get("_class_name")
    if name not in _CLASSES:
        raise DiffusionError(
            f"{source} is a {str(name)[:80]}, which is not known to edit pictures; choose an "
            "InstructPix2Pix or a Stable Diffusion pipeline."
        )
    kind, class_name = _CLASSES[name]
    for part, made in index.items():
        if isinstance(made, list) and made and made[0] not in _LIBRARIES:
            raise DiffusionError(
                f"{source} brings program code of its own for {part} ({str(made[0])[:80]}), which "
                "is not run; choose another pipeline."
            )
    weights = _weights(index, folder, source)
    digest = hashlib.sha256()
    for path in sorted((*folder.glob("*.json"), *folder.glob("*/*.json"))):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    for path in weights:
        digest.update(f"{path.relative_to(folder).as_posix()} {path.stat().st_size}\n".encode())
    return Found(
        source=source,
        commit=commit,
        folder=folder,
        kind=kind,
        class_name=class_name,
        digest=digest.hexdigest(),
        bytes=sum(path.stat().st_size for path in weights),
        licence=_licence(folder),
        native_size=_native_size(folder, source),
        random=_random(source, index, folder),
    )


def _weights(index: dict[str, Any], folder: Path, source: str) -> list[Path]:
    """Return the files of weights, one or more of each part; refuse a part that has none."""
    found: list[Path] = []
    for part in _WITH_WEIGHTS:
        if not isinstance(index.get(part), list) or index[part][:1] == [None]:
            continue
        files = sorted(
            path
            for path in (folder / part).glob("*.safetensors")
            if not path.name.endswith((".fp16.safetensors", ".non_ema.safetensors"))
        )
        if not files:
            raise DiffusionError(
                f"{source} has no safetensors for its {part}; other formats can run code when they "
                "are opened, and are not read. Choose a copy with safetensors."
            )
        found += files
    return found


def _native_size(folder: Path, source: str) -> int:
    """Return the height and width in pixels that the pipeline was made for."""
    unet = _json(folder / "unet" / "config.json", source)
    vae = _json(folder / "vae" / "config.json", source)
    sample = unet.get("sample_size")
    side = sample if isinstance(sample, int) else 64
    return side * 2 ** (len(vae.get("block_out_channels", (0, 0, 0, 0))) - 1)


def _random(source: str, index: dict[str, Any], folder: Path) -> str:
    if index.get(MARK) is True:
        return f"{_INDEX} says so"
    if source.startswith(_RANDOM_OWNERS):
        return "its maker publishes random weights only"
    if re.search(r"\brandom(ly initiali[sz]ed)?[ -]weights?\b", _readme(folder), re.I):
        return "its README says so"
    return ""


def _licence(folder: Path) -> str:
    header = re.match(r"---\n(.*?)\n---", _readme(folder), re.S)
    line = re.search(r"^license(?:_name)?:\s*(\S+)", header[1], re.M) if header else None
    return line[1] if line else "not stated"


def _readme(folder: Path) -> str:
    path = folder / "README.md"
    return path.read_text(errors="replace")[:20_000] if path.is_file() else ""


def _json(path: Path, source: str) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
        if not isinstance(data, dict):
            raise ValueError("it is no JSON object")
    except FileNotFoundError as error:
        name = path.name if path.name == _INDEX else f"{path.parent.name}/{path.name}"
        raise DiffusionError(
            f"{source} has no {name}; choose a folder or id in the diffusers layout."
        ) from error
    except (OSError, ValueError) as error:
        raise DiffusionError(f"{path.name} of {source} is damaged: {error}.") from error
    return data


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise DiffusionError(
            "Pipelines of the hub need the package huggingface_hub; install it with "
            "'pip install fretsaw[diffusion]'."
        ) from error
    return huggingface_hub
