"""Operations as records: large bodies are parts of their own, and nobody who reads sees that."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.operations import LARGE, Events, Forget, Sent, operation_of, record_of

SIZES = st.sampled_from([0, 1, 255, 256, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE])
TIMES = st.floats(0, 2e9)
SENT = st.builds(
    lambda media_type, size, byte, model, key: Sent(media_type, byte * size, model, key),
    st.text(max_size=40),
    SIZES,
    st.binary(min_size=1, max_size=1),
    st.none() | st.text(max_size=300),
    st.none() | st.binary(max_size=300),
)


@given(TIMES, TIMES, st.lists(SENT, max_size=20))
def test_parts_are_what_the_encoder_makes(now, wall, bodies):
    events = Events(now, wall, bodies)
    parts = record_of(events)
    assert b"".join(parts) == msgspec.msgpack.encode(events)
    assert operation_of(b"".join(parts)) == events
    # A large body is not copied: it is the very object.
    assert sum(part is one.body for part in parts for one in bodies) >= sum(
        len(one.body) >= LARGE for one in bodies
    )


@pytest.mark.parametrize("count", [15, 16, 17, 65_535, 65_536])
def test_many_bodies(count):
    events = Events(
        1.0, 2.0, [Sent("a", b"x" * LARGE, None, None)] + [Sent("a", b"", "m", None)] * count
    )
    assert operation_of(b"".join(record_of(events))) == events


def test_what_is_small_is_one_part():
    assert len(record_of(Forget(1.0, "m", None))) == 1
    assert len(record_of(Events(1.0, 2.0, [Sent("a", b"x", None, None)]))) == 1
