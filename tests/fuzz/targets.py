"""What must hold of every decoder, whatever bytes it is given: one function a decoder.

Each returns where the property holds, and raises where it does not: an error that the decoder does
not declare, an event that is not accounted for, a value that is no number. Nothing here knows who
chose the bytes: hypothesis, atheris or a file of the corpus.
"""

import json
import struct
import zlib
from collections.abc import Callable
from io import BufferedReader, BytesIO
from math import isfinite

from exporter.cli.settings import known
from exporter.config import ConfigError, JoinSettings, ModelSettings, Settings, WindowSpec, loads
from exporter.ingest import BodyError
from exporter.ledger import checked
from exporter.reference import file
from exporter.reference.formats import Inflated
from exporter.reference.job import Job
from exporter.reference.worker import result
from exporter.registry import discover
from exporter.service import Clock, Service
from exporter.web import body as bodies
from exporter.web.errors import Refused

MOST = 2**20
"""Bytes that a fuzzed body may hold once decompressed."""
shown_one_in = 1
"""Of how many bodies one is shown too, which takes most of the time: fuzzing sets it higher."""
SETTINGS = Settings(windows=(WindowSpec("1h", 3600.0),), join=JoinSettings(max_pending=1000))
CLOCK = Clock(lambda: 7200.0, lambda: 1.79e9)

discover()
KNOWN = known()
Target = Callable[[bytes], None]


def new_service() -> Service:
    """A service at a fixed time, without anything in it."""
    return Service(SETTINGS, CLOCK)


def counted(service: Service, media_type: str, body: bytes) -> int:
    """How many events of a body were accepted; every one of them is accounted for."""
    before = service.monitor.models.received
    try:
        sent = service.read(media_type, body, "m", None)
    except BodyError as error:
        json.dumps(error.detail)
        assert service.monitor.models.received == before
        return 0
    size = sent.raw.size
    (outcome,) = service.ledger.events([sent], checked([sent]))
    rejected = [one.index for one in outcome.rejected]
    assert outcome.accepted + len(outcome.duplicates) + len(rejected) == size
    assert outcome.accepted >= 0
    assert len({*rejected, *outcome.duplicates}) == len(rejected) + len(outcome.duplicates)
    assert all(0 <= place < size for place in (*rejected, *outcome.duplicates))
    for one in outcome.rejected:
        assert len(one.error) < 1000
        f"{one.field} {one.error}".encode()
    assert service.monitor.models.received == before + size
    return outcome.accepted


def is_shown(service: Service) -> None:
    """What is counted is exposed: no value is missing or infinite, and labels are text."""
    service.monitor.tick(CLOCK.monotonic())
    for family in service.scraper.collect():
        for sample in family.samples:
            assert family.name != "modelmeter_scrape_collector_success" or sample.value == 1, sample
            assert isfinite(sample.value), sample
            for text in sample.labels.values():
                text.encode()


def _events(media_type: str) -> Target:
    def target(data: bytes) -> None:
        service = new_service()
        if counted(service, media_type, data) and zlib.crc32(data) % shown_one_in == 0:
            is_shown(service)

    return target


def _recorded(form: str) -> Target:
    """Recorded events make a reference, or there is an answer that says why not."""

    def target(data: bytes) -> None:
        job = Job(ModelSettings(name="*"), form=form, model="m", limit=MOST)
        found = result(job, data)
        assert found.status in (200, 400, 413, 422), found.error
        json.dumps([found.error, found.detail, found.listed], ensure_ascii=False).encode()
        if found.status == 200:
            file.loads(found.data)

    return target


def gunzip(data: bytes) -> None:
    """Bodies of events: what comes out is what gzip makes of it, and never above the limit."""
    limit = 1000 * (len(data) + 1) // 50
    try:
        plain = bodies.gunzip(data, limit)
    except Refused:
        return
    assert len(plain) <= limit
    assert plain == b"".join(_members(data))


def inflated(data: bytes) -> None:
    """Bodies of references: the same, a piece at a time."""
    try:
        plain = BufferedReader(Inflated(BytesIO(data))).read(MOST)
    except BodyError:
        return
    assert plain == b"".join(_members(data))[:MOST]


def _members(data: bytes):
    while data:
        stream = zlib.decompressobj(31)
        yield stream.decompress(data, MOST)
        data = stream.unused_data


def headed(content: bytes) -> bytes:
    """A reference file of this content, whose checksum is right."""
    return file.MAGIC + struct.pack("<HII", 1, len(content), zlib.crc32(content)) + content


def reference_file(data: bytes) -> None:
    """A built file that can be read serves a model: events are counted and shown with it."""
    try:
        reference = file.loads(data if file.is_reference(data) else headed(data))
    except file.BadFile as error:
        str(error).encode()
        return
    again = file.loads(file.dumps(reference))
    assert again.schema.classes == reference.schema.classes
    service = new_service()
    service.references.put("m", None, reference)
    for event in ({"score": 0.5, "label": 1}, {"prediction": "a", "label": "b"},
                  {"prediction": 7.0, "label": 7, "features": {"x": 1, "y": "z"}}):  # fmt: skip
        counted(service, "application/json", json.dumps(event).encode())
    is_shown(service)


def _told(error: ConfigError) -> None:
    assert error.problems
    for problem in error.problems:
        str(problem).encode("utf-8", "backslashreplace")


def config(data: bytes) -> None:
    """A configuration file is settings, or problems that are told."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return
    try:
        loads(text, **KNOWN)
    except ConfigError as error:
        _told(error)


TARGETS: dict[str, Target] = {
    "json": _events("application/json"),
    "ndjson": _events("application/x-ndjson"),
    "arrow": _events("application/vnd.apache.arrow.stream"),
    "gunzip": gunzip,
    "inflated": inflated,
    "csv": _recorded("csv"),
    "parquet": _recorded("parquet"),
    "arrow_table": _recorded("arrow"),
    "recorded_json": _recorded("json"),
    "recorded_ndjson": _recorded("ndjson"),
    "reference_file": reference_file,
    "config": config,
}
