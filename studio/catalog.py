"""The kinds of node as the window knows them: read from a file, made anew by a subprocess."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError
from PySide6.QtCore import QObject, QProcess, QTimer, Signal

from backend.core import catalog as catalogs
from backend.core.catalog import Broken, Catalog
from backend.core.node import NodeSpec
from backend.core.workspace import Workspace
from studio.launcher import backend_command, environment

# Importing all node files takes seconds, on a slow disk a minute.
_PATIENCE_MS = 180_000


class CatalogModel(QObject):
    """What there is to put on the canvas. Imports no node file: a broken one disturbs nobody.

    ``specs`` and ``broken`` are what the last catalogue said; ``error`` is a sentence when none
    could be made, ``details`` its long form.
    """

    changed = Signal()
    """Kinds of node, broken files, ``is_building`` or ``error`` are other ones now."""

    def __init__(
        self,
        workspace: Workspace,
        catalog: Catalog | None = None,
        parent: QObject | None = None,
    ) -> None:
        """Read the kept catalogue, unless one is given; :meth:`start` looks whether it is stale."""
        super().__init__(parent)
        self._workspace = workspace
        self._catalog = catalog or catalogs.kept(workspace)
        self._process: QProcess | None = None
        self._is_given = catalog is not None
        self.error = ""
        self.details = ""
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.timeout.connect(self._give_up)

    @property
    def catalog(self) -> Catalog:
        """The whole catalogue; one without kinds while there is none."""
        return self._catalog or Catalog(key=[], nodes={})

    @property
    def specs(self) -> dict[str, NodeSpec]:
        """Every kind of node by id."""
        return self._catalog.nodes if self._catalog else {}

    @property
    def broken(self) -> Sequence[Broken]:
        """The node files that could not be imported: which line, and why."""
        return self._catalog.broken if self._catalog else ()

    @property
    def is_building(self) -> bool:
        """Whether a subprocess is making the catalogue."""
        return self._process is not None

    def start(self) -> None:
        """Make the catalogue anew in the background if there is none or a node file changed.

        What was broken may have been mended by installing something, which no file of ours shows;
        so with broken files it is made anew as well.
        """
        if self._is_given:
            return
        known = self._catalog
        if known is None or known.broken or not catalogs.is_current(known):
            self.refresh()

    def refresh(self) -> None:
        """Make the catalogue anew in the background; :attr:`changed` tells when it is there."""
        if self._process is not None:
            return
        process = QProcess(self)
        program, *arguments = backend_command("catalog", "--json")
        process.setProgram(program)
        process.setArguments(arguments)
        process.setProcessEnvironment(environment(self._workspace))
        process.setStandardInputFile(QProcess.nullDevice())
        process.finished.connect(self._finished)
        process.errorOccurred.connect(self._could_not_start)
        self._process = process
        self._patience.start(_PATIENCE_MS)
        process.start()
        self.changed.emit()

    def close(self) -> None:
        """End the subprocess, if there is one; to be called before the application ends."""
        self._patience.stop()
        process, self._process = self._process, None
        if process is not None:
            process.finished.disconnect(self._finished)
            process.errorOccurred.disconnect(self._could_not_start)
            process.kill()
            process.waitForFinished(2000)
            process.deleteLater()

    def _give_up(self) -> None:
        if self._process is None:
            return
        self.close()
        self.error = (
            f"Listing the nodes took more than {_PATIENCE_MS // 60_000} minutes and was given up; "
            "a node file may wait for something. Reload the list to try again."
        )
        self.changed.emit()

    def _finished(self, code: int) -> None:
        self._patience.stop()
        process, self._process = self._process, None
        if process is None:
            return
        output = bytes(process.readAllStandardOutput().data())
        self.details = bytes(process.readAllStandardError().data()).decode(errors="replace").strip()
        process.deleteLater()
        try:
            self._catalog = Catalog.model_validate_json(output)
            self.error = ""
        except (ValidationError, ValueError):
            last = self.details.splitlines()[-1] if self.details else f"exit code {code}"
            self.error = f"The list of nodes could not be made ({last}). Reload it to try again."
        self.changed.emit()

    def _could_not_start(self, error: QProcess.ProcessError) -> None:
        if error is not QProcess.ProcessError.FailedToStart:
            return  # `finished` follows
        self._patience.stop()
        process, self._process = self._process, None
        if process is not None:
            self.details = process.errorString()
            process.deleteLater()
        self.error = "Python could not be started to list the nodes. Reload the list to try again."
        self.changed.emit()
