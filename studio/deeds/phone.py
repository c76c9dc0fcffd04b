"""Pairing, pushing, following and measuring: what the Device menu does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.core.errors import DocumentError
from studio.phone.artefacts import artefact_folders, edit_of
from studio.phone.edit import Edit
from studio.phone.phone import Phone, phone_of
from studio.phone.targets import node_to_follow, pushable

if TYPE_CHECKING:
    from studio.main_window import MainWindow


def pair(window: MainWindow) -> None:
    """Open the Phone panel with a code to scan."""
    _panel(window)
    panel = window.dock_widget("phone")
    if panel is not None and hasattr(panel, "show_pairing"):
        panel.show_pairing()


def show(window: MainWindow) -> None:
    """Bring the Phone panel to the front."""
    _panel(window)


def push(window: MainWindow, edit: Edit | None = None, run: str = "", node: str = "") -> None:
    """Push an edit: the one given, what a node of a run exported, or the likeliest."""
    if edit is None:
        edit = _find(window, run, node)
    phone = _panel(window)
    phone.push(edit)
    device = phone.device
    session = window.session
    if device is not None:
        session.tell(f"{edit.name} is on its way to {device.name}.", kind="info")
    elif phone.is_open:
        pairing = ("Pair a phone", lambda: window.act("phone_pair"))
        session.tell(f"{edit.name} waits for a phone.", action=pairing)


def follow(window: MainWindow, on: bool | None = None) -> None:
    """Send every epoch of the training shown to the phone, or send no more."""
    phone = phone_of(window.session)
    if phone.follower.is_running or on is False:
        phone.unfollow()
        return
    found = node_to_follow(window.session)
    if found is None:
        raise DocumentError(
            "No training that can be followed is shown.", "Run a Train image-to-image node first."
        )
    _panel(window).follow(*found)
    window.session.tell("Following the training.", "Every epoch goes to the phone.")


def benchmark(window: MainWindow, edit: Edit | None = None) -> None:
    """Let the phone measure the edit it shows on every backend it has."""
    phone = phone_of(window.session)
    if phone.device is None:
        raise DocumentError("No phone is connected.", "Pair a phone first.")
    if not phone.benchmark(edit.id if edit is not None else ""):
        raise DocumentError("The phone shows no edit yet.", "Push one, then measure it.")
    window.session.tell(f"{phone.device.name} measures.", "It takes some seconds a backend.")


def remove(window: MainWindow, edit: Edit | None = None) -> None:
    """Take an edit off the phones: the one given, else the one that is shown."""
    phone = phone_of(window.session)
    device = phone.device
    id = edit.id if edit is not None else device.edit if device is not None else ""
    if id not in phone.state.edits:
        raise DocumentError("That edit is on no phone.", "Pick one of the list of edits.")
    phone.drop(id)


def forget_all(window: MainWindow) -> None:
    """End the session of every phone, after a question."""
    phone = phone_of(window.session)
    if not phone.is_open:
        raise DocumentError("No phone is paired.", "Pair a phone first.")
    window.ask(
        "Forget all phones? Each must be paired again.", ("Forget them", lambda: phone.forget())
    )


def _panel(window: MainWindow) -> Phone:
    """Bring the panel into the window: the bridge runs only with it."""
    frame = window.frames.get("phone")
    if frame is None:
        raise DocumentError("The Phone panel is not installed.", "Install Fretsaw again.")
    if frame.isHidden() or not window.shows_graph:
        window.set_workspace("Phone")
    window.show_dock("phone", focus=False)
    frame.allow_filling()
    phone = phone_of(window.session)
    if not phone.open():
        raise DocumentError(phone.crash, "Try again.")
    return phone


def _find(window: MainWindow, run: str, node: str) -> Edit:
    workspace = window.session.workspace
    if run and node:
        return edit_of(workspace, run, node)
    found = pushable(window.session)
    if found is None:
        raise DocumentError(
            "There is no exported edit yet.", "Run an Export node of a generator, then push."
        )
    name, exporter = found
    if not artefact_folders(workspace, name, exporter):
        raise DocumentError(f"What {exporter} exported was freed.", "Run it again.")
    return edit_of(workspace, name, exporter)
