"""Runs with events of every kind, made up by formulas; no figure in here was measured."""

from __future__ import annotations

import math
import random
import struct
import zlib
from pathlib import Path

from backend.core import events as ev
from backend.core import views as v
from backend.core.files import write_atomic
from backend.core.graph import Graph
from backend.core.run import Run
from backend.core.workspace import Workspace
from tests.report.payloads import CLASSES, every_view, layer_rows

T0 = 1_795_527_800.0


def graph() -> Graph:
    made = Graph("f8net-fashion-mnist", seed=7)
    made.add("data.fashion_mnist", "clothes", train=8000, test=2000)
    made.add("model.resnet", "resnet20", depth=20, width=16)
    made.add("train.classifier", "train", epochs=8, learning_rate=0.1, schedule="cosine")
    made.add("quantize.f8net", "f8net", bits=8, epochs=6, learning_rate=0.02, bn_gradient=True)
    made.add("evaluate.classifier", "evaluate", split="test")
    made.add("profile", "profile", threads=1)
    made.add("export.qdq", "export", opset=17)
    for link in (
        ("resnet20.classifier", "train.model"),
        ("clothes.data", "train.data"),
        ("clothes.data", "f8net.data"),
        ("train.classifier", "f8net.model"),
        ("f8net.classifier", "evaluate.model"),
        ("clothes.data", "evaluate.data"),
        ("f8net.classifier", "profile.model"),
        ("f8net.classifier", "export.model"),
        ("clothes.data", "export.sample"),
    ):
        made.connect(*link)
    return made


def new_run(root: Path, document: Graph | None = None) -> Run:
    return Run.create(document or graph(), Workspace(root))


def started(nodes: list[str], t: float = T0) -> ev.RunStarted:
    versions = {"python": "3.11.9", "torch": "2.13.0", "numpy": "2.3.1", "fretsaw": "0.1.0"}
    return ev.RunStarted(
        t=t,
        seed=7,
        device="cpu",
        threads=2,
        nodes=nodes,
        versions=versions,
        commit="4f2a91c07be3",
        inputs={
            "clothes/train": "sha256:9b1f" + "0" * 28,
            "clothes/test": "sha256:77ac" + "0" * 28,
        },
    )


def finish(run: Run, status: ev.Status = "finished", seconds: float = 221.4) -> None:
    run.append(ev.RunFinished(t=T0 + seconds, status=status, seconds=seconds))
    write_atomic(run.path / "result.json", f'{{"status": "{status}", "seconds": {seconds}}}')
    run.close()


