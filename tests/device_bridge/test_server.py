"""The server on loopback sockets: pairing, rules for every request, channels, pushes, credits."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
from pathlib import Path

import aiohttp
import pytest

from device_bridge import protocol as say
from device_bridge import wire
from tests.device_bridge.phone import JPEG, bench, hello, phone
from tests.fakes.edit_artifact import edit_artifact


def run(test):
    """Run a coroutine test to its end, for at most 30 s."""

    @functools.wraps(test)
    def plain(tmp_path: Path) -> None:
        asyncio.run(asyncio.wait_for(test(tmp_path), 30))

    return plain


@run
async def test_a_phone_pairs_with_a_token_and_only_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as made, made.client() as client:
        token = await made.token()
        post = functools.partial(client.post, f"{made.base}/pair", headers=made.origin)
        async with post(json={"token": token, "name": "Pixel"}) as answer:
            assert answer.status == 200
            assert (await answer.json())["state"] == "asks"
            cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "Secure" not in cookie  # plain http on loopback
        asks = made.last(wire.Asks)
        assert asks.name == "Pixel"
        async with post(json={"token": token, "name": "again"}) as answer:
            assert answer.status == 403
            assert "Make a new one" in (await answer.json())["error"]


@run
async def test_a_typed_code_pairs_too_in_any_spelling(tmp_path: Path) -> None:
    async with bench(tmp_path) as made, made.client() as client:
        await made.token()
        code = made.last(wire.Token).code
        typed = f" {code[:3].lower()} {code[3:].lower()}"
        url = f"{made.base}/pair"
        async with client.post(url, json={"code": typed}, headers=made.origin) as answer:
            assert answer.status == 200


@run
async def test_an_expired_token_is_refused(tmp_path: Path) -> None:
    async with bench(tmp_path) as made, made.client() as client:
        now = 0.0
        made.server.pairing._clock = lambda: now
        token = await made.token()
        now = say.TOKEN_LIFE_S + 1
        body = {"token": token}
        async with client.post(f"{made.base}/pair", json=body, headers=made.origin) as answer:
            assert answer.status == 403


@run
async def test_five_wrong_codes_in_a_minute_void_the_token(tmp_path: Path) -> None:
    async with bench(tmp_path) as made, made.client() as client:
        token = await made.token()
        post = functools.partial(client.post, f"{made.base}/pair", headers=made.origin)
        for _ in range(5):
            async with post(json={"code": "AAAAAA"}) as answer:
                assert answer.status == 403
        tokens = [event for event in made.events if isinstance(event, wire.Token)]
        assert len(tokens) == 2  # the studio was given a new one
        async with post(json={"token": token}) as answer:
            assert answer.status == 429


@run
async def test_foreign_hosts_and_origins_are_refused(tmp_path: Path) -> None:
    async with bench(tmp_path) as made, made.client() as client:
        async with client.get(made.base, headers={"Host": "evil.example"}) as answer:
            assert answer.status == 421
        token = await made.token()
        foreign = {"Origin": "http://evil.example"}
        for headers in (foreign, {}):
            body = {"token": token}
            async with client.post(f"{made.base}/pair", json=body, headers=headers) as answer:
                assert answer.status == 403
        await made.pair(client)
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await client.ws_connect(f"{made.base}/ws", headers=foreign)
        assert caught.value.status == 403


@run
async def test_without_a_cookie_or_leave_nothing_is_given(tmp_path: Path) -> None:
    folder = edit_artifact(tmp_path / "edit")
    async with bench(tmp_path) as made, made.client() as client:
        await made.server.do(wire.Push(folder=str(folder), id="edit", name="Edit"))
        sha = made.server.edits.edits["edit"].offer.files[0].sha256
        for path in (f"/model/{sha}", "/events", "/pair"):
            async with client.get(made.base + path) as answer:
                assert answer.status == 401, path
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await client.ws_connect(f"{made.base}/ws", headers=made.origin)
        assert caught.value.status == 401
        await made.pair(client, allow=False)
        async with client.get(f"{made.base}/model/{sha}") as answer:
            assert answer.status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await client.ws_connect(f"{made.base}/ws", headers=made.origin)
        assert caught.value.status == 403


@run
async def test_only_listed_files_are_served_with_the_headers_that_isolate(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    async with bench(tmp_path) as made, made.client(auto_decompress=False) as client:
        async with client.get(f"{made.base}/") as answer:
            assert answer.status == 200
            headers = answer.headers
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        policy = headers["Content-Security-Policy"]
        assert "unsafe-inline" not in policy
        assert "'unsafe-eval'" not in policy
        assert f"connect-src 'self' ws://{made.server.host}:{made.server.port} blob:" in policy
        assert "Access-Control-Allow-Origin" not in headers
        async with client.get(f"{made.base}/vendor/x.wasm") as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert answer.headers["Content-Type"] == "application/wasm"
            assert await answer.read() == b"packed"
        port = made.server.port
        outside = ("/secret.txt", "/../secret.txt", "/%2e%2e/secret.txt", "/model/../secret.txt")
        for path in (*outside, "/vendor/..%2fsecret.txt", "/vendor/%2e%2e/%2e%2e/etc/passwd"):
            assert await raw_get(port, path) == 404, path
        assert isinstance(made.last(wire.Reached), wire.Reached)


async def raw_get(port: int, path: str) -> int:
    """Ask for a path as it stands: clients tidy dots up before they send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode()
    )
    line = await reader.readline()
    writer.close()
    return int(line.split()[1])


