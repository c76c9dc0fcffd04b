"""Routes of the bridge server and the rules that every request meets first."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable

from aiohttp import WSMsgType, web

from device_bridge.downloads import send_content
from device_bridge.listening import route_of
from device_bridge.pairing import PairingError, Session
from device_bridge.phones import Phone, refuse
from device_bridge.protocol import HEARTBEAT_S, MAX_FRAME, MAX_SOCKET, ProtocolError
from device_bridge.server import Server

COOKIE = "fretsaw"
SECURE_COOKIE = "__Host-fretsaw"
"""Under TLS; browsers take this name only with Secure, without a domain, for the whole host."""
LONG_POLL_S = 25.0
_MAX_PAIR = 4096
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_SERVER: web.AppKey[Server] = web.AppKey("server")


def make_app(server: Server) -> web.Application:
    """Return the application: page, pairing, channel, files."""
    app = web.Application(middlewares=[_guard], client_max_size=MAX_FRAME + 1024)
    app[_SERVER] = server
    app.on_response_prepare.append(_headers)
    app.router.add_get("/", _index)
    app.router.add_get("/pair", _state)
    app.router.add_post("/pair", _pair)
    app.router.add_get("/ws", _socket)
    app.router.add_get("/events", _events)
    app.router.add_post("/up", _up)
    app.router.add_get("/ca.crt", _certificate)
    app.router.add_get("/model/{sha256:[0-9a-f]{64}}", _model)
    app.router.add_get("/{path:.+}", _page)
    return app


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    server = request.app[_SERVER]
    if not server.allows_host(request.headers.get("Host", "")):
        return web.Response(status=421, text="This address does not belong to the studio.")
    is_page = request.path == "/" and _session(request) is None
    agent = request.headers.get("User-Agent", "")
    server.saw_request(request.remote or "", agent, is_page=is_page)
    try:
        return await handler(request)
    except ConnectionError:
        raise asyncio.CancelledError from None  # the phone has left; there is nobody to answer


async def _headers(request: web.Request, response: web.StreamResponse) -> None:
    socket = ("wss" if request.app[_SERVER].tls else "ws") + f"://{request.host}"
    policy = (
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' blob:; worker-src 'self' blob:; "
        f"img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self' {socket} blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    )
    response.headers.update(
        {
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Embedder-Policy": "require-corp",
            "Cross-Origin-Resource-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
            "Content-Security-Policy": policy,
        }
    )
    response.headers.setdefault("Cache-Control", "no-store")


# ---- page -------------------------------------------------------------------------------------


async def _index(request: web.Request) -> web.StreamResponse:
    return await _file(request, "/")


async def _page(request: web.Request) -> web.StreamResponse:
    return await _file(request, request.path)


async def _file(request: web.Request, url: str) -> web.StreamResponse:
    entry = request.app[_SERVER].pages.get(url)
    if entry is None:
        raise web.HTTPNotFound(text="There is no such file.")
    about = entry.path.stat()
    # The runtime has 4 MB or more: a phone that has it is told so instead of sent it again.
    headers = {"Content-Type": entry.type, "ETag": f'"{about.st_size:x}-{about.st_mtime_ns:x}"'}
    if entry.encoding:
        headers["Content-Encoding"] = entry.encoding
    return await send_content(request, entry.path, headers, cache="no-cache")


async def _certificate(request: web.Request) -> web.StreamResponse:
    ca = request.app[_SERVER].ca
    if ca is None:
        raise web.HTTPNotFound(text="On this route no certificate is needed.")
    return web.Response(body=ca.pem, content_type="application/x-x509-ca-cert")


# ---- pairing ----------------------------------------------------------------------------------


async def _pair(request: web.Request) -> web.StreamResponse:
    server = request.app[_SERVER]
    _require_origin(request)
    try:
        if (request.content_length or 0) > _MAX_PAIR:
            raise ValueError
        record = json.loads(await request.text())
        shown, name = record.get("token") or record.get("code"), record.get("name", "")
        if not isinstance(shown, str) or not isinstance(name, str):
            raise ValueError
    except (ValueError, AttributeError, RecursionError):
        raise web.HTTPBadRequest(text="This is no request to pair.") from None
    address = request.remote or ""
    try:
        session = server.pairing.claim(
            shown[:200], name=name[:80], address=address, route=route_of(server.host)
        )
    except PairingError as error:
        if server.pairing.is_blocked:
            server.new_token()
        return web.json_response({"error": str(error)}, status=error.status)
    if session.state == "asks":
        server.asks(session)
    response = web.json_response({"state": session.state, "device": session.device})
    response.set_cookie(
        SECURE_COOKIE if server.tls else COOKIE,
        session.cookie,
        httponly=True,
        samesite="Strict",
        secure=server.tls,
        path="/",
    )
    return response


async def _state(request: web.Request) -> web.StreamResponse:
    server = request.app[_SERVER]
    session = _session(request)
    if session is None:
        raise web.HTTPUnauthorized(text="This phone is not paired.")
    try:
        async with asyncio.timeout(LONG_POLL_S), server.answered:
            await server.answered.wait_for(
                lambda: session.state != "asks" or session.device not in server.pairing.sessions
            )
    except TimeoutError:
        pass  # the page asks again
    state = session.state if session.device in server.pairing.sessions else "refused"
    return web.json_response({"state": state, "device": session.device})


# ---- channels ---------------------------------------------------------------------------------


class SocketChannel:
    """A WebSocket as a channel."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def send(self, message: str | bytes) -> None:
        """Send text or bytes."""
        if isinstance(message, bytes):
            await self._socket.send_bytes(message)
        else:
            await self._socket.send_str(message)

    async def close(self, code: int, why: str) -> None:
        """Close with a reason of at most 120 bytes."""
        await self._socket.close(code=code, message=why.encode()[:120])


