"""The worker of the desktop route: JPEG in, edited JPEG out, over standard input and output."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from backend.core.artifact import Artifact
from backend.core.errors import FretsawError
from device_bridge.concepts import Mixer
from device_bridge.edits import Edits
from device_bridge.frames import HEADER, MIX, Frame
from device_bridge.protocol import MAX_FRAME, Mix, Offer
from device_bridge.wire import Push

MOST_PIXELS = 4096 * 4096


def serve(folder: Path, source: BinaryIO, sink: BinaryIO) -> None:
    """Answer ``ASK1`` pictures with ``ANS1`` pictures until ``source`` ends.

    Raises:
        FretsawError: the artefact cannot be run, or a picture cannot be read.
    """
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    offer = Edits().push(Push(folder=str(folder), id="edit", name="edit")).offer
    artifact = Artifact.load(folder)
    mixer = Mixer(artifact) if offer.concepts else None
    session = _session(artifact, mixer)
    while len(head := source.read(HEADER.size)) == HEADER.size:
        magic, _, _, length, _ = HEADER.unpack(head)
        if length > MAX_FRAME:
            raise FretsawError("A picture is too large.", "Send a smaller one.")
        if magic == MIX:
            session = _session(artifact, mixer, Mix.model_validate_json(source.read(length)))
            continue
        frame = Frame.unpack(head + source.read(length))
        began = time.perf_counter()
        jpeg = _edited(session, offer, frame.jpeg)
        total = int((time.perf_counter() - began) * 1e6)
        sink.write(Frame("ANS1", frame.seq, frame.at_ms, total, jpeg).pack())
        sink.flush()


def timing(folder: Path, runs: int, warmup: int = 5) -> list[float]:
    """Return ms of each of ``runs`` frames in ONNX Runtime on this computer, with one thread.

    Raises:
        FretsawError: the artefact cannot be run.
    """
    offer = Edits().push(Push(folder=str(folder), id="edit", name="edit")).offer
    session = _session(Artifact.load(folder))
    shape = (1, 3, offer.input.height, offer.input.width)
    values = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    times = []
    for i in range(warmup + runs):
        began = time.perf_counter()
        session.run([offer.output.name], {offer.input.name: values})
        if i >= warmup:
            times.append((time.perf_counter() - began) * 1000)
    return times


def _session(artifact: Artifact, mixer: Mixer | None = None, mix: Mix | None = None) -> Any:
    """Open the graph; its weights are those of ``mix`` where the artefact holds concepts.

    A new session takes some 30 ms here, one picture, and its blocked layouts are worth it.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    if artifact.format == "onnx-qdq":
        # 8-bit kernels of x86 without VNNI saturate; computed in float it is what phones compute.
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    source: str | bytes = str(artifact.path)
    if mixer is not None:
        source, weights = artifact.path.read_bytes(), bytes(mixer.weights(mix or mixer.first))
        options.add_external_initializers_from_files_in_memory(
            [mixer.location], [weights], [len(weights)]
        )
    try:
        return ort.InferenceSession(source, options, ["CPUExecutionProvider"])
    except Exception as error:
        raise FretsawError(
            f"ONNX Runtime cannot open {artifact.path.name}: {str(error).splitlines()[0][:200]}.",
            "Export it again.",
        ) from error


def _edited(session: Any, offer: Offer, jpeg: bytes) -> bytes:
    try:
        picture = Image.open(io.BytesIO(jpeg), formats=["JPEG"]).convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise FretsawError("A picture of the phone cannot be read.", "Reload the page.") from error
    given, wanted = offer.input, offer.output
    pixels = np.asarray(picture.resize((given.width, given.height), Image.Resampling.BILINEAR))
    x = pixels.astype(np.float32) * np.asarray(given.scale, np.float32) + np.asarray(
        given.bias, np.float32
    )
    feeds = {given.name: np.ascontiguousarray(x.transpose(2, 0, 1)[None])}
    y = session.run([wanted.name], feeds)[0][0].transpose(1, 2, 0)
    y = y * np.asarray(wanted.scale, np.float32) + np.asarray(wanted.bias, np.float32)
    made = np.clip(np.rint(y), 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(made).save(out, "JPEG", quality=90)
    return out.getvalue()


def main(folder: str) -> int:
    """Run the worker on standard input and output; a sentence on standard error if it cannot."""
    try:
        serve(Path(folder), sys.stdin.buffer, sys.stdout.buffer)
    except FretsawError as error:
        print(f"{error.message} {error.remedy}", file=sys.stderr)
        return 1
    return 0