@run
async def test_hello_is_answered_with_welcome_offers_credit_and_live(tmp_path: Path) -> None:
    folder = edit_artifact(tmp_path / "edit")
    async with bench(tmp_path) as made:
        await made.server.do(wire.Push(folder=str(folder), id="edit", name="Invert"))
        async with phone(made) as handset:
            assert (await handset.get("welcome"))["device"] == handset.device
            offer = say.Offer(**await handset.get("offer"))
            assert offer.name == "Invert"
            assert offer.show
            assert {file.role for file in offer.files} == {"graph", "golden"}
            assert offer.input.scale == pytest.approx([2 / 255] * 3)
            assert offer.input.bias == pytest.approx([-1] * 3)
            assert offer.output.scale == pytest.approx([127.5] * 3)
            assert offer.output.bias == pytest.approx([127.5] * 3)
            assert (await handset.get("credit"))["n"] == 2
            assert (await handset.get("live"))["on"] is True
            connected = await made.until(lambda e: isinstance(e, wire.Connected))
            assert connected.hello.cores == 4
            assert connected.route == "usb"
        gone = await made.until(lambda e: isinstance(e, wire.Gone))
        assert gone.device == handset.device


@run
async def test_files_come_whole_in_parts_and_not_twice(tmp_path: Path) -> None:
    folder = edit_artifact(tmp_path / "edit", external=True)
    async with bench(tmp_path) as made:
        await made.server.do(wire.Push(folder=str(folder), id="edit", name="Edit"))
        async with phone(made) as handset:
            offer = say.Offer(**await handset.get("offer"))
            assert {file.role for file in offer.files} == {"graph", "golden", "weights"}
            assert next(f for f in offer.files if f.role == "weights").path == "weights.bin"
            for file in offer.files:
                url = f"{made.base}/model/{file.sha256}"
                async with handset.client.get(url) as answer:
                    data = await answer.read()
                    assert "immutable" in answer.headers["Cache-Control"]
                assert len(data) == file.bytes
                assert hashlib.sha256(data).hexdigest() == file.sha256
                half = file.bytes // 2
                headers = {"Range": f"bytes={half}-", "If-Range": f'"{file.sha256}"'}
                async with handset.client.get(url, headers=headers) as answer:
                    assert answer.status == 206
                    assert answer.headers["Content-Range"] == (
                        f"bytes {half}-{file.bytes - 1}/{file.bytes}"
                    )
                    assert data[:half] + await answer.read() == data
                same = {"If-None-Match": f'"{file.sha256}"'}
                async with handset.client.get(url, headers=same) as answer:
                    assert answer.status == 304
                beyond = {"Range": f"bytes={file.bytes + 5}-"}
                async with handset.client.get(url, headers=beyond) as answer:
                    assert answer.status == 416
            async with handset.client.get(f"{made.base}/model/{'0' * 64}") as answer:
                assert answer.status == 404


