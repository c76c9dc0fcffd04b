"""The pair doctor names the step that fails, from events alone."""

from __future__ import annotations

from typing import get_args

import pytest

from device_bridge import protocol, wire
from device_bridge.doctor import SILENCE_S, STEPS, Doctor

SHA = "0" * 64


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def hello(*, secure: bool = True) -> protocol.Hello:
    return protocol.Hello(
        page="1", agent="test", cores=4, secure=secure, isolated=secure, threads=secure
    )


def listening(*, tls: bool = True) -> wire.Listening:
    return wire.Listening(url="https://192.168.1.2:4", host="192.168.1.2", port=4, tls=tls)


def connected(device: str = "phone-1", *, secure: bool = True) -> wire.Connected:
    return wire.Connected(device=device, name="Pixel", route="wifi", hello=hello(secure=secure))


def said(message: protocol.FromPhone, device: str = "phone-1") -> wire.Said:
    return wire.Said(device=device, message=message)


def doctor(*events: wire.ServerEvent, clock: Clock | None = None, only: str | None = None):
    made = Doctor(only, clock or Clock())
    for event in events:
        made.feed(event)
    return made


def states(made: Doctor) -> dict[str, str]:
    return {step.name: step.state for step in made.steps()}


def test_the_steps_of_the_protocol_are_all_here_in_their_order() -> None:
    names = get_args(protocol.Step)
    assert [name for name in STEPS if name in names] == list(names)


def test_every_failure_stage_of_the_protocol_fails_a_step_with_a_remedy() -> None:
    for stage in get_args(protocol.Failed.model_fields["stage"].annotation):
        made = doctor(
            listening(), connected(), said(protocol.Failed(stage=stage, text="It broke."))
        )
        failing = made.failing()
        assert failing is not None, stage
        assert failing.text == "It broke."
        assert failing.remedy.endswith(".")


def test_all_is_well_when_a_phone_paired_installed_and_agrees() -> None:
    ready = protocol.Ready(id="edit", graph=SHA, backend="wasm-1", load_ms=5)
    golden = protocol.Golden(id="edit", backend="wasm-1", max_error=1e-5, mean_error=1e-6, ok=True)
    telemetry = protocol.Telemetry(seq=1, fps=20, ms={})
    made = doctor(
        listening(), wire.Reached(address="a"), wire.Asks(device="phone-1", name="P", address="a"),
        connected(), said(ready), said(golden), said(telemetry),
    )  # fmt: skip
    assert made.failing() is None
    assert set(states(made).values()) == {"ok"}


def test_nobody_comes_the_network_is_named_not_before_its_time() -> None:
    clock = Clock()
    token = wire.Token(url="u", code="ABCDEF", expires=clock.now + 120)
    made = doctor(listening(), token, clock=clock)
    clock.now += SILENCE_S - 1
    assert made.failing() is None
    clock.now += 2
    failing = made.failing()
    assert failing is not None
    assert failing.name == "reached"
    assert "same Wi-Fi" in failing.remedy
    made.feed(wire.Reached(address="192.168.1.9"))
    assert made.failing() is None


def test_a_code_that_ran_out_is_named_until_there_is_a_new_one() -> None:
    clock = Clock()
    made = doctor(
        listening(),
        wire.Token(url="u", code="ABCDEF", expires=clock.now + 120),
        wire.Reached(address="a"),
        clock=clock,
    )
    clock.now += 121
    failing = made.failing()
    assert failing is not None
    assert failing.name == "code"
    made.feed(wire.Token(url="u", code="ABCDEG", expires=clock.now + 120))
    assert made.failing() is None


def test_distrust_fails_the_certificate_until_the_page_comes() -> None:
    trouble = wire.Trouble(text="Not trusted.", remedy="Install it.", command="certificate")
    made = doctor(listening(), trouble)
    failing = made.failing()
    assert failing is not None
    assert (failing.name, failing.text, failing.remedy) == (
        "certificate",
        "Not trusted.",
        "Install it.",
    )
    assert states(made)["reached"] == "ok"
    made.feed(wire.Reached(address="a"))
    assert states(made)["certificate"] == "ok"
    made.feed(connected())
    made.feed(trouble)  # another phone at the same server
    assert made.failing() is None


def test_without_encryption_the_certificate_is_skipped() -> None:
    made = doctor(listening(tls=False), wire.Reached(address="a"), connected())
    assert states(made)["certificate"] == "skipped"
    assert states(made)["allowed"] == "ok"


def test_an_insecure_page_a_refused_port_and_a_wrong_result_are_named() -> None:
    made = doctor(listening(), connected(secure=False))
    assert made.failing() is not None
    assert made.failing().name == "secure"
    made = doctor(wire.Trouble(text="Port 80 is taken.", remedy="Other.", command="listen"))
    assert made.failing().name == "listening"
    wrong = protocol.Golden(id="e", backend="webgpu", max_error=0.5, mean_error=0.1, ok=False)
    made = doctor(listening(), connected(), said(wrong))
    assert made.failing().name == "golden"
    assert "5.0e-01 with webgpu" in made.failing().text


@pytest.mark.parametrize("state", ["ok", "failed", "waiting", "skipped"])
def test_what_the_phone_checks_itself_is_taken_over(state: str) -> None:
    check = protocol.Check(step="camera", state=state, text="words")
    made = doctor(listening(), connected(), said(check))
    assert states(made)["camera"] == state


def test_it_follows_its_own_phone_only() -> None:
    check = protocol.Check(step="camera", state="failed")
    made = doctor(
        listening(), connected("phone-1"), connected("phone-2"), said(check, "phone-2"),
        only="phone-1",
    )  # fmt: skip
    assert made.failing() is None
    made.feed(said(check, "phone-1"))
    assert made.failing().name == "camera"


def test_a_phone_that_left_is_waited_for() -> None:
    check = protocol.Check(step="camera", state="failed")
    made = doctor(listening(), connected(), said(check), wire.Gone(device="phone-1", why="Asleep."))
    assert made.failing() is None
    assert states(made)["allowed"] == "ok"
    assert next(step for step in made.steps() if step.name == "secure").text == "Asleep."
