"""What dropping files on the window will do, judged by what is in them."""

from __future__ import annotations

import json
import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.core.graph_file import FORMAT

IMAGE_SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"))
_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "image",
    b"\xff\xd8\xff": "image",
    b"GIF8": "image",
    b"II*\x00": "image",
    b"MM\x00*": "image",
}
_ONNX_START = 0x08  # field 1 of a ModelProto, ir_version, as varint
_PICTURES_LOOKED_AT = 500
_DEEPEST = 2
_MOST_GRAPH = 32 * 2**20
_MOST_REPORT = 64 * 2**20
_GRAPH_IN_PAGE = re.compile(
    r'<script[^>]*type="application/json"[^>]*>\s*(\{.*?\})\s*</script>', re.DOTALL
)


@dataclass(frozen=True)
class DropPlan:
    """What will happen.

    `kind` is graph, run, model, weights, images, report, several or refused. `sentence` says it to
    the user before the button is released. `action` names the deed: open_file, open_run, inspect,
    add_image_folder, open_receipt, open_in_browser; empty when nothing can be done. `paths` are
    what it is done to.
    """

    kind: str
    sentence: str
    action: str
    paths: tuple[Path, ...] = ()

    @property
    def is_possible(self) -> bool:
        """Whether releasing does anything."""
        return bool(self.action)


def what_happens(paths: Sequence[Path | str]) -> DropPlan:
    """Say what dropping these files or folders will do; reads heads only, runs nothing in them."""
    found = [Path(path) for path in paths]
    if not found:
        return DropPlan("refused", "There is no file in what you drag.", "")
    if len(found) == 1:
        return _one(found[0])
    return _several(found)


def _refused(sentence: str) -> DropPlan:
    return DropPlan("refused", sentence, "")


def _one(path: Path) -> DropPlan:
    try:
        if path.is_dir():
            return _folder(path)
        if not path.exists():
            return _refused(f"{path.name} is not there any more.")
        return _file(path)
    except PermissionError:
        return _refused(f"{path.name} cannot be read: you lack the permission.")
    except OSError as error:
        return _refused(f"{path.name} cannot be read: {error.strerror or error}.")


def _several(paths: list[Path]) -> DropPlan:
    plans = [_one(path) for path in paths]
    kinds = Counter(plan.kind for plan in plans)
    count = len(paths)
    pictures = [path for path in paths if _is_image(path)]
    if len(pictures) == count:
        folders = {path.parent for path in paths}
        if len(folders) == 1:
            folder = folders.pop()
            text = f"The folder of these {count} pictures, {folder.name}, becomes an Image folder."
            return DropPlan("images", text, "add_image_folder", (folder,))
        return _refused(
            f"These {count} pictures are in {len(folders)} folders. Drop one folder of pictures."
        )
    good = [plan for plan in plans if plan.is_possible]
    if not good:
        return _refused(f"None of these {count} can be used here. {plans[0].sentence}")
    chosen = good[0]
    same = kinds[chosen.kind] == count
    what = f"{count} files" if same else f"{count} files of several kinds"
    rest = "only the first is taken" if same else "only the first that fits is taken"
    return DropPlan("several", f"{what}: {rest}. {chosen.sentence}", chosen.action, chosen.paths)


def _folder(path: Path) -> DropPlan:
    if (path / "events.jsonl").is_file() and (path / "graph.json").is_file():
        return DropPlan("run", f"The run {path.name} opens.", "open_run", (path,))
    if (path / "events.jsonl").is_file():
        return _refused(f"{path.name} looks like a run but has no graph.json. It cannot be opened.")
    if (path / "graph.json").is_file() and _graph_name(path / "graph.json") is not None:
        file = path / "graph.json"
        return DropPlan("graph", f"The graph in {path.name} opens.", "open_file", (file,))
    pictures, classes = _pictures_in(path)
    if pictures:
        more = "or more " if pictures >= _PICTURES_LOOKED_AT else ""
        inside = f" in {classes} folders" if classes > 1 else ""
        text = f"{path.name} becomes an Image folder: {pictures:,} {more}pictures{inside}."
        return DropPlan("images", text, "add_image_folder", (path,))
    return _refused(f"{path.name} holds no pictures and is no run. There is nothing to open.")


def _pictures_in(path: Path) -> tuple[int, int]:
    """Pictures below `path`, two levels deep, up to 500, and the folders that hold them."""
    count, holders = 0, set()
    level = [(path, 0)]
    while level:
        folder, depth = level.pop()
        try:
            inside = sorted(folder.iterdir())
        except OSError:
            continue
        for item in inside:
            if item.suffix.lower() in IMAGE_SUFFIXES and item.is_file():
                count += 1
                holders.add(folder)
                if count >= _PICTURES_LOOKED_AT:
                    return count, len(holders)
            elif depth < _DEEPEST and not item.suffix and item.is_dir():
                level.append((item, depth + 1))
    return count, len(holders)


