"""State as bytes: what is unpacked is what was packed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from exporter.packing import packed, unpacked
from exporter.rows import ABSENT
from exporter.store import parts

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    | st.binary() | st.just(ABSENT),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(0, 99), inner),
    max_leaves=20,
)  # fmt: skip
ARRAYS = arrays.arrays(
    st.sampled_from([np.float64, np.int64, np.int32, np.uint8, np.int16, np.uint32, np.bool_]),
    arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5),
)


@given(PLAIN)
def test_plain_objects_come_back(value):
    assert unpacked(packed(value)) == value


@given(ARRAYS)
def test_arrays_come_back_and_can_be_written_to(array):
    found = unpacked(packed({"a": array}))["a"]
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.tobytes() == array.tobytes()
    assert found.flags.writeable


def test_what_cannot_be_packed_is_told():
    with pytest.raises(NotImplementedError, match="object cannot be packed"):
        packed({"a": object()})


def lists(part):
    return part.values() if isinstance(part, dict) else [part[1]]


@given(
    st.lists(
        st.tuples(
            st.text(min_size=1), st.dictionaries(st.text(), st.lists(st.integers(0, 9), max_size=9))
        ),
        max_size=4,
    )
)
def test_long_lists_are_split_and_come_back(named):
    before, parts.CHUNK = parts.CHUNK, 3
    try:
        records = list(parts.records(named))
        assert [(name, part) for name, part in parts.parts(records)] == named
        assert all(len(one) <= 3 for record in records for one in lists(unpacked(record)[1]))
    finally:
        parts.CHUNK = before


def test_long_arrays_are_split_and_come_back():
    """A column of a hundred million ids must not be one record."""
    ids = np.arange(3 * parts.CHUNK + 7)
    records = list(parts.records([("table", {"ids": ids, "names": ["a"], "few": ids[:5]})]))
    assert max(map(len, records)) < 9 * parts.CHUNK
    ((name, part),) = parts.parts(records)
    assert (name, part["names"]) == ("table", ["a"])
    assert part["ids"].dtype == ids.dtype
    assert part["ids"].tolist() == ids.tolist()
    assert part["few"].tolist() == [*range(5)]
