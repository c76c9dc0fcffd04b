"""Files that are not what they are taken for, at everything that takes a file."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch

from tests.bad_input.told import Outcome, cli, cut, failed, flip, refused, run, single, spawn
from tests.maths.data.test_cifar import write_ten

RESNET = "zoo:resnet(depth=8, width=4, in_channels=1)"


class Runs:
    """Unpickling it makes a folder: what an attacker's file would do."""

    def __init__(self, target: Path) -> None:
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize("kind", ["png", "npz", "text", "empty"])
def test_a_foreign_file_as_graph(command: str, kind: str, foreign, tmp_path: Path) -> None:
    file = tmp_path / "graph.json"
    file.write_bytes(foreign[kind])
    refused(cli(command, file), 2, "graph.json")
    assert file.read_bytes() == foreign[kind]


def test_a_foreign_file_as_graph_in_a_process_of_its_own(foreign, tmp_path: Path) -> None:
    (tmp_path / "graph.json").write_bytes(foreign["png"])
    refused(spawn("run", tmp_path / "graph.json"), 2, "graph.json", "is no pipeline", "inspect")


def test_no_such_graph(tmp_path: Path) -> None:
    refused(cli("run", tmp_path / "none.json"), 2, "none.json", "Check the path")


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    refused(cli("run", tmp_path / "folder"), 2, "folder", "graph.json")


def test_a_graph_that_is_nested_too_deep(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 100_000 + "]" * 100_000)
    refused(cli("check", tmp_path / "deep.json"), 2, "deep.json")


def test_a_byte_order_mark_is_no_damage(tmp_path: Path) -> None:
    file = single(tmp_path, "toy.start")
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert cli("check", file).code == 0


@pytest.mark.parametrize("suffix", ["onnx", "safetensors", "pt"])
@pytest.mark.parametrize("kind", ["png", "npz", "text", "graph", "empty"])
def test_inspect_a_foreign_file(kind: str, suffix: str, foreign, tmp_path: Path) -> None:
    file = tmp_path / f"file.{suffix}"
    file.write_bytes(foreign[kind])
    refused(cli("inspect", file), 2, file.name, "is damaged or no")