def _head(path: Path, size: int = 512) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def _is_image(path: Path) -> bool:
    try:
        head = _head(path, 16) if path.is_file() else b""
    except OSError:
        return False
    return _kind_of(head) == "image"


def _kind_of(head: bytes) -> str:
    """What the first bytes say: image, zip, pickle, safetensors, json, html, onnx or unknown."""
    if any(head.startswith(magic) for magic in _MAGIC):
        return "image"
    if head.startswith(b"BM") and head[6:10] == bytes(4):
        return "image"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image"
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if len(head) > 9 and head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") < 2**32:
        return "safetensors"
    if head[:1] == b"\x80" and len(head) > 2 and 2 <= head[1] <= 5:
        return "pickle"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "html"
    if text.startswith(b"{"):
        return "json"
    if len(head) > 3 and head[0] == _ONNX_START and 1 <= head[1] <= 127 and head[2] in _ONNX_NEXT:
        return "onnx"
    return "unknown"


# Tags that follow ir_version: opset_import, producer name and version, domain, model version,
# doc string, graph, metadata.
_ONNX_NEXT = frozenset((0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42, 0x72))


def _file(path: Path) -> DropPlan:
    name, suffix = path.name, path.suffix.lower()
    head = _head(path)
    if not head:
        return _refused(f"{name} is empty.")
    kind = _kind_of(head)
    if kind == "image":
        text = f"The folder of {name}, {path.parent.name}, becomes an Image folder."
        return DropPlan("images", text, "add_image_folder", (path.parent,))
    if kind == "json":
        return _json(path)
    if kind == "html":
        return _page(path)
    if kind == "zip":
        return _zip(path)
    if kind == "pickle":
        return _weights(path) if suffix in (".pt", ".pth") else _program(path)
    if kind in ("safetensors", "onnx"):
        if suffix != f".{kind}":
            return _refused(f"{name} looks like {kind} inside. Rename it to end in .{kind}.")
        return DropPlan("model", f"{name} opens in the inspector.", "inspect", (path,))
    if suffix in (".onnx", ".safetensors", ".pt", ".pth"):
        return _refused(f"{name} is damaged or no {suffix[1:]} file.")
    return _refused(f"{name} is of a kind that cannot be dropped here. {_WHAT_CAN}")


_WHAT_CAN = "Drop a graph, a model, a run or a folder of pictures."


def _weights(path: Path) -> DropPlan:
    text = f"{path.name} may hold program code. Only tensors are read."
    return DropPlan("weights", text, "inspect", (path,))


def _program(path: Path) -> DropPlan:
    return _refused(f"{path.name} may hold program code and is not opened. {_WHAT_CAN}")


def _zip(path: Path) -> DropPlan:
    """A zip of torch has data.pkl; only its list of names is read."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return _refused(f"{path.name} is damaged: its archive cannot be read.")
    if any(name.endswith("/constants.pkl") or name == "constants.pkl" for name in names):
        return _refused(f"{path.name} is a TorchScript program. Save its weights only.")
    if any(name.endswith("data.pkl") for name in names):
        if path.suffix.lower() in (".pt", ".pth"):
            return _weights(path)
        return _refused(f"{path.name} looks like PyTorch weights. Rename it to end in .pt.")
    return _refused(f"{path.name} is an archive. Unpack it and drop what is inside.")


def _graph_name(path: Path) -> str | None:
    """Name of the graph in a file; None if it holds none."""
    if path.stat().st_size > _MOST_GRAPH:
        return None
    try:
        data = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or not isinstance(data.get("nodes"), dict):
        return None
    if data.get("format") != FORMAT:
        return None
    return str(data.get("name") or path.stem)


def _json(path: Path) -> DropPlan:
    name = _graph_name(path)
    if name is None:
        return _refused(f"{path.name} is no graph of Fretsaw.")
    return DropPlan("graph", f"The graph {name} opens.", "open_file", (path,))


def _page(path: Path) -> DropPlan:
    if path.stat().st_size > _MOST_REPORT:
        return _refused(f"{path.name} is too large for a report.")
    if graph_in_page(path.read_text("utf-8", "replace")) is not None:
        text = f"{path.name} carries its graph, which opens as a new graph."
        return DropPlan("report", text, "open_receipt", (path,))
    text = f"{path.name} carries no graph. It opens in the browser."
    return DropPlan("report", text, "open_in_browser", (path,))


def graph_in_page(page: str) -> dict[str, object] | None:
    """The graph that a report carries in a script of JSON, None if it carries none."""
    for found in _GRAPH_IN_PAGE.finditer(page):
        if FORMAT not in found.group(1):
            continue
        try:
            data = json.loads(found.group(1))
        except (ValueError, RecursionError):
            continue
        if isinstance(data, dict) and data.get("format") == FORMAT:
            return data
    return None
