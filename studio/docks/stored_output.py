"""Where the network that a node of a run gave lies on the disk."""

from __future__ import annotations

from pathlib import Path

from backend.core.errors import DocumentError
from backend.core.files import parse_json
from backend.core.workspace import Workspace

_NETWORKS = (".onnx", ".safetensors", ".pt", ".pth")


def network_file(workspace: Workspace, run: str, node: str) -> Path:
    """The largest model file among the stored outputs of `node` in `run`.

    Raises:
        DocumentError: the node has no output yet, it was freed, or it holds no network.
    """
    note = workspace.runs / run / "nodes" / node / "outputs.json"
    try:
        known = parse_json(note.read_bytes())
        fingerprint = str(known["fingerprint"])
        gives = ", ".join(map(str, known["outputs"].values()))
    except FileNotFoundError:
        raise DocumentError(f"{node} has no output in this run.", "Run to it first.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise DocumentError(
            f"What {run} notes of {node} is damaged.", "Run the node again."
        ) from None
    folder = workspace.store / fingerprint
    if not fingerprint.isalnum() or not folder.is_dir():
        raise DocumentError(f"The stored output of {node} was freed.", "Run the node again.")
    files = [file for file in folder.rglob("*") if file.suffix.lower() in _NETWORKS]
    sized = [(file.stat().st_size, file) for file in files if file.is_file()]
    if not sized:
        raise DocumentError(f"{node} holds no network; it gives {gives or 'nothing'}.")
    return max(sized)[1]
