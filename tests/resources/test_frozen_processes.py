"""Processes on a frozen /proc: names with brackets, zombies, children, threads, peaks."""

import pytest

from exporter.config import ModelServerSettings
from exporter.server.procfs import PAGE, TICKS, Proc
from tests.resources.frozen import MACHINE, process, write
from tests.resources.support import Watch, found_pid

SERVER = ModelServerSettings(pid=7)


def watched(root, *trees) -> Watch:
    proc = write(root, MACHINE, *trees)
    return Watch(SERVER, proc=proc, root=str(root), find=found_pid(7))


def uptime(seconds: float) -> dict[str, str]:
    return {"proc/uptime": f"{seconds:.2f} 0.00\n"}


def peak(pid: int, kilobytes: int) -> dict[str, str]:
    return {
        f"proc/{pid}/status": f"Name:\tx\nVmHWM:\t{kilobytes} kB\nvoluntary_ctxt_switches:\t1\n"
    }


def highest(watch: Watch, name: str) -> float:
    return watch.labelled(f"model_server_{name}").get(("5m", "1.0"))


@pytest.mark.parametrize("name", ["python", "a (b) c", ") S 1 (", "x)) 9 9"])
def test_a_process_is_read_whatever_its_name(tmp_path, name):
    shown = watched(tmp_path, process(7, ticks=250, pages=3, name=name, threads=1)).sample()
    del shown["model_server_last_sample_timestamp_seconds"]
    assert shown == {
        "model_server_up": 1,
        "model_server_restarts_total": 0,
        "model_server_cpu_seconds_total": 250 / TICKS,
        "model_server_read_bytes_total": 4096,
        "model_server_written_bytes_total": 8192,
        "model_server_context_switches_total": 34,
        "model_server_processes": 1,
        "model_server_resident_memory_bytes": 3 * PAGE,
        "model_server_unique_memory_bytes": 30 * 1024,
        "model_server_swap_bytes": 12 * 1024,
        "model_server_threads": 1,
        "model_server_open_fds": 2,
        "model_server_max_fds": 1024,
        "model_server_start_time_seconds": 1_700_000_000 + 50 / TICKS,
    }


def test_descendants_count_and_strangers_do_not(tmp_path):
    family = [process(7), process(9, 7), process(8, 9), process(10, 1), process(11, 10)]
    shown = watched(tmp_path, *family).sample()
    assert shown["model_server_processes"] == 3
    assert shown["model_server_open_fds"] == 6


def test_a_new_child_and_a_new_grandchild_are_found_at_once(tmp_path):
    watch = watched(tmp_path, process(7), process(20, 1))
    watch.sample()
    write(tmp_path, process(30, 7), process(29, 30))
    assert watch.sample()["model_server_processes"] == 3


def test_an_orphan_is_the_servers_no_longer(tmp_path):
    watch = watched(tmp_path, process(7), process(8, 7, ticks=500))
    before = watch.sample()["model_server_cpu_seconds_total"]
    write(tmp_path, process(8, 1, ticks=900))
    after = watch.sample()
    assert after["model_server_processes"] == 1
    assert after["model_server_cpu_seconds_total"] == before


def test_a_zombie_is_no_process_of_the_server_but_counts(tmp_path):
    watch = watched(tmp_path, process(7), process(8, 7, ticks=500, state="Z"))
    shown = watch.sample()
    assert shown["model_server_processes"] == 1
    assert shown["model_server_cpu_seconds_total"] == 500 / TICKS


def test_a_server_that_is_a_zombie_is_down(tmp_path):
    assert watched(tmp_path, process(7, state="Z")).sample()["model_server_up"] == 0


def test_the_same_id_of_another_time_is_a_restart(tmp_path):
    watch = watched(tmp_path, process(7, ticks=500))
    watch.sample()
    write(tmp_path, process(7, ticks=100, started=9999), uptime(100.5))
    shown = watch.sample()
    assert shown["model_server_restarts_total"] == 1
    assert shown["model_server_cpu_seconds_total"] == 600 / TICKS


def test_what_a_server_did_before_it_was_seen_is_no_use_of_a_window(tmp_path):
    watch = watched(tmp_path, process(7, ticks=100_000))
    watch.sample()
    assert highest(watch, "cpu_usage_cores") is None
    write(tmp_path, process(7, ticks=100_020), uptime(101))
    watch.sample()
    assert highest(watch, "cpu_usage_cores") == pytest.approx(0.2, rel=0.01)


