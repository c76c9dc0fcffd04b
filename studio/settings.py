"""What the user prefers: one frozen record, kept as a JSON file in the workspace."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from PySide6.QtCore import QObject, Signal

from backend.core.errors import DocumentError, sentence
from backend.core.files import parse_json, write_atomic
from backend.core.workspace import Workspace

FORMAT = "fretsaw.settings"
VERSION = 1


def _choices(page: str, group: str = "", **labels: str) -> dict[str, Any]:
    return {"page": page, "group": group, "labels": labels}


class Settings(BaseModel):
    """Every preference. ``page`` and ``group`` of a field say where the window shows it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    theme: Literal["system", "dark", "light", "contrast", "contrast_light"] = Field(
        default="system",
        title="Theme",
        description="Colours of the window. High contrast has stronger borders and no faint lines.",
        json_schema_extra=_choices(
            "appearance",
            system="As the system",
            contrast="High contrast, dark",
            contrast_light="High contrast, light",
        ),
    )
    text_scale: int = Field(
        default=100,
        ge=90,
        le=150,
        title="Text size",
        description="Size of all text, fields and rows.",
        json_schema_extra={"page": "appearance", "unit": "%"},
    )
    reduced_motion: bool = Field(
        default=False,
        title="Less motion",
        description="Nothing fades, grows or pulses. Progress is still shown.",
        json_schema_extra={"page": "appearance"},
    )
    grid_snap: bool = Field(
        default=True,
        title="Snap to grid",
        description="Nodes land on a grid of 8 px when they are moved.",
        json_schema_extra={"page": "appearance", "group": "Canvas"},
    )
    smoothing: float = Field(
        default=0.86,
        ge=0,
        le=0.99,
        title="Smoothing",
        description="How much new curves are smoothed; 0 shows the raw line alone.",
        json_schema_extra={"page": "appearance", "group": "Curves"},
    )
    device: Literal["cpu", "cuda", "mps"] = Field(
        default="cpu",
        title="Device",
        description="Where runs compute, unless the tool bar says otherwise.",
        json_schema_extra=_choices("running", cpu="CPU", cuda="CUDA", mps="Apple GPU"),
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=256,
        title="Threads",
        description="Threads of a run; without a number, one less than there are cores. "
        "Sums differ with it, so each run records the count.",
        json_schema_extra={"page": "running"},
    )
    keep_awake: bool = Field(
        default=True,
        title="Stay awake",
        description="Keep the computer from sleeping while a run computes.",
        json_schema_extra={"page": "running", "group": "While a run computes"},
    )
    keep_screen_on: bool = Field(
        default=False,
        title="Screen stays on",
        description="Keep the screen on too while a run computes.",
        json_schema_extra={"page": "running", "group": "While a run computes"},
    )
    notify: bool = Field(
        default=True,
        title="Notify",
        description="Tell when a run has ended and the window is not in front.",
        json_schema_extra={"page": "running", "group": "When a run ends"},
    )
    sound: bool = Field(
        default=False,
        title="Sound",
        description="Play the system's sound when a run has ended.",
        json_schema_extra={"page": "running", "group": "When a run ends"},
    )
    confirm_delete_runs: bool = Field(
        default=True,
        title="Ask first",
        description="Ask before runs are deleted; deleting them cannot be undone.",
        json_schema_extra={"page": "running", "group": "Deleting runs"},
    )
    autosave: bool = Field(
        default=False,
        title="Save by itself",
        description="Write the named file after every edit. Off: edits are kept in a journal "
        "beside it until you save.",
        json_schema_extra={"page": "files"},
    )
    backups: int = Field(
        default=5,
        ge=0,
        le=50,
        title="Backups",
        description="Earlier versions of a file that are kept when it is saved.",
        json_schema_extra={"page": "files", "unit": "files"},
    )
    strip_metadata: bool = Field(
        default=True,
        title="Strip metadata",
        description="Remove names, places and paths from what is shared: pictures, graphs, "
        "exported files.",
        json_schema_extra={"page": "files", "group": "Sharing"},
    )
    shortcuts: dict[str, str] = Field(
        default_factory=dict,
        title="Shortcuts",
        description="Keys of actions that differ from the usual ones; no keys: none.",
        json_schema_extra={"page": "shortcuts"},
    )