def test_inspect_other_kinds_and_nothing(foreign, tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(foreign["npz"])
    refused(cli("inspect", tmp_path / "a.npz"), 2, "a.npz", "only .onnx, .safetensors")
    refused(cli("inspect", tmp_path / "no.onnx"), 2, "There is no file")


def test_inspect_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder.onnx").mkdir()
    refused(cli("inspect", tmp_path / "folder.onnx"), 2, "folder.onnx", "is a folder")


@pytest.mark.parametrize("kind", ["png", "npz", "text", "graph", "empty"])
def test_load_foreign_weights(kind: str, foreign, tmp_path: Path) -> None:
    for suffix in ("safetensors", "pt"):
        file = tmp_path / f"file.{suffix}"
        file.write_bytes(foreign[kind])
        graph = single(tmp_path, "model.load", file=str(file), builder=RESNET)
        failed(run(graph), file.name, "take it from a copy")


def test_load_other_kinds_folders_and_nothing(foreign, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(foreign["png"])
    (tmp_path / "folder.pt").mkdir()
    for name, words in (
        ("a.png", "give a .safetensors, .pt or .pth file"),
        ("folder.pt", "holds no network"),
        ("none.pt", "There is no file"),
    ):
        graph = single(tmp_path, "model.load", file=str(tmp_path / name), builder=RESNET)
        failed(run(graph), name, words)


@pytest.mark.parametrize("kind", ["png", "npz", "text", "graph", "empty"])
def test_import_a_foreign_onnx(kind: str, foreign, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(foreign[kind])
    failed(run(single(tmp_path, "model.onnx", file=str(tmp_path / "net.onnx"))), "net.onnx")


@pytest.mark.parametrize("name", ["none.onnx", "folder.onnx"])
def test_import_an_onnx_that_is_not_there(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder.onnx").mkdir()
    failed(run(single(tmp_path, "model.onnx", file=str(tmp_path / name))), name)


def test_pretrained_takes_no_foreign_file(foreign, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(foreign["png"])
    failed(run(single(tmp_path, "model.pretrained", file=str(tmp_path / "a.png"))), "SHA-256")
    graph = single(tmp_path, "model.pretrained", source=str(tmp_path))
    failed(run(graph), "config.json", sentences=4)  # two are the loader's own, in parentheses


def test_folders_of_data_that_are_files_or_hold_nothing(foreign, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(foreign["png"])
    (tmp_path / "empty").mkdir()
    for kind in ("data.cifar", "data.image_folder", "data.fashion_mnist"):
        more = {"source": "folder"} if kind == "data.fashion_mnist" else {}
        for name in ("a.png", "empty", "none"):
            graph = single(tmp_path, kind, folder=str(tmp_path / name), **more)
            failed(run(graph), str(tmp_path / name))


def test_foreign_idx_files(foreign, tmp_path: Path) -> None:
    for part in ("train", "t10k"):
        for name in ("images-idx3", "labels-idx1"):
            (tmp_path / f"{part}-{name}-ubyte.gz").write_bytes(foreign["png"])
    graph = single(tmp_path, "data.fashion_mnist", source="folder", folder=str(tmp_path))
    failed(run(graph), "is not an IDX file", "again")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: flip(f / "model.safetensors"), "not the ones that were saved"),
        (lambda f: flip(f / "model.safetensors", 20), "model.safetensors is truncated, damaged"),
        (lambda f: cut(f / "model.safetensors"), "model.safetensors is truncated, damaged"),
        (lambda f: cut(f / "model.safetensors", 0), "model.safetensors is truncated, damaged"),
        (lambda f: (f / "model.safetensors").unlink(), "model.safetensors cannot be read"),
        (lambda f: cut(f / "recipe.json"), "recipe.json"),
        (lambda f: (f / "recipe.json").write_bytes(b"\xff\xfe"), "recipe.json"),
        (lambda f: (f / "recipe.json").write_text("[]"), "not the recipe of a network"),
        (lambda f: (f / "recipe.json").unlink(), "has no recipe.json"),
    ],
)
def test_a_damaged_folder_of_a_network(damage, words: str, saved: Path, tmp_path: Path) -> None:
    graph = single(tmp_path, "model.load", file=str(saved))
    assert run(graph).code == 0
    damage(saved)
    failed(run(graph), words)


@pytest.mark.parametrize("content", [b'{"image": {', b"[]", b'{"x": 1}', b"\xff\xfe", None])
def test_a_damaged_description_of_a_network(content, saved: Path, tmp_path: Path) -> None:
    (saved / "model.json").unlink()
    if content is not None:
        (saved / "model.json").write_bytes(content)
    found = run(single(tmp_path, "model.load", file=str(saved)))
    failed(found, "model.json", "take it from a copy")


def test_a_recipe_leads_nowhere_outside_its_folder(saved: Path, tmp_path: Path) -> None:
    text = (saved / "recipe.json").read_text()
    (saved / "recipe.json").write_text(text.replace('"files": {}', '"files": {"../x": "0"}'))
    failed(run(single(tmp_path, "model.load", file=str(saved))), "'../x' is no name for a file")


@pytest.mark.parametrize(
    ("builder", "words"),
    [
        ("", "Say which in the parameter builder"),
        ("zoo:resnet(depth=20)", "The weights do not fit"),
        ("resnet", "is no builder"),
        ("zoo:resnt(depth=8)", "did you mean 'resnet'"),
        ("zoo:resnet(dept=8)", "did you mean 'depth'"),
        ("zoo:resnet(depth=", "is not of the form"),
        ("zoo:resnet(depth=__import__('os').getpid())", "not an expression"),
    ],
)
def test_weights_that_do_not_say_what_they_belong_to(
    builder: str, words: str, saved: Path, tmp_path: Path
) -> None:
    file = str(saved / "model.safetensors")
    failed(run(single(tmp_path, "model.load", file=file, builder=builder)), words)


def evil(folder: Path, how: str) -> tuple[Path, Path]:
    """Write a file that makes a folder when it is unpickled; return both."""
    target, file = folder / "was-here", folder / "evil.pt"
    if how == "zip":
        torch.save({"weight": Runs(target)}, file)
    else:
        file.write_bytes(pickle.dumps({"weight": Runs(target)}, protocol=int(how)))
    return file, target


@pytest.mark.parametrize("how", ["zip", "4", "2", "0"])
def test_a_pickle_does_not_run(how: str, tmp_path: Path) -> None:
    file, target = evil(tmp_path, how)
    words = "would run code" if how != "0" else "evil.pt"
    refused(cli("inspect", file), 2, "evil.pt", words)
    failed(run(single(tmp_path, "model.load", file=str(file), builder=RESNET)), "evil.pt", words)
    failed(run(single(tmp_path, "model.pretrained", file=str(file))), "evil.pt")
    assert not target.exists()


def test_a_bare_pickle_in_a_process_of_its_own(known: Path, tmp_path: Path) -> None:
    file, target = evil(tmp_path, "4")
    graph = single(tmp_path, "model.load", file=str(file), builder=RESNET)
    failed(spawn("run", graph), "evil.pt", "would run code")
    assert not target.exists()


@pytest.mark.parametrize("name", ["data_batch_3", "batches.meta", "test_batch"])
def test_a_pickle_among_cifar_batches_does_not_run(name: str, tmp_path: Path) -> None:
    root, _, _ = write_ten(tmp_path, per_batch=20)
    graph = single(tmp_path, "data.cifar", folder=str(root), val_fraction=0.2)
    good = (root / name).read_bytes()
    (root / name).write_bytes(pickle.dumps(Runs(tmp_path / "was-here"), 2))
    found = run(graph) if name != "test_batch" else _evaluated(tmp_path, root)
    failed(found, name, "is refused", "do not use it", sentences=3)
    assert not (tmp_path / "was-here").exists()
    (root / name).write_bytes(good)
    assert run(graph).code == 0


def _evaluated(folder: Path, root: Path) -> Outcome:
    """The test batch is opened by whatever evaluates, not by the data node."""
    from tests.bad_input.told import judged

    data = ("data.cifar", {"folder": str(root), "val_fraction": 0.2})
    model = ("model.resnet", {"depth": 8, "width": 4})
    return run(judged(folder, model, "evaluate.classifier", data))


@pytest.mark.parametrize("kind", ["cut", "empty", "text", "png", "npz"])
def test_a_damaged_cifar_batch(kind: str, foreign, tmp_path: Path) -> None:
    root, _, _ = write_ten(tmp_path, per_batch=20)
    file = root / "data_batch_3"
    cut(file) if kind == "cut" else file.write_bytes(foreign[kind])
    graph = single(tmp_path, "data.cifar", folder=str(root), val_fraction=0.2)
    failed(run(graph), "data_batch_3", "unpack the archive again")


def test_one_broken_picture_stops_or_is_left_out(pictures: Path, tmp_path: Path) -> None:
    cut(pictures / "bee" / "2.png")
    params = {"folder": str(pictures), "size": 8}
    failed(
        run(single(tmp_path, "data.image_folder", **params)),
        str(pictures / "bee" / "2.png"),
        'choose on_error "skip"',
    )
    found = run(single(tmp_path, "data.image_folder", **params, on_error="skip"))
    assert found.code == 0
    assert "warning: Left out" in found.err
    assert str(pictures / "bee" / "2.png") in found.err
    for file in (pictures / "bee").iterdir():
        file.write_text("no picture")
    found = run(single(tmp_path, "data.image_folder", **params, on_error="skip"))
    assert found.code == 3
    assert "has no readable pictures" in found.err


def test_a_class_without_company(pictures: Path, tmp_path: Path) -> None:
    for name in ("bee", "cat"):
        (pictures / name).rename(tmp_path / name)
    graph = single(tmp_path, "data.image_folder", folder=str(pictures))
    failed(run(graph), "needs at least two")
