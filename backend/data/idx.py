"""The IDX file format of MNIST and its relatives, plain or gzip.

Source: Y. LeCun, C. Cortes, C. Burges, The MNIST database, "file formats": two zero bytes, one byte
for the type, one for the number of dimensions, each size as big-endian 32 bits, then the values.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from backend.data.manifest import DataError

_UINT8 = 0x08


def read_shape(path: Path) -> tuple[int, ...]:
    """Return the sizes in the header of the IDX file at ``path``.

    Raises:
        DataError: no readable IDX file of unsigned bytes.
    """
    with _open(path) as file:
        return _header(file, path)


def read_idx(path: Path) -> np.ndarray:
    """Return the values of the IDX file at ``path``: uint8, of the shape in its header.

    Raises:
        DataError: wrong magic number, truncated, damaged, or more bytes than the header says.
    """
    with _open(path) as file:
        shape = _header(file, path)
        size = int(np.prod(shape, dtype=object))
        try:
            data = file.read()  # all of it: a size in a damaged header may be anything
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                f'The file "{path}" is damaged or truncated ({error}); fetch it again.'
            ) from error
    if len(data) != size:
        found = f"only {len(data)}" if len(data) < size else "more"
        raise DataError(
            f'The file "{path}" should hold {size} values by its header but holds {found}; '
            "fetch it again."
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


def write_idx(path: Path, values: np.ndarray) -> None:
    """Write uint8 ``values`` as IDX; gzip if the name ends in ``.gz`` (same bytes every time)."""
    if values.dtype != np.uint8:
        raise TypeError(f"IDX files of unsigned bytes hold uint8, not {values.dtype}")
    head = bytes((0, 0, _UINT8, values.ndim)) + np.array(values.shape, ">u4").tobytes()
    raw = head + np.ascontiguousarray(values).tobytes()
    path.write_bytes(gzip.compress(raw, 9, mtime=0) if path.suffix == ".gz" else raw)


def _open(path: Path) -> IO[bytes]:
    # By content, not by name: both kinds go around under either name.
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
        return gzip.open(path) if zipped else path.open("rb")
    except OSError as error:
        raise DataError(f'The file "{path}" cannot be read: {error.strerror}.') from error


def _header(file: IO[bytes], path: Path) -> tuple[int, ...]:
    try:
        magic = file.read(4)
        if len(magic) < 4 or magic[:3] != bytes((0, 0, _UINT8)) or not magic[3]:
            raise DataError(
                f'The file "{path}" is not an IDX file of unsigned bytes: it starts with '
                f'"{magic.hex(" ")}" and not with "00 00 08"; fetch it again.'
            )
        sizes = file.read(4 * magic[3])
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f'The file "{path}" is damaged or truncated ({error}); fetch it again.'
        ) from error
    if len(sizes) != 4 * magic[3]:
        raise DataError(f'The file "{path}" is truncated inside its header; fetch it again.')
    return tuple(np.frombuffer(sizes, ">u4").tolist())
