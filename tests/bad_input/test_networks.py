"""Networks that do not fit the data, Python files that are not to be trusted, odd ONNX files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from backend.core import events as ev
from backend.core.graph import Graph
from backend.core.workspace import Workspace
from backend.engine import launch
from tests.bad_input.conftest import save_classifier
from tests.bad_input.told import (
    NET,
    TRAIN,
    cli,
    failed,
    judged,
    newest,
    refused,
    run,
    single,
    spawn,
)

TAKES_BOTH = [
    ("train.classifier", TRAIN),
    ("evaluate.classifier", {}),
    ("quantize.f8net", TRAIN),
    ("quantize.po2", {}),
]


def loaded(folder: Path) -> tuple[str, dict[str, object]]:
    return "model.load", {"file": str(folder)}


@pytest.mark.parametrize(("node", "params"), TAKES_BOTH[:3])
def test_too_few_logits(node: str, params: dict, tmp_path: Path) -> None:
    few = save_classifier(tmp_path / "few", classes=3)
    failed(run(judged(tmp_path, loaded(few), node, links_data=False, **params)), "3", "10")


def test_too_few_logits_for_what_only_calibrates(tmp_path: Path) -> None:
    few = save_classifier(tmp_path / "few", classes=3)
    found = run(judged(tmp_path, loaded(few), "quantize.po2", links_data=False))
    assert "3 classes" in found.err
    assert "10" in found.err


@pytest.mark.parametrize("node", ["train.classifier", "evaluate.classifier"])
def test_more_logits_than_classes(node: str, saved: Path, pictures: Path, tmp_path: Path) -> None:
    data = ("data.image_folder", {"folder": str(pictures), "size": 8})
    params = TRAIN if node == "train.classifier" else {}
    graph = judged(tmp_path, loaded(saved), node, data, links_data=False, **params)
    failed(run(graph), "10 classes", "has 3", "Link this data")


@pytest.mark.parametrize(("node", "params"), TAKES_BOTH)
def test_a_colour_network_on_grey_pictures_of_another_size(node, params, tmp_path: Path) -> None:
    """It is no mistake: pictures are turned into what the network reads."""
    colour = save_classifier(tmp_path / "colour", channels=3)
    text = json.loads((colour / "model.json").read_text())
    text["image"] |= {"height": 12, "width": 10}
    (colour / "model.json").write_text(json.dumps(text))
    found = run(judged(tmp_path, loaded(colour), node, links_data=False, **params))
    assert (found.code, found.err) == (0, "")


PYTHON = "from torch import nn\n\n\ndef make_network(width=3):\n    return {}\n"
FIXED_SIZE = PYTHON.format("nn.Sequential(nn.Flatten(), nn.Linear(256, 10))")
COLOUR = PYTHON.format(
    "nn.Sequential(nn.Conv2d(3, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), "
    "nn.Linear(width, 10))"
)
GOOD = COLOUR.replace("Conv2d(3,", "Conv2d(1,")


@pytest.mark.parametrize("source", [FIXED_SIZE, COLOUR], ids=["size", "channels"])
def test_a_python_network_that_reads_other_pictures(source: str, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(source)
    assert cli("trust", tmp_path / "net.py").code == 0
    model = ("model.python", {"file": str(tmp_path / "net.py")})
    failed(run(judged(tmp_path, model, "evaluate.classifier")), "net.py", "1 x 8 x 8")


def test_pictures_too_small_for_the_network(tmp_path: Path) -> None:
    model = ("model.vgg", {"depth": 16, "width": 4})
    failed(
        run(judged(tmp_path, model, "evaluate.classifier")), "8 x 8", "another size", sentences=4
    )  # two are torch's own


def test_a_learning_rate_that_diverges(tmp_path: Path) -> None:
    wild = {"lr": 10, "weight_decay": 1, "warmup": 0, "momentum": 0.99, "schedule": "constant"}
    graph = judged(tmp_path, ("model.resnet", NET), "train.classifier", epochs=30, **wild)
    failed(run(graph), "ower learning rate")
    assert run(graph, *("--set", "it.lr=0.1", "--set", "it.epochs=1")).code == 0


def test_an_export_that_does_not_agree_has_an_exit_code_of_its_own(tmp_path: Path) -> None:
    graph = judged(tmp_path, ("model.resnet", NET), "export.onnx", checked=8, tolerance=1e-12)
    refused(run(graph), 4, "does not compute what", "allowed 1e-12", "enters at layer")
    assert newest().state() == "failed"
    assert "Traceback" in (newest().path / "log.txt").read_text()


# -- Python files --------------------------------------------------------------------------------


def python_graph(folder: Path, source: str | bytes, **params: object) -> Path:
    content = source if isinstance(source, bytes) else source.encode()
    (folder / "net.py").write_bytes(content)
    file = str(folder / "net.py")
    return single(folder, "model.python", file=file, channels=1, size=8, **params)


def test_an_untrusted_file_does_not_run(tmp_path: Path) -> None:
    target = tmp_path / "was-here"
    graph = python_graph(tmp_path, f"open({str(target)!r}, 'w')\n{GOOD}")
    text = failed(run(graph), "python -m backend trust")
    assert not target.exists()
    command = text.partition("python -m backend ")[2].split()
    assert cli(*command).code == 0
    assert run(graph).code == 0
    assert target.exists()


def test_an_untrusted_file_in_a_process_of_its_own(known: Path, tmp_path: Path) -> None:
    target = tmp_path / "was-here"
    graph = python_graph(tmp_path, f"open({str(target)!r}, 'w')\n{GOOD}")
    failed(spawn("run", graph, "--threads", "1"), "may do anything", "python -m backend trust")
    assert not target.exists()


def test_a_trusted_file_that_changed_is_asked_about_again(tmp_path: Path) -> None:
    graph = python_graph(tmp_path, GOOD)
    assert cli("trust", tmp_path / "net.py").code == 0
    assert run(graph).code == 0
    graph = python_graph(tmp_path, GOOD + "# changed\n")
    failed(run(graph), "python -m backend trust")
    graph = python_graph(tmp_path, GOOD)
    assert run(graph).code == 0


@pytest.mark.parametrize("trusted", [False, True])
def test_a_file_is_called_by_its_name(trusted: bool, tmp_path: Path) -> None:
    graph = python_graph(tmp_path, "raise RuntimeError('boom')\n")
    if trusted:
        cli("trust", tmp_path / "net.py")
    failed(run(graph), "net.py")


BAD_CODE = {
    "raises": ("raise RuntimeError('boom')\n", ["line 1", "RuntimeError: boom"]),
    "raises inside": (PYTHON.format("1 / 0"), ["line 5", "ZeroDivisionError"]),
    "has a syntax error": ("x = 1\ndef make_network(:\n", ["line 2", "invalid syntax"]),
    "leaves": ("import sys\nsys.exit(3)\n", ["line 2", "SystemExit"]),
    "is binary": (b"\xff\xfe\x00", ["cannot be read"]),
    "lacks a package": ("import nowhere_at_all\n", ["line 1", "nowhere_at_all"]),
    "gives a number": (PYTHON.format("3"), ["returned int"]),
    "has another function": (GOOD.replace("make_network", "make_networks"), ["did you mean"]),
}


@pytest.mark.parametrize("how", BAD_CODE)
def test_a_trusted_file_that(how: str, tmp_path: Path) -> None:
    source, words = BAD_CODE[how]
    graph = python_graph(tmp_path, source)
    assert cli("trust", tmp_path / "net.py").code == 0
    failed(run(graph), *words)


def test_bad_arguments_of_a_python_file(tmp_path: Path) -> None:
    for arguments, words in (
        ("{a", "are no JSON"),
        ("[1]", "JSON"),
        ('{"depth": 3}', "unexpected keyword argument 'depth'"),
    ):
        graph = python_graph(tmp_path, GOOD, arguments=arguments)
        cli("trust", tmp_path / "net.py")
        found = run(graph)
        assert (found.code, "Traceback" in found.err, words in found.err) == (3, False, True)


@pytest.mark.parametrize("content", [b"\xff", b'["ab', b"{}", b"[1]"])
def test_a_damaged_list_of_trusted_files(content: bytes, tmp_path: Path, home: Path) -> None:
    """It trusts nobody, says so, and is not written over."""
    graph = python_graph(tmp_path, GOOD)
    assert cli("trust", tmp_path / "net.py").code == 0
    (home / "trusted.json").write_bytes(content)
    failed(run(graph), "trusted.json is damaged", "delete it")
    refused(cli("trust", tmp_path / "net.py"), 2, "trusted.json is damaged", "delete it")
    assert (home / "trusted.json").read_bytes() == content
    (home / "trusted.json").unlink()
    assert cli("trust", tmp_path / "net.py").code == 0
    assert run(graph).code == 0


def test_trust_of_nothing(tmp_path: Path) -> None:
    assert cli("trust", tmp_path / "none.py").code == 2


@pytest.mark.parametrize(("name", "words"), [("none.py", "no file"), ("folder", "folder")])
def test_trust_of_what_is_no_file(name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    refused(cli("trust", tmp_path / name), 2, name, words)


# -- ONNX and pictures that change ---------------------------------------------------------------


def onnx_file(folder: Path, operator: str, *, opset: int = 17) -> Path:
    onnx = pytest.importorskip("onnx")
    make, kinds = onnx.helper, onnx.TensorProto
    graph = make.make_graph(
        [
            make.make_node(operator, ["x"], ["between"], name="the_odd_one"),
            make.make_node("Cast", ["between"], ["y"], to=kinds.FLOAT),
        ],
        "graph",
        [make.make_tensor_value_info("x", kinds.FLOAT, [1, 1, 8, 8])],
        [make.make_tensor_value_info("y", kinds.FLOAT, None)],
    )
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", opset)], ir_version=9)
    onnx.save(model, folder / "net.onnx")
    return folder / "net.onnx"


def test_an_onnx_file_with_an_operator_that_is_not_known(tmp_path: Path) -> None:
    file = onnx_file(tmp_path, "NonZero")
    failed(run(single(tmp_path, "model.onnx", file=str(file))), "NonZero in the_odd_one")
    assert cli("inspect", file).code == 0
    assert "NonZero" in cli("inspect", file).out


def test_an_onnx_file_of_an_old_opset(tmp_path: Path) -> None:
    file = onnx_file(tmp_path, "Relu", opset=9)
    failed(run(single(tmp_path, "model.onnx", file=str(file))), "opset 9", "Export it again")


def test_an_onnx_file_that_is_no_classifier(tmp_path: Path) -> None:
    file = onnx_file(tmp_path, "Relu")  # a picture in, a picture out
    told = run(single(tmp_path, "model.onnx", file=str(file)))
    failed(told, "net.onnx", "no classifier", "teacher.onnx")


def test_an_onnx_file_of_two_inputs(tmp_path: Path) -> None:
    import onnx

    make, kinds = onnx.helper, onnx.TensorProto
    values = [make.make_tensor_value_info(n, kinds.FLOAT, [1, 1, 8, 8]) for n in ("x", "w", "y")]
    graph = make.make_graph([make.make_node("Add", ["x", "w"], ["y"])], "g", values[:2], values[2:])
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "two.onnx")
    failed(run(single(tmp_path, "model.onnx", file=str(tmp_path / "two.onnx"))), "x, w", "teacher")


def folder_graph(pictures: Path, tmp_path: Path) -> Path:
    data = {"folder": str(pictures), "size": 8, "val_fraction": 0.3, "test_fraction": 0.3}
    return judged(
        tmp_path, ("model.resnet", NET), "evaluate.classifier", ("data.image_folder", data)
    )


def test_pictures_that_changed_between_two_runs(pictures: Path, tmp_path: Path) -> None:
    graph = folder_graph(pictures, tmp_path)
    assert run(graph).code == 0
    assert "data: done (cached)" in run(graph).out
    Image.new("RGB", (20, 12)).save(pictures / "ant" / "0.png")
    assert "data: done (cached)" not in run(graph).out
    (pictures / "bee" / "1.png").unlink()
    assert "data: done (cached)" not in run(graph).out
    for file in pictures.rglob("*.png"):
        file.unlink()
    failed(run(graph), "has no pictures")


def test_a_picture_that_goes_during_a_run(pictures: Path, tmp_path: Path) -> None:
    graph = Graph.load(folder_graph(pictures, tmp_path))
    going = launch.create(graph, Workspace.current(), threads=1)

    def remove(event: ev.Event) -> None:
        if isinstance(event, ev.NodeFinished) and event.node == "net":
            (pictures / "bee" / "3.png").unlink()

    launch.execute(going, on_event=remove)
    (told,) = [e.error for e in going.events() if isinstance(e, ev.NodeFailed)]
    assert f'"{pictures / "bee" / "3.png"}" is gone' in told
    assert cli("resume", going.name).code == 0
    assert newest().state() == "finished"
