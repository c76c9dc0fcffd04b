"""What the studio and its bridge server process say to each other: JSON lines.

Commands (``c``) go to standard input, events (``t``) come from standard output. The server ends
when its standard input closes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from device_bridge.protocol import EditId, FromPhone, Hello, ProtocolError, Text, ToPhone, Words

# ---- studio to server process (standard input) ------------------------------------------------


class Listen(Words):
    """Open (or move) the server: an address of this machine, with TLS except on loopback."""

    c: Literal["listen"] = "listen"
    host: str = Field(max_length=64)
    port: int = Field(default=0, ge=0, le=65535)
    tls: bool = True


class Pair(Words):
    """Make a new one-time token; ``port`` is the phone's own port on the USB route.

    ``allow`` lets the device that shows this token in without a question: the USB route, where
    the person has just clicked the device in the studio.
    """

    c: Literal["pair"] = "pair"
    port: int | None = Field(default=None, ge=1, le=65535)
    allow: bool = False


class Answer(Words):
    """The user's answer about a device that asks to be let in."""

    c: Literal["answer"] = "answer"
    device: Text
    allow: bool


class Forget(Words):
    """End the session of a device, or of all where ``device`` is None."""

    c: Literal["forget"] = "forget"
    device: Text | None = None


class Push(Words):
    """Offer an artefact (a folder that ``Artifact.load`` reads) to the phones."""

    c: Literal["push"] = "push"
    folder: str
    id: EditId
    name: Text
    run: str = Field(default="", description="Run folder that telemetry and notes are kept with.")
    node: str = ""
    note: Text = ""
    show: bool = True
    following: bool = False


class Drop(Words):
    """Take an edit off the list and off the phones."""

    c: Literal["drop"] = "drop"
    id: EditId


class Tell(Words):
    """Send a message to a phone (all where ``device`` is None)."""

    c: Literal["tell"] = "tell"
    device: Text | None = None
    message: ToPhone


Command = Annotated[Listen | Pair | Answer | Forget | Push | Drop | Tell, Field(discriminator="c")]

# ---- server process to studio (standard output) -----------------------------------------------


class Listening(Words):
    """The server is reachable; ``fingerprint`` is the SHA-256 of the CA certificate, or empty."""

    t: Literal["listening"] = "listening"
    url: str
    host: str
    port: int
    tls: bool
    fingerprint: str = ""


class Token(Words):
    """A new one-time token: the address for QR code or USB, the typed code, its end."""

    t: Literal["token"] = "token"
    url: str
    code: str = Field(description="Six characters, shown as two groups of three.")
    expires: float = Field(description="Seconds since 1970.")


class Asks(Words):
    """A device showed the token and waits for Allow or Refuse."""

    t: Literal["asks"] = "asks"
    device: str
    name: str
    address: str


class Connected(Words):
    """An allowed device opened its channel and said hello."""

    t: Literal["connected"] = "connected"
    device: str
    name: str
    route: Literal["usb", "wifi"]
    hello: Hello


class Gone(Words):
    """A device's channel closed."""

    t: Literal["gone"] = "gone"
    device: str
    why: str = ""


class Said(Words):
    """A device's message, passed on."""

    t: Literal["said"] = "said"
    device: str
    message: FromPhone


class Preview(Words):
    """The latest preview picture; the studio gives the credit back once it has painted it."""

    t: Literal["preview"] = "preview"
    device: str
    seq: int
    total_us: int
    jpeg: str = Field(description="Base64.")


class Reached(Words):
    """The page was fetched by a device that is not paired yet: the network works."""

    t: Literal["reached"] = "reached"
    address: str
    agent: str = ""


class Pushed(Words):
    """An edit is on the server's list and was offered to ``devices`` phones."""

    t: Literal["pushed"] = "pushed"
    id: str
    devices: int


class Trouble(Words):
    """Something the user should know: sentence, remedy, and the command it answers."""

    t: Literal["trouble"] = "trouble"
    text: str
    remedy: str = ""
    command: str = ""


ServerEvent = Annotated[
    Listening | Token | Asks | Connected | Gone | Said | Preview | Reached | Pushed | Trouble,
    Field(discriminator="t"),
]

_COMMAND: TypeAdapter[Command] = TypeAdapter(Command)
_EVENT: TypeAdapter[ServerEvent] = TypeAdapter(ServerEvent)


def command(line: str | bytes) -> Command:
    """Read a line of standard input.

    Raises:
        ProtocolError: not a command that is known here.
    """
    read: Command = _read(_COMMAND, line, "command")
    return read


def event(line: str | bytes) -> ServerEvent:
    """Read a line of the server's standard output.

    Raises:
        ProtocolError: not an event that is known here.
    """
    read: ServerEvent = _read(_EVENT, line, "event")
    return read


def _read(adapter: TypeAdapter[Any], line: str | bytes, what: str) -> Any:
    try:
        return adapter.validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        raise ProtocolError(f"This is no bridge {what}: {first['msg'][:200]}.") from error
