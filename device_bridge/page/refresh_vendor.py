"""Refresh the third-party files of the phone page from npm packages, pinned by version.

    python -m device_bridge.page.refresh_vendor

Needs ``npm``. Files are stored gzip-compressed (a fixed time stamp, so that the same version gives
the same bytes), which is also how the server sends them; ``vendor.json`` names each with its
version, licence and SHA-256.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
VENDOR = FOLDER / "vendor"
MOST_BYTES = 8_000_000
"""Bytes of the largest stored file."""


@dataclass(frozen=True)
class Package:
    """An npm package, its licence, and the files taken from it (path inside the package)."""

    name: str
    version: str
    licence: str
    files: tuple[str, ...]
    packed: bool = True


PACKAGES = (
    Package(
        "onnxruntime-web",
        "1.30.0",
        "MIT",
        (
            "dist/ort.wasm.bundle.min.mjs",
            "dist/ort-wasm-simd-threaded.wasm",
            "dist/ort.jspi.bundle.min.mjs",
            "dist/ort-wasm-simd-threaded.jspi.wasm",
            "dist/ort.webgpu.bundle.min.mjs",
            "dist/ort-wasm-simd-threaded.asyncify.wasm",
        ),
    ),
    Package(
        "@fontsource/inter",
        "5.3.0",
        "OFL-1.1",
        (
            "files/inter-latin-400-normal.woff2",
            "files/inter-latin-500-normal.woff2",
            "files/inter-latin-600-normal.woff2",
        ),
        packed=False,  # WOFF2 is compressed already
    ),
    Package(
        "@fontsource/jetbrains-mono",
        "5.3.0",
        "OFL-1.1",
        ("files/jetbrains-mono-latin-500-normal.woff2",),
        packed=False,
    ),
)
# A map beside a bundle is not served; without this line no browser asks for it.
_MAP_COMMENT = re.compile(rb"\n?//# sourceMappingURL=\S+\s*$")


def stored(data: bytes, name: str, *, packed: bool) -> tuple[str, bytes]:
    """Return the name and the bytes under which a file is kept."""
    if not packed:
        return name, data
    small = gzip.compress(data, compresslevel=9, mtime=0)
    if len(small) > MOST_BYTES:
        raise SystemExit(f"{name} has {len(small)} bytes when packed, above {MOST_BYTES}.")
    return f"{name}.gz", small


def fetch(package: Package, folder: Path) -> Path:
    """Return the unpacked folder of a package, fetched with ``npm pack``."""
    npm = shutil.which("npm") or "npm"
    wanted = f"{package.name}@{package.version}"
    command = [npm, "pack", "--silent", wanted]
    subprocess.run(command, cwd=folder, check=True, timeout=600, stdout=subprocess.PIPE)
    [archive] = folder.glob("*.tgz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / "package"


def refresh() -> list[dict[str, object]]:
    """Write the vendor folder anew; return the records of ``vendor.json``."""
    shutil.rmtree(VENDOR, ignore_errors=True)
    VENDOR.mkdir()
    records: list[dict[str, object]] = []
    for package in PACKAGES:
        with tempfile.TemporaryDirectory() as place:
            root = fetch(package, Path(place))
            for path in package.files:
                raw = _MAP_COMMENT.sub(b"\n", (root / path).read_bytes())
                name, data = stored(raw, Path(path).name, packed=package.packed)
                (VENDOR / name).write_bytes(data)
                records.append(
                    {
                        "file": name,
                        "package": package.name,
                        "version": package.version,
                        "licence": package.licence,
                        "bytes": len(raw),
                        "sha256": hashlib.sha256(raw).hexdigest(),
                        "stored_bytes": len(data),
                        "stored_sha256": hashlib.sha256(data).hexdigest(),
                    }
                )
    (VENDOR / "vendor.json").write_text(json.dumps(records, indent=1) + "\n")
    return records


if __name__ == "__main__":
    for record in refresh():
        print(f"{record['file']}: {record['stored_bytes']} bytes")
    sys.exit(0)