async def _socket(request: web.Request) -> web.StreamResponse:
    server = request.app[_SERVER]
    _require_origin(request)
    session = _allowed(request)
    socket = web.WebSocketResponse(
        heartbeat=HEARTBEAT_S, max_msg_size=MAX_SOCKET, compress=False, autoping=True
    )
    await socket.prepare(request)
    phone = Phone(session, SocketChannel(socket))
    await server.connected(phone)
    try:
        async for message in socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                continue
            try:
                await server.heard(phone, message.data)
            except ProtocolError as error:
                if why := refuse(phone, error):
                    await phone.leave(why, code=1008)
                    break
    finally:
        await server.left(phone)
    return socket


class EventChannel:
    """Server-sent events as a channel, for browsers that refuse a WebSocket; bytes as base64."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[str | bytes | None] = asyncio.Queue(maxsize=64)

    async def send(self, message: str | bytes) -> None:
        """Queue a message; a phone that does not read any more has left."""
        try:
            self.queue.put_nowait(message)
        except asyncio.QueueFull:
            raise ConnectionResetError("The phone does not read any more.") from None

    async def close(self, code: int, why: str) -> None:
        """End the stream."""
        while self.queue.full():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


async def _events(request: web.Request) -> web.StreamResponse:
    server = request.app[_SERVER]
    session = _allowed(request)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    channel = EventChannel()
    phone = Phone(session, channel)
    await server.connected(phone)
    try:
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_S / 2):
                    message = await channel.queue.get()
            except TimeoutError:
                await response.write(b": here\n\n")
                continue
            if message is None:
                break
            if isinstance(message, bytes):
                line = b"event: frame\ndata: " + base64.b64encode(message)
            else:
                line = b"data: " + message.encode()
            await response.write(line + b"\n\n")
    finally:
        await server.left(phone)
    return response


async def _up(request: web.Request) -> web.StreamResponse:
    server = request.app[_SERVER]
    _require_origin(request)
    phone = server.phones.get(_allowed(request).device)
    if phone is None:
        raise web.HTTPConflict(text="Open the stream of events first.")
    body = await request.read()
    is_frame = request.content_type == "application/octet-stream"
    try:
        await server.heard(phone, body if is_frame else body.decode())
    except (ProtocolError, UnicodeDecodeError) as error:
        wrong = error if isinstance(error, ProtocolError) else ProtocolError("This is no text.")
        if why := refuse(phone, wrong):
            await phone.leave(why)
        raise web.HTTPBadRequest(text=str(wrong)) from None
    return web.Response(status=204)


# ---- files of edits ---------------------------------------------------------------------------


async def _model(request: web.Request) -> web.StreamResponse:
    _allowed(request)
    sha256 = request.match_info["sha256"]
    content = request.app[_SERVER].edits.content(sha256)
    if content is None:
        raise web.HTTPNotFound(text="The studio does not offer this file any more.")
    headers = {"Content-Type": "application/octet-stream", "ETag": f'"{sha256}"'}
    source = content.path if content.path is not None else content.data
    return await send_content(
        request, source, headers, cache="private, max-age=31536000, immutable"
    )


# ---- who asks ---------------------------------------------------------------------------------


def _session(request: web.Request) -> Session | None:
    server = request.app[_SERVER]
    return server.pairing.session(request.cookies.get(SECURE_COOKIE if server.tls else COOKIE))


def _allowed(request: web.Request) -> Session:
    session = _session(request)
    if session is None:
        raise web.HTTPUnauthorized(text="This phone is not paired.")
    if session.state != "allowed":
        raise web.HTTPForbidden(text="The studio has not allowed this phone.")
    return session


def _require_origin(request: web.Request) -> None:
    scheme = "https" if request.app[_SERVER].tls else "http"
    if request.headers.get("Origin") != f"{scheme}://{request.headers.get('Host', '')}":
        raise web.HTTPForbidden(text="This request comes from another page.")