def png(width: int, height: int, seed: int) -> bytes:
    """A grey picture: a soft blob whose shape depends on the seed."""
    rows = []
    for y in range(height):
        row = bytearray([0])
        for x in range(width):
            u, w = 2 * x / width - 1, 2 * y / height - 1
            r = math.hypot(u * (1 + 0.3 * math.sin(seed)), w * (1 + 0.3 * math.cos(2 * seed)))
            wave = 0.75 + 0.25 * math.sin(5 * (u + seed) * (w - 0.3))
            row.append(max(0, min(255, int(255 * wave * (r < 0.8)))))
        rows.append(bytes(row))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    body = zlib.compress(b"".join(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def add_picture(run: Run, node: str, name: str, seed: int, side: int = 28) -> None:
    path = f"nodes/{node}/images/{name.replace(' ', '-')}-{seed:06d}.png"
    (run.path / path).parent.mkdir(parents=True, exist_ok=True)
    (run.path / path).write_bytes(png(side, side, seed))
    run.append(ev.Image(t=T0 + 200, node=node, name=name, path=path))


def train_curves(run: Run, node: str, count: int, seed: int, floor: float, top: float) -> None:
    noise = random.Random(seed)
    for i in range(count):
        share = i / count
        loss = floor + (2.1 - floor) * math.exp(-6 * share) * (1 + 0.18 * noise.gauss(0, 1))
        loss = abs(loss + 0.04 * noise.gauss(0, 1))
        lr = 0.05 * (1 + math.cos(math.pi * share))
        run.append(
            ev.Metric(t=T0 + 20 + i * 0.05, node=node, step=i, values={"loss": loss, "lr": lr})
        )
    for epoch in range(1, 9):
        value = top - 18 * math.exp(-0.7 * epoch) + 0.4 * noise.gauss(0, 1)
        run.append(
            ev.Metric(
                t=T0 + 20 + epoch, node=node, step=epoch * count // 8, values={"val_top1": value}
            )
        )


def evaluate(run: Run) -> None:
    for name, payload in every_view():
        for step in range(6 if name == "strip" else 1):
            data = payload
            if isinstance(payload, v.Strip):
                data = payload.model_copy(
                    update={"values": [x * (0.5 + step / 10) for x in payload.values]}
                )
            run.append(
                ev.View(
                    t=T0 + 161, node="evaluate", view=payload.kind, name=name, data=data, step=step
                )
            )
    run.append(
        ev.Metric(t=T0 + 165, node="evaluate", step=0, values={"test_top1": 90.2, "samples": 2000})
    )
    for seed, name in enumerate(CLASSES):
        add_picture(run, "evaluate", f"{name} as {CLASSES[(seed * 3) % 10]}", seed)
    add_picture(run, "evaluate", "Contact sheet", 3, side=320)


def full_run(root: Path) -> Run:
    run = new_run(root)
    nodes = list(run.graph().nodes)
    run.append(started(nodes))
    times = {"clothes": 0.3, "resnet20": 0.04, "train": 98.2, "f8net": 104.9, "evaluate": 6.1}
    for node in ("clothes", "resnet20", "train", "f8net"):
        run.append(ev.NodeStarted(t=T0 + 1, node=node, fingerprint=f"{node}-3f9a77c1"))
        if node == "train":
            train_curves(run, "train", 1500, 1, 0.22, 90.6)
        if node == "f8net":
            train_curves(run, "f8net", 1200, 2, 0.2, 90.3)
            for look in range(12):
                rows = layer_rows(look)
                run.append(
                    ev.View(
                        t=T0 + 120,
                        node=node,
                        view="layers",
                        name="layers",
                        step=look * 100,
                        data=rows,
                    )
                )
        run.append(
            ev.NodeFinished(
                t=T0 + 2,
                node=node,
                seconds=times[node],
                cached=node == "resnet20",
                fingerprint=f"{node}-3f9a77c1",
            )
        )
    run.append(
        ev.Log(
            t=T0 + 150,
            node="f8net",
            level="warning",
            text="0.2.conv2 clips 1.9 % of its weights. "
            "Give it one more integer bit, or raise headroom.",
        )
    )
    run.append(ev.Log(t=T0 + 151, node="f8net", text="Formats settled at epoch 4."))
    run.append(ev.NodeStarted(t=T0 + 160, node="evaluate"))
    evaluate(run)
    run.append(ev.NodeFinished(t=T0 + 166, node="evaluate", seconds=6.1))
    run.append(ev.NodeStarted(t=T0 + 166, node="profile"))
    run.append(ev.NodeFinished(t=T0 + 186, node="profile", seconds=9.4))
    run.append(ev.NodeStarted(t=T0 + 187, node="export"))
    run.append(ev.NodeFinished(t=T0 + 190, node="export", seconds=2.6))
    finish(run)
    return run


def failed_run(root: Path) -> Run:
    run = new_run(root)
    run.append(started(list(run.graph().nodes)))
    for node in ("clothes", "resnet20"):
        run.append(ev.NodeStarted(t=T0 + 1, node=node))
        run.append(ev.NodeFinished(t=T0 + 1, node=node, seconds=0.2))
    run.append(ev.NodeStarted(t=T0 + 2, node="train"))
    train_curves(run, "train", 600, 1, 0.4, 88)
    run.append(ev.Progress(t=T0 + 60, node="train", done=600, total=1500))
    run.append(
        ev.NodeFailed(
            t=T0 + 61,
            node="train",
            code=3,
            details="Traceback (most recent call last):\n  ...",
            error="Out of memory in train. Needed 2.1 GB, 1.4 GB was free. Halve the batch size.",
        )
    )
    finish(run, "failed", 61.5)
    return run