@run
async def test_a_golden_pair_is_sent_as_raw_numbers(tmp_path: Path) -> None:
    import numpy as np

    folder = edit_artifact(tmp_path / "edit", gain=0.5, size=16)
    async with bench(tmp_path) as made:
        await made.server.do(wire.Push(folder=str(folder), id="edit", name="Edit"))
        offer = made.server.edits.edits["edit"].offer
        golden = next(file for file in offer.files if file.role == "golden")
        content = made.server.edits.content(golden.sha256)
        assert content is not None
        x, y = np.frombuffer(content.data, "<f4").reshape(2, 3, 16, 16)
        assert np.allclose(y, 0.5 * x)


@run
async def test_previews_need_credit_and_the_painter_gives_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as made, phone(made) as handset:
        await handset.get("live")
        for seq in range(5):
            await handset.preview(seq)
        await handset.send(say.Note(id="edit", thumb="up"))
        await made.until(lambda e: isinstance(e, wire.Said))
        seen = [event.seq for event in made.events if isinstance(event, wire.Preview)]
        assert seen == [0, 1]  # the credit was two
        message = say.Credit(n=1)
        await made.server.do(wire.Tell(device=handset.device, message=message))
        await handset.get("credit")
        await handset.preview(9)
        assert (await made.until(lambda e: isinstance(e, wire.Preview) and e.seq == 9)).total_us


@run
async def test_a_preview_that_the_studio_never_saw_is_repaid_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as made, phone(made) as handset:
        await handset.get("live")
        made.replaced = True
        await handset.preview(0)
        assert (await handset.get("credit"))["n"] == 1


@run
async def test_a_new_push_is_offered_and_a_drop_is_told(tmp_path: Path) -> None:
    one, two = edit_artifact(tmp_path / "one"), edit_artifact(tmp_path / "two", gain=0.5)
    async with bench(tmp_path) as made, phone(made) as handset:
        await handset.get("live")
        await made.server.do(wire.Push(folder=str(one), id="edit", name="Edit"))
        first = await handset.get("offer")
        await made.server.do(
            wire.Push(folder=str(two), id="edit", name="Edit", following=True, note="epoch 2")
        )
        second = await handset.get("offer")
        assert first["files"][0]["sha256"] != second["files"][0]["sha256"]
        assert second["following"]
        assert made.last(wire.Pushed).devices == 1
        await made.server.do(wire.Drop(id="edit"))
        assert (await handset.get("remove"))["id"] == "edit"


@run
async def test_two_phones_are_served_and_one_is_live(tmp_path: Path) -> None:
    async with bench(tmp_path) as made, phone(made) as first:
        assert (await first.get("live"))["on"] is True
        async with phone(made) as second:
            assert (await second.get("live"))["on"] is False
            assert second.device != first.device
            await first.socket.close()
            assert (await second.get("live"))["on"] is True


@run
async def test_a_phone_that_opens_the_page_again_replaces_its_old_channel(tmp_path: Path) -> None:
    async with bench(tmp_path) as made, phone(made) as handset:
        await handset.get("live")
        again = await handset.client.ws_connect(f"{made.base}/ws", headers=made.origin)
        await again.send_str(hello().model_dump_json())
        assert (await handset.get("bye"))["why"]
        await asyncio.sleep(0.05)
        assert list(made.server.phones) == [handset.device]
        assert not any(isinstance(event, wire.Gone) for event in made.events)
        await again.close()


@run
async def test_messages_that_do_not_fit_are_counted_and_then_end_the_channel(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path) as made, phone(made) as handset:
        await handset.get("live")
        await handset.socket.send_str('{"v": 1, "t": "tel", "seq": "x"}')
        await handset.socket.send_str("not json")
        await handset.socket.send_bytes(b"short")
        await handset.send(say.Note(id="edit", thumb="up"))
        await made.until(lambda e: isinstance(e, wire.Said))  # still served
        for _ in range(20):
            await handset.socket.send_str("[]")
        assert "JSON object" in (await handset.get("bye"))["why"]


@run
async def test_another_version_and_a_missing_hello_are_told_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as made, made.client() as client:
        await made.pair(client)
        first = [
            ('{"v": 2, "t": "hello"}', "Reload the page"),
            (say.Note(id="edit").model_dump_json(), "first message must be hello"),
            ("x" * (say.MAX_JSON + 1), "above the"),
        ]
        for text, words in first:
            async with client.ws_connect(f"{made.base}/ws", headers=made.origin) as socket:
                await socket.send_str(text)
                assert words in json.loads((await socket.receive()).data)["why"]


