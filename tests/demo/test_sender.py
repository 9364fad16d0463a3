"""Events leave in the background, bounded, whatever the other side does."""

import threading

from exporter.demo.sender import BATCH, EventSender
from tests.demo.support import events_server, wait_until


def event(number: int) -> dict[str, object]:
    return {"model": "m", "id": str(number), "label": "1"}


def test_events_arrive_in_order_and_in_batches():
    with events_server() as events:
        sender = EventSender(events.url, pause=0.01)
        for number in range(BATCH + 10):
            sender.send(event(number))
        sender.start()
        wait_until(lambda: len(events.all) == BATCH + 10)
        sender.close()
    assert [len(batch) for batch in events.batches] == [BATCH, 10]
    assert events.all == [event(number) for number in range(BATCH + 10)]
    assert (sender.sent, sender.dropped) == (BATCH + 10, 0)


def test_closing_sends_what_waits():
    with events_server() as events:
        sender = EventSender(events.url, pause=60.0)
        sender.start()
        sender.send(event(1))
        sender.close()
    assert events.all == [event(1)]


def test_over_its_capacity_it_drops_and_counts():
    sender = EventSender("http://127.0.0.1:9/v1/events", capacity=3)
    for number in range(5):
        sender.send(event(number))
    assert sender.dropped == 2


def test_a_busy_modelmeter_is_asked_again():
    with events_server() as events:
        events.answers = [503, 500]
        sender = EventSender(events.url, pause=0.01)
        sender.start()
        sender.send(event(1))
        wait_until(lambda: sender.sent == 1)
        sender.close()
    assert events.all == [event(1)]
    assert sender.dropped == 0


def test_what_is_refused_is_not_sent_again(caplog):
    with events_server() as events:
        events.answers = [422]
        sender = EventSender(events.url, pause=0.01)
        sender.start()
        sender.send(event(1))
        wait_until(lambda: sender.dropped == 1)
        sender.close()
    assert events.batches == []
    assert "422" in caplog.text


def test_without_anyone_to_listen_nothing_raises_and_the_loss_is_counted(caplog):
    with events_server() as events:
        url = events.url
    before = threading.active_count()
    sender = EventSender(url, pause=0.01)
    sender.start()
    for number in range(7):
        sender.send(event(number))
    wait_until(lambda: sender.dropped == 7)
    sender.close()
    assert "7 events are lost" in caplog.text or "events are lost" in caplog.text
    assert threading.active_count() == before
