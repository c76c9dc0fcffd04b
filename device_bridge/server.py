"""The bridge server: commands of the studio in, events out, phones in between.

It listens only where and while the studio says so. What is listening has no state of the studio
in reach: it gives out page files and files of pushed edits, nothing else.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import time
import traceback
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from backend.core.errors import FretsawError
from device_bridge import protocol as say
from device_bridge import wire
from device_bridge.certificates import Authority, authority, local_name, server_context
from device_bridge.concepts import can_switch, require_concept
from device_bridge.desktop import Desktop
from device_bridge.edits import Edits
from device_bridge.frames import Frame
from device_bridge.listening import LOOPBACK, cannot_listen, require_private
from device_bridge.pages import PageFile, page_files
from device_bridge.pairing import Pairing, Session
from device_bridge.phones import START_CREDIT, Phone
from device_bridge.telemetry import RunNotes, is_run_folder

Emit = Callable[[Any], bool]
"""Passes an event on; tells whether an older preview was dropped for it."""
_HANDSHAKE_S = 4.0
_KEPT = (say.BenchResult, say.ConceptShown, say.Golden, say.Note, say.Ready, say.Telemetry)


class Server:
    """State of one server process; everything runs in its event loop."""

    def __init__(
        self, emit: Emit, home: Path, files: Callable[[], dict[str, PageFile]] = page_files
    ) -> None:
        self.emit, self.home = emit, home
        self.pairing, self.edits, self.notes = Pairing(), Edits(), RunNotes()
        self.phones: dict[str, Phone] = {}
        self.answered = asyncio.Condition()
        self.host, self.port, self.tls = "", 0, False
        self.ca: Authority | None = None
        self.pages = files()
        self.desktop = Desktop()
        self._runner: web.AppRunner | None = None
        self._live = ""
        self._latest = ""
        self._requests = 0
        self._reached = 0.0

    # ---- commands of the studio ---------------------------------------------------------------

    async def do(self, command: wire.Command) -> None:
        """Carry out a command; what goes wrong becomes a Trouble event."""
        deeds: dict[type, Callable[[Any], Any]] = {
            wire.Listen: self._listen,
            wire.Pair: self._pair,
            wire.Answer: self._answer,
            wire.Forget: self._forget,
            wire.Push: self._push,
            wire.Drop: self._drop,
            wire.Tell: self._tell,
        }
        try:
            await deeds[type(command)](command)
        except FretsawError as error:
            self.emit(wire.Trouble(text=error.message, remedy=error.remedy, command=command.c))
        except Exception as error:  # one bad command never ends the others' connections
            traceback.print_exc()
            self.emit(
                wire.Trouble(
                    text=f"The phone bridge could not do this ({type(error).__name__}: {error}).",
                    remedy="Try again; if it stays, restart the bridge.",
                    command=command.c,
                )
            )

    async def _listen(self, command: wire.Listen) -> None:
        from device_bridge.routes import make_app

        await self._stop_listening()
        is_loopback = command.host in LOOPBACK
        require_private(command)
        context: ssl.SSLContext | None = None
        self.ca = None
        try:
            if command.tls and not is_loopback:
                self.ca = authority(self.home)
                context = server_context(self.ca, command.host)
                context.sni_callback = self._hello_of_tls
            self.tls = context is not None
            runner = web.AppRunner(make_app(self), access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            self._runner = runner
            await web.TCPSite(runner, command.host, command.port, ssl_context=context).start()
        except (OSError, ValueError) as error:
            await self._stop_listening()
            raise cannot_listen(command, error) from error
        self.host, self.port = command.host, int(runner.addresses[0][1])
        self.emit(
            wire.Listening(
                url=self.url(),
                host=self.host,
                port=self.port,
                tls=self.tls,
                fingerprint=self.ca.fingerprint if self.ca else "",
            )
        )

    async def _pair(self, command: wire.Pair) -> None:
        if self._runner is None:
            raise FretsawError("The studio does not listen yet.", "Choose USB or a network first.")
        self.new_token(port=command.port, allow=command.allow)

    async def _answer(self, command: wire.Answer) -> None:
        session = self.pairing.answer(command.device, command.allow)
        if session is None:
            raise FretsawError(f'"{command.device}" has left already.', "Let it pair again.")
        async with self.answered:
            self.answered.notify_all()

    async def _forget(self, command: wire.Forget) -> None:
        for device in self.pairing.forget(command.device):
            phone = self.phones.get(device)
            if phone is not None:
                await phone.leave("The studio has forgotten this phone.")
        async with self.answered:
            self.answered.notify_all()

    async def _push(self, command: wire.Push) -> None:
        if command.run and not is_run_folder(Path(command.run)):
            self.emit(
                wire.Trouble(
                    text=f'"{Path(command.run).name}" is no run, so figures are not kept with it.',
                    command="run",
                )
            )
            command = command.model_copy(update={"run": ""})
        edit = await asyncio.to_thread(self.edits.push, command)
        self._latest = command.id
        self.desktop.forget(command.id)
        ready = [phone for phone in self.phones.values() if phone.hello is not None]
        sent = [await phone.send(edit.offer) for phone in ready]
        self.emit(wire.Pushed(id=command.id, devices=sum(sent)))

    async def _drop(self, command: wire.Drop) -> None:
        self.edits.drop(command.id)
        self.desktop.forget(command.id)
        for phone in list(self.phones.values()):
            await phone.send(say.Remove(id=command.id))

    async def _tell(self, command: wire.Tell) -> None:
        phones = [p for d, p in list(self.phones.items()) if command.device in (None, d)]
        if isinstance(command.message, say.ShowConcept):
            require_concept(self.edits.edits.get(command.message.id), command.message)
            phones = [phone for phone in phones if can_switch(phone, self.emit)]
        for phone in phones:
            await phone.send(command.message)

    async def close(self) -> None:
        """Say goodbye to all phones and stop listening."""
        for phone in list(self.phones.values()):
            await phone.leave("The studio was closed.")
        await self._stop_listening()
        await self.desktop.close()

    # ---- phones ---------------------------------------------------------------------------------

    def url(self, fragment: str = "", port: int | None = None) -> str:
        """Return the page's address; ``port`` is the phone's own on the USB route."""
        scheme = "https" if self.tls else "http"
        host = "localhost" if self.host in LOOPBACK else self.host
        host = f"[{host}]" if ":" in host else host
        return f"{scheme}://{host}:{port or self.port}/{fragment}"

    def new_token(self, *, port: int | None = None, allow: bool = False) -> None:
        """Make a token and tell the studio."""
        token = self.pairing.new_token(allow=allow)
        self.emit(
            wire.Token(
                url=self.url(f"#t={token.secret}", port),
                code=token.code,
                expires=time.time() + say.TOKEN_LIFE_S,
            )
        )

    def allows_host(self, host: str) -> bool:
        """Tell whether a ``Host`` header names this server; else it is a rebinding trick."""
        name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        name = (name or host).strip("[]").lower()
        if self.host in LOOPBACK:  # the port of adb reverse is the phone's own
            return name in LOOPBACK
        return name in (self.host, local_name()) and port == str(self.port)

    def saw_request(self, address: str, agent: str, *, is_page: bool) -> None:
        """Note a request; the first sight of the page is told to the studio."""
        self._requests += 1
        if is_page and time.monotonic() - self._reached > 1:
            self._reached = time.monotonic()
            self.emit(wire.Reached(address=address, agent=agent[:200]))

    def asks(self, session: Session) -> None:
        """Ask the user whether a device may come in."""
        self.emit(wire.Asks(device=session.device, name=session.name, address=session.address))

    async def connected(self, phone: Phone) -> None:
        """Take a phone in; an older channel of the same device ends."""
        device = phone.session.device
        old = self.phones.get(device)
        self.phones[device] = phone
        if old is not None:
            await old.leave("This phone has opened the page again.")

    async def left(self, phone: Phone, why: str = "") -> None:
        """Note that a channel has ended."""
        phone.is_closed = True
        if phone.asking is not None:
            phone.asking.cancel()
        device = phone.session.device
        if self.phones.get(device) is not phone:
            return
        del self.phones[device]
        if phone.hello is not None:
            self.emit(wire.Gone(device=device, why=why))
        if self._live == device:
            self._live = next(iter(self.phones), "")
            if self._live:
                await self.phones[self._live].send(say.Live(on=True))

    async def heard(self, phone: Phone, data: str | bytes) -> None:
        """Take what a phone sent.

        Raises:
            ProtocolError: it does not fit.
        """
        message = phone.read(data)
        if isinstance(message, Frame):
            await self._picture(phone, message)
        elif isinstance(message, say.Hello):
            await self._greet(phone, message)
        elif message is not None:
            self.edits.require_known(message)
            self._keep(phone, message)
            self.emit(wire.Said(device=phone.session.device, message=message))

    async def _greet(self, phone: Phone, hello: say.Hello) -> None:
        session, is_new = phone.session, phone.hello is None
        phone.hello = hello
        session.name = hello.name or session.name
        if not is_new:
            return
        self.emit(
            wire.Connected(
                device=session.device, name=session.name, route=session.route, hello=hello
            )
        )
        await phone.send(say.Welcome(studio=local_name(), device=session.device))
        for id, edit in self.edits.edits.items():
            is_shown = {"show": id == (session.shown or self._latest)}
            await phone.send(edit.offer.model_copy(update=is_shown))
        await phone.send(say.Credit(n=START_CREDIT))
        self._live = self._live if self._live in self.phones else session.device
        await phone.send(say.Live(on=self._live == session.device))

    async def _picture(self, phone: Phone, frame: Frame) -> None:
        if frame.magic == "FRM1":
            if phone.session.device != self._live:  # one phone is live at a time
                phone.dropped += 1
                return
            preview = wire.Preview(
                device=phone.session.device,
                seq=frame.seq,
                total_us=frame.total_us,
                jpeg=base64.b64encode(frame.jpeg).decode(),
            )
            if self.emit(preview):  # the studio never saw the older one, so cannot repay it
                await phone.send(say.Credit(n=1))
            return
        phone.waiting = frame
        if phone.asking is None or phone.asking.done():
            phone.asking = asyncio.create_task(self._compute(phone))

    async def _compute(self, phone: Phone) -> None:
        """Compute waiting pictures, the newest first; older ones are never asked for again."""
        while (frame := phone.waiting) is not None:
            phone.waiting = None
            edit = self.edits.edits.get(phone.session.shown or self._latest)
            if edit is None:
                return
            try:
                mix = phone.session.mix if edit.offer.concepts else None
                answer = await self.desktop.compute(edit.offer.id, edit.folder, frame, mix)
            except FretsawError as error:
                self.emit(wire.Trouble(text=error.message, remedy=error.remedy, command="desktop"))
                return
            await phone.send_raw(answer.pack())

    def _keep(self, phone: Phone, message: Any) -> None:
        if isinstance(message, say.Chosen):
            phone.session.shown, phone.session.mix = message.id, message.concept
        if not isinstance(message, _KEPT):
            return
        edit = self.edits.edits.get(message.id or "")
        if edit is None or edit.run is None:
            return
        try:
            self.notes.keep(edit.run, phone.session.device, phone.session.name, message)
        except OSError as error:
            self.emit(
                wire.Trouble(
                    text=f"The phone's figures cannot be kept with the run: {error.strerror}.",
                    remedy="Free space, or check the folder's permissions.",
                )
            )

    # ---- listening ------------------------------------------------------------------------------

    async def _stop_listening(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def _hello_of_tls(self, sock: Any, name: str | None, context: ssl.SSLContext) -> None:
        """Look later whether a handshake led to a request: if not, the phone trusts nothing."""
        before = self._requests

        def look() -> None:
            if self._requests == before and self._runner is not None:
                self.emit(
                    wire.Trouble(
                        text="A phone reached the studio but does not trust its certificate yet.",
                        remedy="On the phone choose Advanced, then Proceed, or install the "
                        "certificate that the page offers.",
                        command="certificate",
                    )
                )

        asyncio.get_running_loop().call_later(_HANDSHAKE_S, look)


@contextlib.asynccontextmanager
async def running(server: Server) -> AsyncIterator[Server]:
    """Close the server at the end, whatever happens."""
    try:
        yield server
    finally:
        await server.close()
