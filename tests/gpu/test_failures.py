"""Each way in which a driver fails has a state of its own, and other GPUs go on."""

import os
import signal
import time

import pytest

from tests.gpu.support import H100, TWO, Reader, of, up

SUCCESS = 'modelmeter_scrape_collector_success{collector="gpu"}'
DEGRADED = 'modelmeter_collector_degraded{collector="gpu"}'
LOST = "error 15"


def both(shown):
    return up(shown) == {"0": 1, "1": 1}


def values(shown, gpu):
    """What is shown of a GPU that only a fresh sample can tell."""
    kept = ("up", "last_sample", "usage_ratio", "xid_errors")
    return [name for name in of(shown, gpu) if not name.startswith(kept)]


def goes_on(reader, gpu):
    """Wait until a GPU was read again."""
    at = "last_sample_timestamp_seconds"
    before = of(reader.scrape(), gpu)[at]
    reader.until(lambda s: of(s, gpu)[at] > before)


@pytest.mark.parametrize("how", [LOST, "error 16", "error 999", "hang"])
def test_one_gpu_fails_and_the_other_goes_on(reading, how):
    driver, reader = reading(TWO)
    shown = reader.until(both)
    assert values(shown, 1)
    driver.write(TWO | {"1": H100 | {"every": how}})
    shown = reader.until(lambda s: up(s) == {"0": 1, "1": 0})
    assert 'model_gpu_up{gpu="1",name="Fake H100",uuid="GPU-0b"}' in shown
    assert "last_sample_timestamp_seconds" in of(shown, 1)
    assert not values(shown, 1)
    assert values(shown, 0)
    assert shown[SUCCESS] == 1
    goes_on(reader, 0)
    driver.write(TWO)
    assert values(reader.until(both), 1)


def test_a_gpu_that_is_lost_is_told_once_until_it_is_back(reading):
    driver, reader = reading(TWO)
    reader.until(both)
    driver.write(TWO | {"1": {"every": LOST}})
    reader.until(lambda s: up(s) == {"0": 1, "1": 0})
    for _ in range(3):
        goes_on(reader, 0)
    driver.write(TWO)
    reader.until(both)
    told = [line for line in reader.log() if line.startswith(("WARNING", "INFO GPU"))]
    assert len(told) == 2
    assert told[0].startswith("WARNING GPU 1 cannot be read: ")
    assert told[1] == "INFO GPU 1 is read again"


def test_a_gpu_that_was_lost_from_the_start_is_shown_by_its_number(reading):
    driver, reader = reading(TWO | {"1": {"every": LOST}})
    shown = reader.until(lambda s: up(s) == {"0": 1, "1": 0})
    assert 'model_gpu_up{gpu="1",name="",uuid=""}' in shown
    driver.write(TWO)
    shown = reader.until(both)
    assert 'model_gpu_up{gpu="1",name="",uuid=""}' not in shown


def test_a_lost_gpu_that_the_driver_no_longer_counts_stays_visible(reading):
    driver, reader = reading(TWO)
    reader.until(both)
    driver.write(TWO | {"0": {"every": LOST}})
    reader.until(lambda s: up(s) == {"0": 0, "1": 1})
    # Opened anew, the driver counts one GPU, and the second is now the first.
    driver.write({"count": 1, "0": TWO["1"]})
    second = 'model_gpu_up{gpu="0",name="Fake H100",uuid="GPU-0b"}'
    lost = 'model_gpu_up{gpu="0",name="Fake H100",uuid="GPU-0a"}'
    shown = reader.until(lambda s: s.get(second) == 1)
    assert shown[lost] == 0
    assert sum(name.startswith("model_gpu_up") for name in shown) == 2
    driver.write(TWO)
    shown = reader.until(both)
    assert sum(name.startswith("model_gpu_up") for name in shown) == 2


def test_a_driver_that_hangs_delays_neither_scrapes_nor_the_end(reading):
    driver, reader = reading(TWO)
    reader.until(both)
    driver.write(TWO | {"every": "hang"})
    shown = reader.until(lambda s: up(s) == {"0": 0, "1": 0})
    began = time.monotonic()
    for _ in range(20):
        reader.scrape()
    assert time.monotonic() - began < 2
    assert not values(shown, 0)
    reader.process.stdin.close()
    assert reader.process.wait(timeout=10) == 0


def test_a_driver_that_hangs_while_it_is_opened(reading):
    driver, reader = reading({"init": "hang"} | TWO)
    shown = reader.until(lambda s: s.get(SUCCESS) == 0)
    assert not up(shown)
    driver.write(TWO)
    assert reader.until(both)[SUCCESS] == 1