class SettingsStore(QObject):
    """Holds the settings and writes each change at once.

    ``problem`` says in a sentence why the file could not be read or written; empty when all is
    well. ``troubled`` tells it again when a later write fails.
    """

    changed = Signal()
    troubled = Signal(str)

    def __init__(self, workspace: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path = workspace.root / "studio" / "settings.json"
        self.problem = ""
        self.values = self._load()

    def set(self, **fields: Any) -> None:
        """Change settings; tells ``changed`` if any differs now.

        Raises:
            DocumentError: there is no such setting, or it cannot have this value.
        """
        unknown = sorted(set(fields) - set(Settings.model_fields))
        if unknown:
            raise DocumentError(f'There is no setting "{unknown[0]}".')
        try:
            new = Settings.model_validate({**self.values.model_dump(), **fields})
        except ValidationError as error:
            first = error.errors()[0]
            raise DocumentError(f'Setting "{first["loc"][0]}": {first["msg"]}.') from None
        if new == self.values:
            return
        self.values = new
        self._save(fields)
        self.changed.emit()

    def reset(self, name: str) -> None:
        """Give one setting its default again.

        Raises:
            DocumentError: there is no such setting.
        """
        if name not in Settings.model_fields:
            raise DocumentError(f'There is no setting "{name}".')
        self.set(**{name: getattr(Settings(), name)})

    # -- inner -----------------------------------------------------------------------------------

    def _save(self, fields: dict[str, Any]) -> None:
        # Another window may have changed other settings since this one read the file.
        there = self._read_values() or self.values.model_dump()
        values = {**there, **{name: getattr(self.values, name) for name in fields}}
        text = json.dumps({"format": FORMAT, "version": VERSION, "values": values}, indent=1)
        try:
            write_atomic(self.path, text)
        except OSError as error:
            self.problem = f"Settings could not be saved. {sentence(error)}"
            self.troubled.emit(self.problem)
        else:
            self.problem = ""

    def _read_values(self) -> dict[str, Any] | None:
        try:
            data = parse_json(self.path.read_text(encoding="utf-8"))
            Settings.model_validate(data["values"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return dict(data["values"])

    def _load(self) -> Settings:
        try:
            data = parse_json(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Settings()
        except OSError as error:
            self.problem = f"Settings could not be read. {sentence(error)}"
            return Settings()
        except ValueError:
            return self._set_aside("The settings file is damaged.")
        values = data.get("values") if isinstance(data, dict) else None
        if not isinstance(values, dict) or data.get("format") != FORMAT:
            return self._set_aside("The settings file is damaged.")
        if not isinstance(data.get("version"), int) or data["version"] > VERSION:
            return self._set_aside("The settings file is from a newer Fretsaw.")
        return self._without_faults(values)

    def _without_faults(self, values: dict[str, Any]) -> Settings:
        try:
            return Settings.model_validate(values)
        except ValidationError as error:
            wrong = {str(fault["loc"][0]) for fault in error.errors()}
            titles = ", ".join(Settings.model_fields[name].title or name for name in sorted(wrong))
            self._set_aside(f"Settings that cannot be used: {titles}.", outcome="Those")
            return Settings.model_validate({k: v for k, v in values.items() if k not in wrong})

    def _set_aside(self, what: str, outcome: str = "All settings") -> Settings:
        """Keep a copy of the file beside it and say so."""
        copy = self.path.with_name(f"settings-{datetime.now():%Y-%m-%d_%H-%M-%S}.json")
        try:
            shutil.copy2(self.path, copy)
            kept = f'The file is kept as "{copy.name}".'
        except OSError:
            kept = "No copy of the file could be kept."
        self.problem = f"{what} {outcome} are at their defaults. {kept}"
        return Settings()