@run
async def test_oversized_frames_end_the_channel_but_not_the_server(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        async with phone(made) as handset:
            await handset.get("live")
            await handset.socket.send_bytes(b"FRM1" + bytes(say.MAX_SOCKET + 10))
            with pytest.raises((ConnectionError, TimeoutError)):
                await handset.get("never", 3)
        async with phone(made) as handset:
            assert await handset.get("welcome")


@run
async def test_the_way_without_a_websocket_carries_the_same(tmp_path: Path) -> None:
    folder = edit_artifact(tmp_path / "edit")
    async with bench(tmp_path) as made, made.client() as client:
        await made.server.do(wire.Push(folder=str(folder), id="edit", name="Edit"))
        await made.pair(client)
        post = functools.partial(client.post, f"{made.base}/up", headers=made.origin)
        async with post(data="{}") as answer:
            assert answer.status == 409
        async with client.get(f"{made.base}/events") as stream:
            async with post(data=hello().model_dump_json()) as answer:
                assert answer.status == 204
            kinds = []
            while "live" not in kinds:
                line = await asyncio.wait_for(stream.content.readline(), 5)
                if line.startswith(b"data: "):
                    kinds.append(json.loads(line[6:])["t"])
            assert kinds == ["welcome", "offer", "credit", "live"]
            from device_bridge.frames import Frame

            data = Frame("FRM1", 4, 1.0, 10, JPEG).pack()
            headers = {**made.origin, "Content-Type": "application/octet-stream"}
            async with client.post(f"{made.base}/up", data=data, headers=headers) as answer:
                assert answer.status == 204
            assert made.last(wire.Preview).seq == 4
            async with post(data="[]") as answer:
                assert answer.status == 400


@run
async def test_refused_and_forgotten_phones_are_told(tmp_path: Path) -> None:
    async with bench(tmp_path) as made, made.client() as client:
        said = await made.pair(client, allow=False)
        asking = asyncio.create_task(client.get(f"{made.base}/pair"))
        await asyncio.sleep(0.05)
        assert not asking.done()  # it waits for the user
        await made.server.do(wire.Answer(device=said["device"], allow=False))
        async with await asking as answer:
            assert (await answer.json())["state"] == "refused"
        async with phone(made) as handset:
            await handset.get("live")
            await made.server.do(wire.Forget())
            assert "forgotten" in (await handset.get("bye"))["why"]
            async with handset.client.get(f"{made.base}/pair") as answer:
                assert answer.status == 401


@run
async def test_the_cable_can_let_its_phone_in_without_a_question(tmp_path: Path) -> None:
    async with bench(tmp_path) as made, made.client() as client:
        token = await made.token(port=40_001, allow=True)
        assert made.last(wire.Token).url == f"http://localhost:40001/#t={token}"
        headers = {"Host": "localhost:40001", "Origin": "http://localhost:40001"}
        body = {"token": token}
        async with client.post(f"{made.base}/pair", json=body, headers=headers) as answer:
            assert (await answer.json())["state"] == "allowed"


@run
async def test_a_taken_port_and_a_foreign_address_are_explained(tmp_path: Path) -> None:
    async with bench(tmp_path) as made, bench(tmp_path) as other:
        await other.server.do(wire.Listen(host="127.0.0.1", port=made.server.port))
        trouble = other.last(wire.Trouble)
        assert f"Port {made.server.port} of 127.0.0.1 is taken" in trouble.text
        assert trouble.remedy
        refused = {
            "10.255.255.254": "does not have the address",
            "8.8.8.8": "can be reached from outside",
            "0.0.0.0": "can be reached from outside",
            "evil.example": "is no address",
        }
        for host, words in refused.items():
            await other.server.do(wire.Listen(host=host))
            assert words in other.last(wire.Trouble).text, host
        await other.server.do(wire.Listen(host="192.168.1.2", tls=False))
        assert "with a certificate only" in other.last(wire.Trouble).text
        await other.server.do(wire.Pair())
        assert "does not listen yet" in other.last(wire.Trouble).text


@run
async def test_what_cannot_be_shown_on_a_phone_is_explained(tmp_path: Path) -> None:
    good = edit_artifact(tmp_path / "edit")
    empty = tmp_path / "empty"
    empty.mkdir()
    damaged = edit_artifact(tmp_path / "damaged")
    (damaged / "edit.onnx").write_bytes(b"other")
    classifier = edit_artifact(tmp_path / "classifier")
    record = json.loads((classifier / "artifact.json").read_text())
    record["output"]["shape"] = [1, 10]
    (classifier / "artifact.json").write_text(json.dumps(record))
    outside = edit_artifact(tmp_path / "outside")
    record = json.loads((outside / "artifact.json").read_text())
    record["path"] = "../edit/edit.onnx"
    (outside / "artifact.json").write_text(json.dumps(record))
    async with bench(tmp_path) as made:
        for folder in (empty, damaged, classifier, outside):
            await made.server.do(wire.Push(folder=str(folder), id="edit", name="Edit"))
            trouble = made.events[-1]
            assert isinstance(trouble, wire.Trouble), folder
            assert trouble.remedy, folder
        assert not made.server.edits.edits
        await made.server.do(wire.Push(folder=str(good), id="edit", name="Edit", run=str(empty)))
        assert any("is no run" in e.text for e in made.events if isinstance(e, wire.Trouble))
        assert made.events[-1] == wire.Pushed(id="edit", devices=0)


@run
async def test_figures_and_notes_are_kept_with_the_run(tmp_path: Path) -> None:
    folder = edit_artifact(tmp_path / "edit")
    kept = tmp_path / "runs" / "one"
    kept.mkdir(parents=True)
    (kept / "graph.json").write_text("{}")
    (kept / "events.jsonl").write_text("")
    (kept / "phone.jsonl").write_text('{"torn')
    async with bench(tmp_path) as made, phone(made) as handset:
        await made.server.do(wire.Push(folder=str(folder), id="edit", name="Edit", run=str(kept)))
        await handset.send(say.Note(id="edit", thumb="up", text="Edges flicker."))
        await handset.send(
            say.Golden(id="edit", backend="wasm-1", max_error=1e-6, mean_error=1e-7, ok=True)
        )
        await made.until(lambda e: isinstance(e, wire.Said) and isinstance(e.message, say.Golden))
        lines = (kept / "phone.jsonl").read_text().splitlines()
        note, golden = (json.loads(line) for line in lines[1:])
        assert (note["t"], note["text"], note["device"]) == ("note", "Edges flicker.", "Pixel")
        assert golden["max_error"] == 1e-6


@run
async def test_pictures_are_computed_here_for_a_phone_that_cannot(tmp_path: Path) -> None:
    import io

    import numpy as np
    from PIL import Image

    from device_bridge.frames import Frame

    folder = edit_artifact(tmp_path / "edit", gain=-1.0, size=64)
    async with bench(tmp_path) as made, phone(made) as handset:
        await made.server.do(wire.Push(folder=str(folder), id="edit", name="Invert"))
        await handset.get("offer")
        out = io.BytesIO()
        Image.fromarray(np.full((80, 80, 3), 40, np.uint8)).save(out, "JPEG")
        await handset.socket.send_bytes(Frame("ASK1", 7, 1.0, 0, out.getvalue()).pack())
        async with asyncio.timeout(20):
            while True:
                message = await handset.socket.receive()
                if message.type is aiohttp.WSMsgType.BINARY:
                    break
        answer = Frame.unpack(message.data)
        assert (answer.magic, answer.seq) == ("ANS1", 7)
        pixels = np.asarray(Image.open(io.BytesIO(answer.jpeg)))
        assert pixels.shape == (64, 64, 3)
        assert abs(pixels.mean() - 215) < 3


@run
async def test_a_picture_that_is_none_is_explained_and_the_phone_stays(tmp_path: Path) -> None:
    from device_bridge.frames import Frame

    folder = edit_artifact(tmp_path / "edit")
    async with bench(tmp_path) as made, phone(made) as handset:
        await made.server.do(wire.Push(folder=str(folder), id="edit", name="Edit"))
        await handset.socket.send_bytes(Frame("ASK1", 7, 1.0, 0, JPEG).pack())
        trouble = await made.until(lambda e: isinstance(e, wire.Trouble), 20)
        assert "cannot compute this edit" in trouble.text
        await handset.send(say.Note(id="edit", thumb="up"))
        await made.until(lambda e: isinstance(e, wire.Said))