def test_a_hung_thread_is_not_joined_by_others(reading):
    driver, reader = reading(TWO | {"1": H100 | {"power": "hang"}})
    reader.until(lambda s: up(s) == {"0": 1, "1": 0})
    opened = driver.noted("init")
    for _ in range(10):
        goes_on(reader, 0)
    threads = len(os.listdir(f"/proc/{reader.process.pid}/task"))
    for _ in range(10):
        goes_on(reader, 0)
    assert len(os.listdir(f"/proc/{reader.process.pid}/task")) == threads
    assert driver.noted("init") == opened
    assert "WARNING GPU 1: the driver does not answer" in reader.log()


def test_no_library(tmp_path):
    with Reader(dict(os.environ), tmp_path) as reader:
        shown = reader.until(lambda s: bool(reader.log()))
        assert [name for name in shown if "gpu" in name] == []
        (told,) = reader.log()
    assert told.startswith("INFO no NVIDIA GPU is read: libnvidia-ml.so.1 cannot be loaded")


def test_no_library_where_a_gpu_is_required(tmp_path):
    with Reader(dict(os.environ), tmp_path, mode="required") as reader:
        shown = reader.until(lambda s: bool(reader.log()))
        assert shown[SUCCESS] == 0
        (told,) = reader.log()
    assert told.startswith("WARNING no NVIDIA GPU is read: ")


@pytest.mark.parametrize("state", [{"init": "error 9"}, {"count": 0}])
def test_no_driver_is_told_once_and_looked_for_again(reading, state):
    driver, reader = reading(state)
    reader.until(lambda s: driver.noted("init") > 2)
    shown = reader.scrape()
    assert SUCCESS not in shown
    assert DEGRADED not in shown
    assert len(reader.log()) == 1
    driver.write(TWO)
    assert reader.until(both)[SUCCESS] == 1


@pytest.mark.parametrize("how", ["error 18", "error 4", "error 999"])
def test_a_driver_that_is_there_but_does_not_work(reading, how):
    driver, reader = reading(TWO | {"init": how})
    shown = reader.until(lambda s: s.get(SUCCESS) == 0)
    assert not up(shown)
    reader.until(lambda s: driver.noted("init") > 2)
    assert len(reader.log()) == 1
    driver.write(TWO)
    assert reader.until(both)[SUCCESS] == 1


def test_a_driver_that_opens_and_then_fails_is_opened_anew(reading):
    driver, reader = reading(TWO | {"count": "error 999"})
    reader.until(lambda s: s.get(SUCCESS) == 0 and driver.noted("init") > 2)
    driver.write(TWO)
    reader.until(both)
    assert driver.noted("shutdown") == driver.noted("init") - 1


@pytest.mark.parametrize("how", ["error 18", "error 9", "error 1"])
def test_a_driver_that_goes_away_is_opened_anew_at_a_bounded_rate(reading, how):
    driver, reader = reading(TWO, reopen=0.5, look=0.5)
    reader.until(both)
    driver.write(TWO | {"every": how})
    shown = reader.until(lambda s: up(s) == {"0": 0, "1": 0} and s[SUCCESS] == 0)
    assert not values(shown, 0)
    opened, began = driver.noted("init"), time.monotonic()
    reader.until(lambda s: driver.noted("init") >= opened + 4)
    assert time.monotonic() - began > 1.4
    assert reader.scrape()[SUCCESS] == 0
    driver.write(TWO)
    assert reader.until(both)[SUCCESS] == 1
    assert driver.noted("shutdown") == driver.noted("init") - 1 - failed_openings(driver)


def test_no_gpu_is_up_while_the_driver_is_gone(reading):
    driver, reader = reading(TWO, stale_seconds=60)
    reader.until(both)
    driver.write(TWO | {"init": "error 18", "1": H100 | {"every": "error 18"}})
    shown = reader.until(lambda s: up(s) == {"0": 0, "1": 0})
    assert shown[SUCCESS] == 0


def failed_openings(driver):
    """Openings that failed have nothing to be closed: all but the first and the last failed."""
    return driver.noted("init") - 2


def test_nothing_is_read_after_the_end(reading):
    driver, reader = reading(TWO)
    reader.until(both)
    reader.process.stdin.close()
    assert reader.process.wait(timeout=10) == 0
    assert driver.noted("init") == driver.noted("shutdown") == 1


def test_a_signal_ends_it_at_once(reading):
    _, reader = reading(TWO | {"1": H100 | {"every": "hang"}})
    reader.until(lambda s: up(s) == {"0": 1, "1": 0})
    reader.process.send_signal(signal.SIGTERM)
    reader.process.wait(timeout=5)
