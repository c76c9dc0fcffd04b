"""Failures as sentences: what went wrong, with what, and what to do about it.

Any exception class may set ``for_user = True`` to say that its message is such a sentence. Packages
that must not import this module do so; :func:`sentence` is the one place that tells them apart.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from difflib import get_close_matches


class FretsawError(Exception):
    """A failure that is told to the user as it stands.

    ``message`` names the thing, ``remedy`` says what to do, ``details`` goes to the log only.
    """

    for_user = True
    exit_code = 3

    def __init__(self, message: str, remedy: str = "", details: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.message = message
        self.remedy = remedy
        self.details = details


class DocumentError(FretsawError):
    """A graph, parameter or file that cannot be used as it is."""

    exit_code = 2


class BusyError(FretsawError):
    """Something else holds what this command needs."""

    exit_code = 6


class Stopped(BaseException):
    """Raised inside a node when the user asked the run to stop.

    Not an ``Exception``: a node's own error handling must not swallow it.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint such as ``Did you mean "bits"?``, or the known names when none is near."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f'Did you mean "{close[0]}"?'
    if not names:
        return "There are none to choose from."
    return "Known: " + ", ".join(names[:12]) + (", ..." if len(names) > 12 else ".")


def sentence(error: BaseException) -> str:
    """Say ``error`` in words for a user: its own where it has them, else its kind and message."""
    if getattr(error, "for_user", False):
        return str(error)
    if isinstance(error, OSError) and error.errno in _OS_REMEDIES:
        where = f' at "{error.filename}"' if error.filename else ""
        return _OS_REMEDIES[error.errno].format(where=where)
    if isinstance(error, ModuleNotFoundError) and error.name:
        module = error.name.split(".")[0]
        package = _PACKAGES.get(module, module)
        return (
            f'The optional package "{package}" is not installed. '
            f"Install it with: python -m pip install {package}"
        )
    if isinstance(error, MemoryError):
        return "Out of memory. Use a smaller batch, a smaller picture size or fewer samples."
    text = str(error).strip().split("\n")[0][:300]
    return f"An unexpected {type(error).__name__} occurred: {text or 'no message'}."


def short(value: object, most: int = 80) -> str:
    """Show a value that somebody gave, cut so that it leaves room for the sentence around it."""
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def ended(text: str) -> str:
    """End ``text`` as a sentence ends, if it does not yet."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


# Packages that are not called like the module that they bring.
_PACKAGES = {
    "PIL": "pillow",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "huggingface_hub": "huggingface-hub",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
_ELSEWHERE = "Choose another folder, or set FRETSAW_HOME to one that you may write to."
_OS_REMEDIES = {
    errno.ENOSPC: "The disk is full{where}. Free some space (python -m backend gc removes "
    "stored results that no run refers to) and resume.",
    errno.EDQUOT: "The disk quota is used up{where}. Free some space and resume.",
    errno.EACCES: "No permission to write or read{where}. " + _ELSEWHERE,
    errno.EPERM: "The system does not permit this{where}. " + _ELSEWHERE,
    errno.EROFS: "The file system is read-only{where}. Set FRETSAW_HOME to a folder that can "
    "be written to.",
    errno.ENOENT: "No such file or folder{where}. Check the path.",
    errno.ENOTDIR: "There is a file where a folder should be{where}. " + _ELSEWHERE,
    errno.EEXIST: "There is a file where a folder should be{where}. Move it away, or set "
    "FRETSAW_HOME to another folder.",
    errno.EISDIR: "There is a folder where a file should be{where}. Give the path of a file, "
    "or move the folder away.",
    errno.ENAMETOOLONG: "The name is too long for this system{where}. Choose a shorter one.",
}