def test_a_server_that_is_found_late_shows_no_use_before_it_was_watched(tmp_path):
    """Not 0 cores either: nobody knows what it did since the last sample."""
    proc = write(tmp_path, MACHINE, process(7, ticks=100_000))
    found = iter([None, 7])
    watch = Watch(SERVER, proc=proc, root=str(tmp_path), find=lambda _: next(found))
    assert watch.sample()["model_server_up"] == 0
    assert watch.sample()["model_server_up"] == 1
    assert watch.labelled("model_server_cpu_usage_cores") == {}
    watch.sample()
    assert highest(watch, "cpu_usage_cores") == 0


def test_a_restarted_server_is_in_use_from_its_first_moment(tmp_path):
    watch = watched(tmp_path, process(7, ticks=100_000))
    watch.sample()
    write(tmp_path, process(7, ticks=50, started=round(100.2 * TICKS)), uptime(101))
    watch.sample()
    assert highest(watch, "cpu_usage_cores") == pytest.approx(0.5, rel=0.01)


def test_an_unlikely_jump_is_no_more_than_all_cores(tmp_path):
    watch = watched(tmp_path, process(7))
    watch.sample()
    write(tmp_path, process(7, ticks=10**7), uptime(101))
    watch.sample()
    assert highest(watch, "cpu_usage_cores") == pytest.approx(64, rel=0.01)


def test_a_peak_between_two_samples_is_seen(tmp_path):
    """The kernel remembers each process's highest resident memory: where it rose, it was now."""
    watch = watched(tmp_path, process(7, pages=1000), peak(7, 90_000))
    watch.sample()
    assert highest(watch, "memory_usage_bytes") == pytest.approx(1000 * PAGE, rel=0.01), (
        "a peak of old times is none of the window"
    )
    write(tmp_path, peak(7, 300_000))
    shown = watch.sample()
    assert shown["model_server_resident_memory_bytes"] == 1000 * PAGE
    assert highest(watch, "memory_usage_bytes") == pytest.approx(300_000 * 1024, rel=0.01)


def test_a_peak_of_a_new_child_is_seen(tmp_path):
    watch = watched(tmp_path, process(7, pages=1000), peak(7, 4000))
    watch.sample()
    child = process(8, 7, pages=10, started=round(100.5 * TICKS))
    write(tmp_path, child, peak(8, 50_000), uptime(101))
    watch.sample()
    assert highest(watch, "memory_usage_bytes") == pytest.approx(
        50_000 * 1024 + 1000 * PAGE, rel=0.01
    )


def test_threads_switch_for_their_process(tmp_path):
    status = "voluntary_ctxt_switches:\t{}\n"
    tree = {f"proc/7/task/{n}/status": "x\n" + status.format(100 * n) for n in (7, 8)}
    watch = watched(tmp_path, process(7, threads=2), tree)
    assert watch.sample()["model_server_context_switches_total"] == 1500
    (tmp_path / "proc/7/task/8/status").unlink()
    (tmp_path / "proc/7/task/8").rmdir()
    write(tmp_path, {"proc/7/task/7/status": "x\n" + status.format(750)})
    assert watch.sample(10)["model_server_context_switches_total"] == 1550


def test_many_threads_are_read_rarely(tmp_path):
    watch = watched(tmp_path, process(7, threads=500))
    reads = []
    watch.servers[0]._proc.switches = lambda pid: reads.append(watch.now) or {}
    for _ in range(30):
        watch.sample()
    assert reads == [1001, 1010, 1019, 1028]


def test_unique_memory_is_read_every_half_minute(tmp_path):
    watch = watched(tmp_path, process(7))
    assert watch.sample()["model_server_unique_memory_bytes"] == 30 * 1024
    write(tmp_path, {"proc/7/smaps_rollup": "Private_Dirty:  50 kB\n"})
    assert watch.sample(20)["model_server_unique_memory_bytes"] == 30 * 1024
    assert watch.sample(20)["model_server_unique_memory_bytes"] == 50 * 1024


def test_no_limit_of_open_files_is_no_series(tmp_path):
    tree = {"proc/7/limits": "Max open files            unlimited     unlimited    files\n"}
    assert "model_server_max_fds" not in watched(tmp_path, process(7), tree).sample()


@pytest.mark.parametrize("file", ["status", "io", "limits", "smaps_rollup", "stat"])
@pytest.mark.parametrize("content", ["", "nonsense", "a: b\nVmHWM:\n", "7 (x"])
def test_what_is_no_number_breaks_nothing(tmp_path, file, content):
    watch = watched(tmp_path, process(7), {f"proc/7/{file}": content})
    assert watch.sample()["model_server_up"] == float(file != "stat")


def test_this_machine_is_read_as_it_is():
    proc = Proc()
    pid = min(proc.pids())
    assert proc.stat(pid).pid == pid
    assert proc.stat(2**22 + 5) is None
    assert proc.uptime() > 0
    assert proc.boot_time() > 1e9
