from __future__ import annotations

import pytest

from backend.export import require as require_module
from backend.export.latency import compare_latency, ort_latency, size_bytes
from backend.export.require import MissingPackageError, require
from backend.export.runtime import FileError
from backend.export.single import single_batched_matmul, single_conv, single_matmul
from tests.maths.export.conftest import Exported


def test_latency_is_sane(float_file: Exported) -> None:
    latency = ort_latency(float_file.path, shape=(2, 3, 16, 16), runs=7, warmup=1)
    assert 0 < latency.p10_ms <= latency.median_ms <= latency.p90_ms
    assert (latency.runs, latency.threads) == (7, 1)
    assert latency.provider == "CPUExecutionProvider"


def test_by_time_there_are_at_least_three_runs(float_file: Exported) -> None:
    assert ort_latency(float_file.path, seconds=0, warmup=0).runs == 3
    assert ort_latency(float_file.path, seconds=0.05, optimize=False).runs > 3


def test_files_are_compared_in_turn(float_file: Exported, po2_file: Exported) -> None:
    both = compare_latency([float_file.path, po2_file.path], runs=4)
    assert [latency.runs for latency in both] == [4, 4]


def test_bad_arguments(float_file: Exported) -> None:
    with pytest.raises(ValueError, match="at least one run"):
        ort_latency(float_file.path, runs=0)
    with pytest.raises(FileError, match="cannot be opened"):
        ort_latency(b"no model")


def test_size_is_that_of_the_file(po2_file: Exported) -> None:
    assert size_bytes(po2_file.path) == len(po2_file.path.read_bytes())


@pytest.mark.parametrize(
    "file",
    [
        single_conv(
            (1, 4, 8, 8), (6, 2, 3, 3), stride=(2, 2), padding=(1, 1), dilation=(1, 1), groups=2
        ),
        single_conv(
            (1, 4, 5, 5), (4, 3, 2, 2), stride=(2, 2), padding=(0, 0), dilation=(1, 1),
            transposed=True, output_padding=(1, 1), bias=False,
        ),
        single_conv((1, 4, 9), (2, 4, 3), stride=(1,), padding=(1,), dilation=(2,)),
        single_matmul(3, 4, 5),
        single_batched_matmul(2, 3, 4, 5),
    ],
    ids=["conv2d", "conv_transpose2d", "conv1d", "linear", "matmul"],
)  # fmt: skip
def test_single_operations_run(file: bytes) -> None:
    assert ort_latency(file, runs=1, warmup=0).median_ms > 0


def test_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(require_module, "import_module", absent)
    with pytest.raises(MissingPackageError, match="pip install onnxruntime") as caught:
        require("onnxruntime")
    assert caught.value.for_user
