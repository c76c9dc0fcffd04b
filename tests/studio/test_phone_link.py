"""The bridge process in Qt terms: one slot, credits from the painter, ends in words."""

from __future__ import annotations

import threading

import pytest

from backend.core.errors import FretsawError
from device_bridge import protocol as say
from device_bridge import wire
from studio.phone.link import PhoneLink
from tests.studio.phone_parts import Maker, jpeg


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def link(maker: Maker, qapp):
    made = PhoneLink(maker)
    made.start()
    yield made
    made.close()


def test_events_from_another_thread_come_in_this_one(link, maker, qtbot) -> None:
    heard: list[tuple[object, int]] = []
    link.heard.connect(lambda event: heard.append((event, threading.get_ident())))
    thread = threading.Thread(target=maker.last.connects)
    thread.start()
    thread.join()
    assert heard == [], "it waits for this thread's event loop"
    qtbot.waitUntil(lambda: len(heard) == 1)
    assert isinstance(heard[0][0], wire.Connected)
    assert heard[0][1] == threading.get_ident()


def test_a_flood_of_pictures_leaves_one_in_the_slot_and_tells_once(link, maker, qtbot) -> None:
    told: list[int] = []
    link.picture_came.connect(lambda: told.append(1))
    picture = jpeg()
    thread = threading.Thread(target=lambda: [maker.last.previews(n, picture) for n in range(500)])
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: bool(told))
    assert len(told) == 1
    latest = link.take()
    assert latest is not None
    assert latest.seq == 499
    assert latest.jpeg == picture
    assert link.take() is None


def test_credit_goes_back_only_when_the_painter_says_so(link, maker) -> None:
    for seq in range(3):
        maker.last.previews(seq, jpeg())
    link.take()
    assert maker.last.told(say.Credit) == []
    link.painted("d1")
    assert [credit.n for credit in maker.last.told(say.Credit)] == [3]
    link.painted("d1")
    assert len(maker.last.told(say.Credit)) == 1, "nothing is owed any more"


def test_credit_is_owed_to_each_phone_and_to_none_that_left(link, maker) -> None:
    maker.last.previews(1, jpeg(), "d1")
    maker.last.previews(1, jpeg(), "d2")
    maker.last.on_event(wire.Gone(device="d1"))
    link.painted("d1")
    link.painted("d2")
    assert [one.device for one in maker.last.of(wire.Tell)] == ["d2"]


def test_more_pictures_than_a_message_may_credit_are_capped(link, maker) -> None:
    for seq in range(40):
        maker.last.previews(seq, jpeg())
    link.painted("d1")
    assert [credit.n for credit in maker.last.told(say.Credit)] == [8]


def test_base64_that_is_none_is_an_empty_picture_not_an_exception(link, maker) -> None:
    maker.last.on_event(wire.Preview(device="d1", seq=1, total_us=1, jpeg="***"))
    picture = link.take()
    assert picture is not None
    assert picture.jpeg == b""


def test_the_end_of_the_process_is_told_and_it_can_be_started_again(link, maker) -> None:
    ended: list[str] = []
    link.ended.connect(ended.append)
    maker.last.on_end("The phone bridge ended by itself.")
    assert ended == ["The phone bridge ended by itself."]
    assert not link.is_running
    assert not link.send(wire.Pair())
    link.start()
    assert link.is_running
    assert len(maker.made) == 2


def test_an_earlier_process_is_not_heard_any_more(link, maker) -> None:
    heard: list[object] = []
    link.heard.connect(heard.append)
    first = maker.last
    link.close()
    link.start()
    first.connects()
    first.previews(1, jpeg())
    first.on_end("too late")
    assert heard == []
    assert link.take() is None
    assert link.is_running


def test_a_bridge_that_cannot_start_raises_a_sentence(maker, qapp) -> None:
    maker.refuses = True
    link = PhoneLink(maker)
    with pytest.raises(FretsawError, match="cannot be started"):
        link.start()
    assert not link.is_running


def test_a_command_that_cannot_be_written_ends_the_link_in_words(link, maker) -> None:
    ended: list[str] = []
    link.ended.connect(ended.append)

    def broken(_command: object) -> None:
        raise FretsawError("The phone bridge has ended.", "Start it again.")

    maker.last.send = broken  # type: ignore[method-assign]
    assert not link.send(wire.Pair())
    assert ended == ["The phone bridge has ended. Start it again."]


def test_closing_does_not_wait_for_a_process_that_hangs(link, maker) -> None:
    import time

    release = threading.Event()
    maker.last.close = release.wait  # type: ignore[method-assign, assignment]
    began = time.monotonic()
    link.close()
    assert time.monotonic() - began < 2.0
    release.set()
