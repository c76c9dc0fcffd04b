"""Every operator of the ONNX importer against ONNX Runtime, on the row's seeded inputs."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch

from backend.models.from_onnx import import_onnx, operators
from tests.maths.models.onnx_cases import CASES, Case

# Covered by whole graphs in test_from_onnx: they need other nodes around them.
IN_GRAPHS = {"Shape", "Constant", "ConstantOfShape"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_operator_agrees_with_onnx_runtime(case: Case) -> None:
    free, _ = case.arrays()
    data = case.model().SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    expected = session.run(None, {f"x{i}": one for i, one in enumerate(free)})
    network, _ = import_onnx(data)
    with torch.no_grad():
        found = network(*(torch.from_numpy(one) for one in free))
    found = found if isinstance(found, tuple) else (found,)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.numpy().dtype == theirs.dtype
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=2e-5, atol=2e-5)


def test_every_operator_has_a_row() -> None:
    assert {case.op for case in CASES} | IN_GRAPHS == set(operators())


def test_rows_have_different_names() -> None:
    assert len({case.id for case in CASES}) == len(CASES)
