from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from backend.data.idx import read_idx, read_shape, write_idx
from backend.data.manifest import DataError

VALUES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@given(
    values=arrays(np.uint8, array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5)),
    name=st.sampled_from(["x-ubyte", "x-ubyte.gz"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trip(tmp_path, values, name):
    path = tmp_path / name
    write_idx(path, values)
    assert read_shape(path) == values.shape
    found = read_idx(path)
    assert found.dtype == np.uint8
    assert np.array_equal(found, values)


def test_bytes_are_those_of_the_format(tmp_path):
    write_idx(tmp_path / "x", VALUES)
    head = bytes((0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4))
    assert (tmp_path / "x").read_bytes() == head + bytes(range(24))


def test_zipped_or_not_is_seen_from_the_content(tmp_path):
    write_idx(tmp_path / "plain", VALUES)
    (tmp_path / "plain.gz").write_bytes((tmp_path / "plain").read_bytes())
    (tmp_path / "zipped").write_bytes(gzip.compress((tmp_path / "plain").read_bytes()))
    assert np.array_equal(read_idx(tmp_path / "plain.gz"), VALUES)
    assert np.array_equal(read_idx(tmp_path / "zipped"), VALUES)


def test_other_types_are_not_written(tmp_path):
    with pytest.raises(TypeError, match="float64"):
        write_idx(tmp_path / "x", np.zeros(3))


NOISE = np.random.default_rng(0).bytes(1000)


def _spoilt(data):
    return data[:500] + bytes((data[500] ^ 1,)) + data[501:]


RAW = bytes((0, 0, 8, 1, 0, 0, 0, 4, 1, 2, 3, 4))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "not an IDX file"),
        (b"\x89PNG\r\n\x1a\n", "not an IDX file"),
        (bytes((0, 0, 13, 1)) + RAW[4:], "not an IDX file"),
        (bytes((0, 0, 8, 0)), "not an IDX file"),
        (RAW[:6], "truncated inside its header"),
        (RAW[:-1], "should hold 4 values by its header but holds only 3"),
        (RAW + b"x", "should hold 4 values by its header but holds more"),
        (bytes((0, 0, 8, 3)) + b"\xff" * 12, "but holds only 0"),
        (gzip.compress(RAW * 100)[:-30], "damaged or truncated"),
        (gzip.compress(RAW)[:-12], "damaged or truncated"),
        (_spoilt(gzip.compress(bytes((0, 0, 8, 1, 0, 0, 3, 232)) + NOISE)), "damaged or truncated"),
    ],
)
def test_malformed_files_get_one_sentence(tmp_path, raw, words):
    path = tmp_path / "bad-ubyte"
    path.write_bytes(raw)
    with pytest.raises(DataError, match=words) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_gets_a_sentence(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path / "nowhere")
