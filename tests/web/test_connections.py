"""Who may stay and who has to go, on a clock of the tests."""

import asyncio
import threading

import pytest

from exporter.collectors.own import Requests
from exporter.web.body import read
from exporter.web.connections import Connections, Limits, State
from exporter.web.errors import Refused
from exporter.web.room import BODIES_AT_ONCE, REQUESTS_AT_ONCE, Room
from exporter.web.yielding import YIELD_SECONDS, Precedence


class One:
    def __init__(self, held=0):
        self.state = None
        self.held = held
        self.told = []

    def held_bytes(self):
        return self.held

    def late(self):
        self.told.append("late")

    def drop(self):
        self.told.append("drop")


def connections(**limits):
    return Connections(Limits(**limits), Requests())


@pytest.mark.parametrize("state", [state for state in State if state in Limits().seconds()])
def test_each_state_has_its_time(state):
    every = connections()
    first, second = One(), One()
    every.enter(first, state, 100.0)
    every.enter(second, state, 101.0)
    last = 100.0 + Limits().seconds()[state]
    every.expire(last - 0.01)
    assert first.told == []
    every.expire(last)
    assert (first.told, second.told) == (["late"], [])


@pytest.mark.parametrize("state", [State.WORKING, State.BODY])
def test_what_waits_for_us_has_no_time(state):
    every, one = connections(), One()
    every.enter(one, state, 0.0)
    every.expire(1e9)
    assert one.told == []


def test_who_makes_room():
    """By what they wait for, the oldest first; who waits for us never does."""
    every = connections(connections=len(State) + 1)
    waiting = {state: One() for state in reversed(State)}
    for number, (state, one) in enumerate(waiting.items()):
        every.enter(one, state, float(number))
    younger = One()
    every.enter(younger, State.HEAD, 100.0)
    gone = []
    for _ in range(len(every) - 1):
        assert every.make_room()
        gone += [one for one in [*waiting.values(), younger] if one.told and one not in gone]
        every.enter(One(), State.WORKING, 200.0)
    expected = [waiting[state] for state in State if state is not State.WORKING]
    assert gone == [*expected[:2], younger, *expected[2:]]
    assert not every.make_room()
    assert every.requests.closed == {"limit": len(gone)}


def test_below_the_bound_nobody_goes():
    every, one = connections(connections=2), One()
    every.enter(one, State.HEAD, 0.0)
    assert every.make_room()
    assert one.told == []


def test_a_state_that_changes_begins_anew():
    every, one, other = connections(connections=2), One(), One()
    every.enter(one, State.IDLE, 0.0)
    every.enter(other, State.IDLE, 1.0)
    every.enter(one, State.IDLE, 2.0)
    assert every.make_room()
    assert (one.told, other.told) == ([], ["drop"])


def test_over_the_bytes_the_one_that_holds_most_goes():
    every = connections(held_bytes=100)
    small, large = One(40), One(70)
    every.enter(small, State.IDLE, 0.0)
    every.enter(large, State.WRITING, 0.0)
    every.added(40)
    assert large.told == []
    every.added(70)
    assert (small.told, large.told, len(every)) == ([], ["drop"], 1)


def test_bytes_that_were_taken_meanwhile_do_not_count():
    every, one = connections(held_bytes=100), One(10)
    every.enter(one, State.BODY, 0.0)
    for _ in range(50):
        every.added(90)
    assert one.told == []


def run(work):
    return asyncio.run(work())


def test_no_more_bytes_than_there_is_room_for():
    async def work():
        room = Room()
        with room.body() as one:
            one.hold(BODIES_AT_ONCE * 10, 10)
            with room.body() as other, pytest.raises(Refused, match="too many bodies"):
                other.hold(1, 10)
        with room.body() as again:
            again.hold(BODIES_AT_ONCE * 10, 10)

    run(work)


def coming(room, sent, limit=10):
    """A body of which so many bytes came, and no more will."""
    parts = [{"type": "http.request", "body": b" " * sent, "more_body": True}]

    async def receive():
        return parts.pop() if parts else await asyncio.Event().wait()

    async def work():
        with room.body() as one:
            return await read(receive, None, limit, one)

    return asyncio.create_task(work())


def test_a_slow_body_makes_room_and_a_whole_one_does_not():
    async def work():
        room = Room(slow_seconds=0.0)
        with room.body() as whole:
            # It is whole before anything else begins to come: nothing may take its room.
            whole.hold(BODIES_AT_ONCE * 10 - 1, 10)
            whole.whole()
            slow = coming(room, 1)
            await asyncio.sleep(0)
            with room.body() as one:
                one.hold(1, 10)
                with pytest.raises(Refused, match="too many bodies"):
                    one.hold(1, 10)
                with pytest.raises(Refused, match="while others wanted its room") as refused:
                    await slow
                assert (refused.value.status, whole.given_up) == (408, None)

    run(work)


def test_each_body_has_its_own_time():
    async def work():
        room = Room(body_seconds=0.1)
        first = coming(room, 1)
        await asyncio.sleep(0.06)
        second = coming(room, 1)
        with pytest.raises(Refused, match=r"did not arrive in 0\.1 s"):
            await first
        assert not second.done()
        with pytest.raises(Refused):
            await second
        # Nothing came meanwhile that would have it looked after.
        with pytest.raises(Refused):
            await asyncio.wait_for(coming(room, 1), 10)

    run(work)


def test_a_body_that_left_is_not_given_up():
    async def work():
        room = Room(body_seconds=0.05)
        with room.body() as one:
            one.hold(1, 10)
            one.whole()
            await asyncio.sleep(0.1)
            assert one.given_up is None
        with room.body():
            pass
        await asyncio.sleep(0.1)

    run(work)


def test_a_server_that_ends_a_request_ends_it_though_it_was_given_up():
    async def work():
        room = Room(slow_seconds=0.0)
        slow = coming(room, BODIES_AT_ONCE * 10, BODIES_AT_ONCE * 10)
        await asyncio.sleep(0)
        with room.body() as one:
            one.hold(1, 10)
            slow.cancel()
            with pytest.raises(asyncio.CancelledError):
                await slow

    run(work)


def test_no_more_requests_than_may_wait():
    async def work():
        room = Room()
        waiting = [room.body() for _ in range(REQUESTS_AT_ONCE)]
        for one in waiting:
            one.whole()
        with (
            room.body() as more,
            pytest.raises(Refused, match="too many requests") as refused,
        ):
            more.whole()
        assert refused.value.headers == {"retry-after": "1"}
        with waiting[0]:
            pass
        with room.body() as more:
            more.whole()

    run(work)


def test_work_gives_way_to_a_scrape_for_a_while():
    precedence = Precedence()
    done = threading.Event()

    def work():
        precedence.give_way()
        done.set()

    with precedence:
        worker = threading.Thread(target=work)
        worker.start()
        assert precedence.taken
        assert not done.wait(YIELD_SECONDS / 10)
        # It does not wait for ever, though the scrape goes on.
        assert done.wait(30)
    worker.join()
    assert not precedence.taken
