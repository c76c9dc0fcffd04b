"""The phone page in a real browser against the real server: pairing, frames, swaps, troubles."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from device_bridge import protocol as say
from device_bridge import wire
from tests.device_bridge.page_bench import Studio
from tests.device_bridge.page_fixtures import is_like, pixel, until
from tests.fakes.edit_artifact import edit_artifact

pytestmark = pytest.mark.timeout(90)
INVERT, HALVE = -1.0, 0.5


RED, CYAN, DIM = (200, 40, 40), (55, 215, 215), (88, 26, 25)


def test_a_scanned_token_leads_to_edited_frames(studio: Studio, page: Any, tmp_path: Path) -> None:
    studio.push(edit_artifact(tmp_path / "a", INVERT), "invert", "Invert")
    began = time.monotonic()
    page.goto(studio.token().url)
    ready = studio.until(say.Ready)
    assert time.monotonic() - began < 15
    # The token is not left in the address; asked of the page itself, as `page.url` follows later.
    assert page.evaluate("location.hash") == ""
    assert (ready.id, ready.backend) == ("invert", "wasm-1")
    hello = studio.until(wire.Connected).hello
    assert hello.secure
    assert hello.isolated
    assert hello.threads
    assert hello.name == "Pixel 7"
    golden = studio.until(say.Golden)
    assert golden.ok
    assert golden.max_error <= 1e-6
    studio.until(say.Telemetry, lambda one: one.fps > 2 and "run" in one.ms and one.sent > 2)
    steps = {one.step: one.state for one in studio.said(say.Check)}
    assert steps["camera"] == steps["backend"] == steps["golden"] == steps["secure"] == "ok"
    picture = studio.picture()
    assert picture.shape == (64, 64, 3)
    assert is_like(picture[32, 8].astype(float), CYAN)


def test_hold_split_and_strength_change_what_is_seen(
    studio: Studio, page: Any, tmp_path: Path
) -> None:
    studio.push(edit_artifact(tmp_path / "a", INVERT), "invert", "Invert")
    page.goto(studio.token().url)
    studio.until(say.Ready)
    until(lambda: is_like(pixel(page, 0.2, 0.5), CYAN))
    assert is_like(pixel(page, 0.2, 0.98), DIM)  # below the square: the camera, darker
    split = page.locator("#split")
    split.focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    assert split.get_attribute("aria-valuenow") == "40"
    until(lambda: is_like(pixel(page, 0.2, 0.3), RED))
    page.keyboard.press("Home")
    until(lambda: is_like(pixel(page, 0.2, 0.5), CYAN))
    box = page.locator("#stage").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 300)
    page.mouse.down()
    until(lambda: is_like(pixel(page, 0.2, 0.5), RED))
    page.mouse.up()
    until(lambda: is_like(pixel(page, 0.2, 0.5), CYAN))
    page.locator("#strength").fill("50")
    until(lambda: is_like(pixel(page, 0.2, 0.5), (128, 128, 128)))
    studio.until(say.Chosen, lambda one: one.strength == 0.5)


def test_a_push_swaps_the_live_edit_without_a_gap(
    studio: Studio, page: Any, tmp_path: Path
) -> None:
    studio.push(edit_artifact(tmp_path / "a", INVERT), "live", "Live", following=True)
    page.goto(studio.token().url)
    studio.until(say.Ready)
    studio.until(say.Telemetry, lambda one: one.fps > 2)
    for i, gain in enumerate((HALVE, INVERT)):
        before = studio.now
        studio.push(edit_artifact(tmp_path / f"b{i}", gain), "live", "Live", note=f"epoch {i}")
        swap = studio.until(say.Ready, after=before)
        assert swap.swap_ms < 3000
        assert swap.gap_ms < 1000  # bench phone measures this; here other tests share the cores
    assert "epoch 1" in page.locator("#edit-note").text_content()
    until(lambda: is_like(pixel(page, 0.2, 0.5), CYAN))


def test_following_fetches_only_the_new_weights(studio: Studio, page: Any, tmp_path: Path) -> None:
    folder = edit_artifact(tmp_path / "a", INVERT, external=True)
    studio.push(folder, "live", "Live", following=True)
    fetched: list[str] = []
    page.on(
        "request", lambda request: "/model/" in request.url and fetched.append(request.url[-64:])
    )
    page.goto(studio.token().url)
    first = studio.until(say.Ready)
    page.wait_for_timeout(50)  # events of the browser are heard while it is waited for
    before, now = len(fetched), studio.now
    studio.push(edit_artifact(tmp_path / "b", HALVE, external=True), "live", "Live")
    second = studio.until(say.Ready, after=now)
    page.wait_for_timeout(50)
    assert second.graph == first.graph
    assert second.weights != first.weights
    assert first.graph not in fetched[before:]
    assert second.weights in fetched[before:]
    assert studio.until(say.Golden, lambda one: one.max_error < 1e-6)
    until(lambda: is_like(pixel(page, 0.2, 0.5), (164, 84, 84)))


def test_the_worker_computes_what_onnx_runtime_does(
    studio: Studio, page: Any, tmp_path: Path
) -> None:
    import onnxruntime

    folder = edit_artifact(tmp_path / "a", 0.7, 64, layers=3)
    path = next(folder.glob("*.onnx"))
    values = np.random.default_rng(1).uniform(-1, 1, (1, 3, 64, 64)).astype(np.float32)
    [wanted] = onnxruntime.InferenceSession(str(path)).run(None, {"image": values})
    page.goto(studio.base)
    answer = page.evaluate(
        """async ({graph, values, plan}) => {
          const { startSlot } = await import('/page/slot.js');
          const bytes = Uint8Array.from(atob(graph), (letter) => letter.charCodeAt(0));
          const slot = await startSlot('wasm-1', plan);
          const format = { scale: [1], bias: [0] };
          const model = { graphs: [bytes.buffer], weights: [], gpu: false };
          await slot.ask('build', { model, input: format, output: format });
          const data = Float32Array.from(values);
          const { data: found } = await slot.ask('tensor', { data, shape: [1, 3, 64, 64] });
          slot.close();
          return Array.from(found);
        }""",
        {
            "graph": __import__("base64").b64encode(path.read_bytes()).decode(),
            "values": values.ravel().tolist(),
            "plan": {"route": "wasm", "threads": 1, "gpu": False,
                     "wasm": "ort-wasm-simd-threaded.wasm"},
        },
    )  # fmt: skip
    assert np.abs(np.array(answer, np.float32) - wanted.ravel()).max() <= 1e-4


def test_a_typed_code_pairs_and_a_wrong_one_says_so(
    studio: Studio, page: Any, tmp_path: Path
) -> None:
    page.goto(studio.base)
    boxes = page.locator("#code-boxes input")
    boxes.first.wait_for()
    boxes.first.focus()
    page.keyboard.type("222222")
    error = page.locator("#code-error")
    error.wait_for()
    assert "wrong, used or older" in error.text_content()
    assert page.locator("#pair-steps li").nth(1).get_attribute("data-state") == "failed"
    boxes.first.focus()
    page.keyboard.type(studio.token().code.lower())
    studio.until(wire.Connected)
    page.locator("#camera").wait_for()


def test_a_phone_that_is_refused_can_ask_again(studio: Studio, page: Any) -> None:
    studio.allow = False
    page.goto(studio.token().url)
    asks = studio.until(wire.Asks)
    page.get_by_text("Tap Allow in the studio.").wait_for()
    studio.bridge.send(wire.Answer(device=asks.device, allow=False))
    page.locator("#code-error").wait_for()
    assert "did not let this phone in" in page.locator("#code-error").text_content()
    assert page.locator("#code-boxes").is_visible()


def test_a_blocked_camera_is_named_and_a_photo_goes_round_it(
    studio: Studio, new_page: Callable[..., Any], tmp_path: Path
) -> None:
    page = new_page(permissions=[])
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () =>"
        " Promise.reject(new DOMException('no', 'NotAllowedError'))"
    )
    studio.push(edit_artifact(tmp_path / "a", INVERT), "invert", "Invert")
    page.goto(studio.token().url)
    page.locator("#pair-go").click()
    page.get_by_text("Camera is blocked").wait_for()
    assert page.locator("#pair-help").is_visible()
    assert "Camera, Allow" in page.locator("#pair-help-lines").text_content()
    assert page.locator("#pair-go").text_content() == "Try the camera again"
    studio.until(say.Check, lambda one: one.step == "camera" and one.state == "failed")
    photo = tmp_path / "photo.png"
    Image.new("RGB", (300, 400), RED).save(photo)
    with page.expect_file_chooser() as chooser:
        page.locator("#pair-photo").click()
    chooser.value.set_files(photo)
    until(lambda: is_like(pixel(page, 0.5, 0.5), CYAN))
    studio.push(edit_artifact(tmp_path / "b", HALVE), "half", "Half")
    until(lambda: is_like(pixel(page, 0.5, 0.5), (164, 84, 84)))
    with page.expect_download() as download:
        page.locator("#shutter").click()
    assert download.value.suggested_filename.startswith("half-")
    saved = np.asarray(Image.open(download.value.path()).convert("RGB"), float)
    assert saved.shape[0] == saved.shape[1]
    assert is_like(saved[100, 100], (164, 84, 84))


def test_an_operator_that_is_lacking_is_named_and_the_desktop_takes_over(
    studio: Studio, page: Any, tmp_path: Path
) -> None:
    # The page cannot build the session; the desktop's worker is asked, for a graph it knows.
    page.add_init_script(
        """const { postMessage } = Worker.prototype;
        Worker.prototype.postMessage = function (request, ...more) {
          if (request.t !== 'build') return postMessage.call(this, request, ...more);
          const error = 'Error: ERROR_CODE: 9, Could not find an implementation for Warp(1) node';
          const answer = { data: { n: request.n, error } };
          setTimeout(() => this.onmessage(answer));
        };"""
    )
    studio.push(edit_artifact(tmp_path / "a", INVERT), "invert", "Invert")
    page.goto(studio.token().url)
    failed = studio.until(say.Failed)
    assert failed.stage == "operator"
    assert 'Invert uses the operator "Warp"' in failed.text
    ready = studio.until(say.Ready)
    assert ready.backend == "desktop"
    until(lambda: is_like(pixel(page, 0.2, 0.5), CYAN))
    assert page.locator("#edit-note").text_content() == "computed on the desktop"


def test_a_graph_of_unknown_operators_is_explained_while_the_old_edit_goes_on(
    studio: Studio, page: Any, tmp_path: Path
) -> None:
    studio.push(edit_artifact(tmp_path / "a", INVERT), "invert", "Invert")
    page.goto(studio.token().url)
    studio.until(say.Ready)
    studio.push(edit_artifact(tmp_path / "b", operator="Warp"), "warp", "Warp", show=True)
    failed = studio.until(say.Failed)
    assert (failed.id, failed.stage) == ("warp", "operator")
    assert '"Warp"' in failed.text
    page.locator("#strip [role=radio]").first.click()
    until(lambda: is_like(pixel(page, 0.2, 0.5), CYAN))


def test_a_phone_with_another_answer_does_not_swap(
    studio: Studio, page: Any, tmp_path: Path
) -> None:
    studio.push(edit_artifact(tmp_path / "a", INVERT), "edit", "Edit")
    page.goto(studio.token().url)
    studio.until(say.Ready)
    folder = edit_artifact(tmp_path / "b", HALVE)
    pair = next(folder.glob("*.golden.npz"))
    with np.load(pair) as arrays:
        np.savez(pair, input=arrays["input"], output=arrays["output"] + 0.1)
    studio.push(folder, "edit", "Edit")
    golden = studio.until(say.Golden, lambda one: not one.ok)
    assert golden.max_error == pytest.approx(0.1, abs=1e-3)
    failed = studio.until(say.Failed)
    assert failed.stage == "golden"
    assert "0.10" in failed.text
    assert is_like(pixel(page, 0.2, 0.5), CYAN)


def test_the_link_comes_back_after_the_server_was_away(
    studio: Studio, page: Any, tmp_path: Path
) -> None:
    studio.push(edit_artifact(tmp_path / "a", INVERT), "invert", "Invert")
    page.goto(studio.token().url)
    studio.until(say.Ready)
    port = int(studio.base.rsplit(":", 1)[1].strip("/"))
    before = studio.now
    studio.listen(port)
    studio.until(wire.Connected, after=before)
    studio.until(say.Telemetry, lambda one: one.fps > 2, after=before)
    assert is_like(pixel(page, 0.2, 0.5), CYAN)


def test_without_sockets_events_and_posts_do_the_same(
    studio: Studio, page: Any, tmp_path: Path
) -> None:
    page.add_init_script(
        "window.WebSocket = class { constructor() {"
        " setTimeout(() => this.onclose({ code: 1006, reason: '' })); } close() {} };"
    )
    studio.push(edit_artifact(tmp_path / "a", INVERT), "invert", "Invert")
    page.goto(studio.token().url)
    assert studio.until(say.Ready).backend == "wasm-1"
    assert studio.picture().shape == (64, 64, 3)
    page.click("#tab-phone")
    page.get_by_text("without a socket").wait_for()


def test_a_full_storage_is_said_and_the_edit_still_runs(
    studio: Studio, page: Any, tmp_path: Path
) -> None:
    page.add_init_script(
        "Cache.prototype.put = () =>"
        " Promise.reject(new DOMException('full', 'QuotaExceededError'));"
    )
    studio.push(edit_artifact(tmp_path / "a", INVERT), "invert", "Invert")
    page.goto(studio.token().url)
    failed = studio.until(say.Failed)
    assert failed.stage == "storage"
    assert "storage is full" in failed.text
    assert studio.until(say.Ready).backend == "wasm-1"
    page.click("#tab-phone")
    assert page.locator("#phone-help").is_visible()
    assert page.locator("#phone-help-title").text_content() == "This phone's storage is full"


def test_a_download_that_breaks_off_is_resumed(studio: Studio, page: Any, tmp_path: Path) -> None:
    folder = edit_artifact(tmp_path / "a", INVERT, 64, layers=12)
    size = next(folder.glob("*.onnx")).stat().st_size
    ranges: list[str] = []
    page.add_init_script(
        """const { fetch: real } = window;
        let cut = true;
        window.fetch = async (url, options) => {
          const answer = await real(url, options);
          if (!cut || !String(url).includes('/model/')) return answer;
          cut = false;
          const whole = new Uint8Array(await answer.arrayBuffer());
          let sent = false;
          const body = new ReadableStream({ pull(stream) {
            if (sent) stream.error(new TypeError('network error'));
            else stream.enqueue(whole.slice(0, 1000));
            sent = true;
          } });
          return new Response(body, { status: 200 });
        };"""
    )
    page.on("request", lambda one: ranges.append(one.headers.get("range", "")))
    studio.push(folder, "edit", "Edit")
    page.goto(studio.token().url)
    studio.until(say.Ready)
    page.wait_for_timeout(50)
    assert "bytes=1000-" in ranges
    assert size > 1000


def test_the_desktop_can_be_picked_and_measured(studio: Studio, page: Any, tmp_path: Path) -> None:
    studio.push(edit_artifact(tmp_path / "a", INVERT), "invert", "Invert")
    page.goto(studio.token().url)
    studio.until(say.Ready)
    wanted = ["wasm-1", "wasm-2", "desktop"]
    studio.tell(say.BenchWish(id="invert", runs=5, warmup=1, backends=wanted))
    result = studio.until(say.BenchResult)
    assert [time.backend for time in result.times] == wanted
    assert all(time.samples and not time.error for time in result.times)
    assert result.chosen in ("wasm-1", "wasm-2")
    page.click("#tab-phone")
    page.get_by_role("radio", name="The desktop").click()
    assert studio.until(say.Ready, lambda one: one.backend == "desktop")
    page.get_by_role("radio", name="WASM, 2 threads").click()
    swap = studio.until(say.Ready, lambda one: one.backend == "wasm-2")
    assert swap.load_ms > 0
    assert studio.said(say.Golden)[-1].backend == "wasm-2"
    page.click("#tab-camera")
    until(lambda: is_like(pixel(page, 0.2, 0.5), CYAN))


def test_a_new_phone_measures_itself_and_keeps_the_fastest(
    studio: Studio, page: Any, tmp_path: Path
) -> None:
    page.add_init_script("localStorage.removeItem('fretsaw.choice.1')")
    studio.push(edit_artifact(tmp_path / "a", INVERT, layers=2), "edit", "Edit")
    page.goto(studio.token().url)
    result = studio.until(say.BenchResult)
    measured = {time.backend: time.median_ms for time in result.times if not time.error}
    assert "wasm-1" in measured  # a software adapter of WebGPU is not tried unasked
    assert "webgpu" not in measured
    if len(measured) > 1:
        assert result.chosen == min(measured, key=lambda one: measured[one])
    studio.until(say.Telemetry, lambda one: one.backend == result.chosen and one.fps > 1)


def test_edits_are_picked_judged_and_removed(studio: Studio, page: Any, tmp_path: Path) -> None:
    studio.push(edit_artifact(tmp_path / "a", INVERT), "invert", "Invert")
    studio.push(edit_artifact(tmp_path / "b", HALVE), "half", "Half")
    page.goto(studio.token().url)
    studio.until(say.Ready, lambda one: one.id == "half")
    page.click("#tab-edits")
    page.get_by_role("button", name="This edit is good").click()
    assert studio.until(say.Note).thumb == "up"
    page.get_by_placeholder("Words for the studio").fill("more blue")
    page.keyboard.press("Enter")
    assert studio.until(say.Note, lambda one: one.text == "more blue").id == "half"
    before = studio.now
    page.get_by_role("button", name="Show Invert").click()
    assert studio.until(say.Ready, lambda one: one.id == "invert", after=before)
    before = studio.now
    studio.bridge.send(wire.Drop(id="invert"))
    studio.until(say.Ready, lambda one: one.id == "half", after=before)
    assert page.locator("#strip [role=radio]").count() == 1


def test_a_studio_of_another_version_is_named(studio: Studio, page: Any) -> None:
    page.goto(studio.base)
    said = page.evaluate(
        """async () => {
          const { unpacked, packFrame, unpackFrame } = await import('/page/messages.js');
          let why = '';
          try { unpacked('{"v":2,"t":"offer"}'); } catch (error) { why = error.message; }
          const jpeg = Uint8Array.from([255, 216, 255, 1]).buffer;
          const frame = unpackFrame(packFrame('ASK1', 7, jpeg, 1500));
          return [why, unpacked('no'), frame.magic, frame.seq, frame.totalUs, frame.jpeg.length];
        }"""
    )
    assert "different versions" in said[0]
    assert said[1:] == [None, "ASK1", 7, 1500, 4]


def test_a_second_page_of_the_phone_takes_the_place_of_the_first(
    studio: Studio, page: Any, tmp_path: Path
) -> None:
    page.goto(studio.token().url)
    studio.until(wire.Connected)
    before = studio.now
    second = page.context.new_page()
    second.goto(studio.base)
    studio.until(wire.Connected, after=before)
    before = studio.now
    page.get_by_text("This phone has opened the page again.").wait_for()
    page.wait_for_timeout(1500)
    assert not [e for e in studio.events[before:] if isinstance(e, wire.Connected)]


def test_a_phone_that_forgets_the_studio_has_to_pair_again(
    studio: Studio, page: Any, tmp_path: Path
) -> None:
    studio.push(edit_artifact(tmp_path / "a", INVERT), "invert", "Invert")
    page.goto(studio.token().url)
    studio.until(say.Ready)
    page.click("#tab-phone")
    page.click("#forget")
    page.locator("#code-boxes").wait_for()
    assert (
        page.evaluate("caches.keys().then((names) => names.includes('fretsaw-files-1'))") is False
    )


def test_over_tls_with_a_certificate_that_was_clicked_through(
    new_page: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRETSAW_HOME", str(tmp_path / "home"))
    page = new_page(ignore_https_errors=True)
    with Studio() as studio:
        studio.listen(host="127.0.0.2", tls=True)  # loopback, but served as a network address is
        studio.push(edit_artifact(tmp_path / "a", INVERT), "invert", "Invert")
        page.goto(studio.token().url)
        assert page.url.startswith("https://127.0.0.2:")
        ready = studio.until(say.Ready)
        hello = studio.until(wire.Connected).hello
        assert (ready.backend, hello.secure, hello.isolated) == ("wasm-1", True, True)
        assert studio.picture().shape == (64, 64, 3)
        # Such a certificate allows no service worker; nothing depends on one.
        assert (
            page.evaluate("navigator.serviceWorker.getRegistrations().then((all) => all.length)")
            == 0
        )
        page.click("#tab-phone")
        page.locator("#phone-checks").get_by_text("Wi-Fi").wait_for()
        with page.expect_download() as download:
            page.get_by_text("Certificate", exact=True).click()
        assert download.value.path().read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")


def test_threads_that_turn_out_slow_are_left_for_one(
    studio: Studio, new_page: Callable[..., Any], tmp_path: Path
) -> None:
    page = new_page()
    page.add_init_script(
        "sessionStorage.seen ?? localStorage.setItem('fretsaw.choice.1', JSON.stringify({"
        "agent: navigator.userAgent, picked: '', split: 0, strength: 1, measured: {graph: 'a',"
        "name: 'a', at: 1, times: [{backend: 'wasm-1', median_ms: 0.2, p90_ms: 1, samples: [1]},"
        "{backend: 'wasm-2', median_ms: 0.1, p90_ms: 1, samples: [1]}]}})); sessionStorage.seen = 1"
    )
    studio.push(edit_artifact(tmp_path / "a", INVERT), "invert", "Invert")
    page.goto(studio.token().url)
    assert studio.until(say.Ready).backend == "wasm-2"
    assert studio.until(say.Ready, lambda one: one.backend != "wasm-2").backend == "wasm-1"
