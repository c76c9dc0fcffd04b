"""Optional packages, imported when they are needed and missed in one sentence."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


class MissingPackageError(ImportError):
    """A package that this action needs is not installed."""

    for_user = True


def require(name: str) -> ModuleType:
    """Import the package ``name``.

    Raises:
        MissingPackageError: it is not installed; the message holds the command that installs it.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != name.split(".")[0]:
            raise
        package = name.split(".")[0]
        raise MissingPackageError(
            f"The package {package} is not installed; install it with: pip install {package}"
        ) from error
