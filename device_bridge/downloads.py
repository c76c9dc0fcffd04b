"""Sending a file or bytes, whole or from where an earlier try broke off."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import BinaryIO

from aiohttp import web

_CHUNK = 256 * 1024


async def send_content(
    request: web.Request, source: Path | bytes, headers: dict[str, str], *, cache: str
) -> web.StreamResponse:
    """Answer with ``source``, or the part that ``Range`` asks for; 304 where the tag is the same.

    A client that leaves in the middle ends the answer without a word; what it has is good, and it
    asks for the rest by ``Range``.
    """
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    tag = headers.get("ETag", "")
    headers = {**headers, "Cache-Control": cache, "Accept-Ranges": "bytes"}
    if tag and request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    start, stop = _range(request, size, tag)
    if stop <= start and size:
        headers["Content-Range"] = f"bytes */{size}"
        return web.Response(status=416, headers=headers)
    is_part = (start, stop) != (0, size)
    if is_part:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    response = web.StreamResponse(status=206 if is_part else 200, headers=headers)
    response.content_length = stop - start
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    if isinstance(source, bytes):
        await response.write(source[start:stop])
    else:
        with open(source, "rb") as file:
            await _copy(file, response, start, stop)
    await response.write_eof()
    return response


async def _copy(file: BinaryIO, response: web.StreamResponse, start: int, stop: int) -> None:
    file.seek(start)
    left = stop - start
    while left > 0:
        chunk = await asyncio.to_thread(file.read, min(_CHUNK, left))
        if not chunk:
            raise ConnectionResetError("The file became shorter while it was sent.")
        left -= len(chunk)
        await response.write(chunk)


def _range(request: web.Request, size: int, tag: str) -> tuple[int, int]:
    """Return first byte and end of what is asked for; the whole where it is no plain range."""
    other = request.headers.get("If-Range")
    if "Range" not in request.headers or (other is not None and other != tag):
        return 0, size
    try:
        wanted = request.http_range
    except ValueError:
        return 0, 0
    start, stop, _ = slice(wanted.start, wanted.stop).indices(size)
    return start, stop
