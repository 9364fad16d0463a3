"""Frozen /proc and /sys/fs/cgroup trees, as real machines write them."""

from pathlib import Path

from exporter.server.procfs import Proc

V2_MOUNT = "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNTS = """\
31 24 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
34 31 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
"""
UNIFIED_MOUNT = "35 31 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
POD = "sys/fs/cgroup/kubepods.slice/pod1.slice"
V2 = {
    "proc/7/cgroup": "0::/kubepods.slice/pod1.slice/server.scope\n",
    "proc/self/mountinfo": "24 1 8:1 / / rw - ext4 /dev/sda1 rw\n" + V2_MOUNT,
    "sys/fs/cgroup/cgroup.controllers": "cpu io memory\n",
    "sys/fs/cgroup/kubepods.slice/cpu.max": "max 100000\n",
    "sys/fs/cgroup/kubepods.slice/memory.max": "8589934592\n",
    f"{POD}/cpu.max": "150000 100000\n",
    f"{POD}/cpu.stat": "usage_usec 9\nnr_periods 500\nnr_throttled 50\nthrottled_usec 7000000\n",
    f"{POD}/memory.max": "1073741824\n",
    f"{POD}/server.scope/cgroup.controllers": "cpu io memory\n",
    f"{POD}/server.scope/cgroup.type": "domain\n",
    f"{POD}/server.scope/cpu.max": "200000 100000\n",
    f"{POD}/server.scope/cpu.stat": (
        "usage_usec 12000000\nuser_usec 10000000\nsystem_usec 2000000\n"
        "nr_periods 400\nnr_throttled 100\nthrottled_usec 2500000\n"
    ),
    f"{POD}/server.scope/memory.current": "800000000\n",
    f"{POD}/server.scope/memory.max": "max\n",
    f"{POD}/server.scope/memory.stat": (
        "anon 500000000\nfile 250000000\ninactive_file 200000000\nactive_file 50000000\n"
        "pswpin 10\npswpout 20\n"
    ),
    f"{POD}/server.scope/memory.swap.current": "4096\n",
    f"{POD}/server.scope/memory.events": "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\n",
    f"{POD}/server.scope/cpu.pressure": (
        "some avg10=1.00 avg60=0.50 avg300=0.10 total=1500000\n"
        "full avg10=0.00 avg60=0.00 avg300=0.00 total=500000\n"
    ),
    f"{POD}/server.scope/memory.pressure": (
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=20\n"
        "full avg10=0.00 avg60=0.00 avg300=0.00 total=10\n"
    ),
    f"{POD}/server.scope/io.pressure": (
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=3000000\n"
        "full avg10=0.00 avg60=0.00 avg300=0.00 total=2000000\n"
    ),
}
V1_CPU, V1_MEMORY = "sys/fs/cgroup/cpu,cpuacct", "sys/fs/cgroup/memory"
V1 = {
    "proc/7/cgroup": (
        "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n"
    ),
    "proc/self/mountinfo": V1_MOUNTS,
    f"{V1_CPU}/release_agent": "\n",
    f"{V1_CPU}/docker/cpu.cfs_quota_us": "-1\n",
    f"{V1_CPU}/docker/cpu.cfs_period_us": "100000\n",
    f"{V1_CPU}/docker/abc/cpu.cfs_quota_us": "50000\n",
    f"{V1_CPU}/docker/abc/cpu.cfs_period_us": "100000\n",
    f"{V1_CPU}/docker/abc/cpu.stat": "nr_periods 40\nnr_throttled 10\nthrottled_time 2500000000\n",
    f"{V1_MEMORY}/release_agent": "\n",
    f"{V1_MEMORY}/memory.limit_in_bytes": "9223372036854771712\n",
    f"{V1_MEMORY}/docker/memory.limit_in_bytes": "9223372036854771712\n",
    f"{V1_MEMORY}/docker/abc/memory.limit_in_bytes": "2147483648\n",
    f"{V1_MEMORY}/docker/abc/memory.usage_in_bytes": "900000000\n",
    f"{V1_MEMORY}/docker/abc/memory.stat": (
        "cache 5\ninactive_file 1\nhierarchical_memory_limit 2147483648\n"
        "total_cache 6\ntotal_swap 8192\ntotal_inactive_file 400000000\n"
    ),
    f"{V1_MEMORY}/docker/abc/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
}
MACHINE_PRESSURE = {
    f"proc/pressure/{resource}": (
        f"some avg10=0.00 avg60=0.00 avg300=0.00 total={n}000000\n"
        f"full avg10=0.00 avg60=0.00 avg300=0.00 total={n}\n"
    )
    for n, resource in enumerate(("cpu", "memory", "io"), 11)
}


def process(pid: int, parent: int = 1, *, ticks: int = 0, pages: int = 0, started: int = 50,
            name: str = "a (b) c", state: str = "S", waited: int = 0, threads: int = 1,
            ) -> dict[str, str]:  # fmt: skip
    """The files of one process: CPU time and that of children waited for in ticks."""
    fields = [state, parent, *[0] * 9, ticks, 0, waited, 0, 20, 0, threads, 0, started, 0, pages]
    return {
        f"proc/{pid}/stat": f"{pid} ({name}) {' '.join(map(str, fields))} 0 0\n",
        f"proc/{pid}/status": (
            f"Name:\t{name}\nVmHWM:\t    4000 kB\nVmSwap:\t      12 kB\nThreads:\t{threads}\n"
            "voluntary_ctxt_switches:\t30\nnonvoluntary_ctxt_switches:\t4\n"
        ),
        f"proc/{pid}/io": "rchar: 1\nread_bytes: 4096\nwrite_bytes: 8192\n"
                          "cancelled_write_bytes: 0\n",
        f"proc/{pid}/limits": "Limit  Soft Limit Hard Limit Units\n"
                              "Max open files            1024                 524288    files\n",
        f"proc/{pid}/smaps_rollup": "Rss: 9 kB\nPrivate_Clean:   10 kB\nPrivate_Dirty:  20 kB\n",
        f"proc/{pid}/fd/0": "",
        f"proc/{pid}/fd/1": "",
    }  # fmt: skip


MACHINE = {
    "proc/stat": "cpu 1 2 3\nbtime 1700000000\n",
    "proc/uptime": "100.00 50.00\n",
}


def write(root: Path, *trees: dict[str, str]) -> Proc:
    """Write files below ``root``, the later over the earlier; the /proc among them."""
    for tree in trees:
        for path, text in tree.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
    return Proc(str(root / "proc"))
