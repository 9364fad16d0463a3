"""Files of records: whatever happens to one, what is read is a beginning of what was written."""

import os
from itertools import chain
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.store.mark import Mark, MarkFile
from exporter.store.records import HEAD, Records, framed
from exporter.store.segment import Segment

RECORDS = st.lists(st.binary(min_size=1, max_size=60), max_size=8)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("records") / "file"


def written(path, records):
    path.write_bytes(HEAD + b"".join(chain.from_iterable(map(framed, records))))
    return path.stat().st_size


@given(RECORDS)
def test_what_was_written_is_read(path, records):
    size = written(path, records)
    found = Records(path)
    assert list(found) == records
    assert found.end == found.size == size


@given(RECORDS, st.data())
def test_of_a_file_cut_short_the_whole_records_are_read(path, records, data):
    size = written(path, records)
    kept = data.draw(st.integers(0, size))
    os.truncate(path, kept)
    found = Records(path)
    read = list(found)
    assert read == records[: len(read)]
    assert found.size == kept >= found.end
    rest = HEAD + b"".join(chain.from_iterable(map(framed, records[: len(read) + 1])))
    assert len(read) == len(records) or kept < len(rest)


@given(RECORDS, st.data())
def test_a_changed_bit_ends_the_reading(path, records, data):
    size = written(path, records)
    place = data.draw(st.integers(0, size - 1))
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    found = Records(path)
    read = list(found)
    assert read == records[: len(read)]
    assert found.end <= place


def test_zeros_at_the_end_are_no_records(path):
    size = written(path, [b"one"])
    with path.open("ab") as file:
        file.write(bytes(100))
    found = Records(path)
    assert list(found) == [b"one"]
    assert (found.end, found.size) == (size, size + 100)


def test_a_segment_is_appended_to_and_never_overwritten(tmp_path):
    segment = Segment(tmp_path / "one", b"first", sync=True)
    segment.append([[b"second"], [b"th", b"", b"ird"]])
    segment.append([[b"fourth"]])
    assert segment.end == segment.path.stat().st_size
    segment.close()
    assert list(Records(segment.path)) == [b"first", b"second", b"third", b"fourth"]
    with pytest.raises(FileExistsError):
        Segment(tmp_path / "one", b"first", sync=True)


@given(RECORDS.filter(bool), st.integers(1, 5), st.integers(0, 2**32))
def test_a_write_may_end_early_and_parts_may_be_many(tmp_path_factory, records, most, seed):
    random, path = Random(seed), tmp_path_factory.mktemp("segment") / "one"

    def early(write):
        def some(descriptor, data, place):
            whole = b"".join(data) if isinstance(data, list) else data
            return write(descriptor, whole[: random.randint(min(1, len(whole)), len(whole))], place)

        return some

    write = os.pwrite
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("exporter.store.segment.MOST_PARTS", most)
        patched.setattr(os, "pwrite", early(write))
        patched.setattr(os, "pwritev", early(write))
        segment = Segment(path, b"first", sync=False)
        segment.append([[one[:7], one[7:]] for one in records])
        segment.append([[b"last"]])
    segment.close()
    assert segment.end == path.stat().st_size
    assert list(Records(path)) == [b"first", *records, b"last"]


def test_the_mark_is_read_back_and_a_damaged_one_is_none(tmp_path):
    mark = MarkFile(tmp_path)
    assert mark.read() is None
    mark.write(Mark(3, 700, True, 9), sync=True)
    assert mark.read() == Mark(3, 700, True, 9)
    mark.close()
    path = tmp_path / "mark"
    for place in range(path.stat().st_size):
        content = bytearray(path.read_bytes())
        content[place] ^= 1
        path.write_bytes(content)
        again = MarkFile(tmp_path)
        assert again.read() is None
        again.close()
        content[place] ^= 1
        path.write_bytes(content)
