"""The stand-in for the driver's library, and the process that reads GPUs through it."""

import atexit
import json
import os
import re
import shutil
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from tests.programs import program

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_name("nvml_fake.c")
GIB = 2**30
H100 = {
    "uuid": "GPU-0a", "name": "Fake H100", "utilization": 37, "power": 250_000,
    "memory": f"{8 * GIB} {80 * GIB} {GIB}", "power_limit": 700_000, "temperature": 45,
    "energy": 123_456_789, "clock_sm": 1980, "clock_memory": 2619, "reasons": 0,
    "supported_reasons": 0x1FF, "ecc_aggregate_corrected": 3, "ecc_aggregate_uncorrected": 0,
    "event_types": 8, "mig": "0 7", "processes": "",
}  # fmt: skip
"""All that the stand-in answers of one GPU."""
TWO = {"count": 2, "events": 1, "0": H100, "1": H100 | {"uuid": "GPU-0b", "temperature": 50}}


@cache
def library(*flags: str) -> Path:
    """The folder of the stand-in, compiled."""
    folder = Path(mkdtemp(prefix="nvml-fake-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    command = [program("gcc", "cc"), "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", *flags]
    command += ["-Wl,-soname,libnvidia-ml.so.1", "-o", str(folder / "libnvidia-ml.so.1")]
    subprocess.run([*command, str(SOURCE)], check=True, timeout=60)
    return folder


def lines(state, prefix=""):
    for key, value in state.items():
        if isinstance(value, dict):
            yield from lines(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}={value}\n"


class Driver:
    """What the stand-in answers from: a file that is replaced as a whole."""

    def __init__(self, folder: Path, state, *flags: str) -> None:
        self.path = folder / "state"
        self.libraries = library(*flags)
        self.write(state)

    def write(self, state) -> None:
        new = self.path.with_suffix(".new")
        new.write_text("".join(lines(state)))
        new.replace(self.path)

    def noted(self, what: str) -> int:
        """How often the stand-in noted something: `init`, `shutdown`, `event`."""
        log = self.path.with_name("state.log")
        return log.read_text().split().count(what) if log.exists() else 0

    @property
    def env(self) -> dict[str, str]:
        return os.environ | {
            "LD_LIBRARY_PATH": str(self.libraries),
            "NVML_FAKE_STATE": str(self.path),
        }


def series(text: str) -> dict[str, float]:
    pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line[:1] not in ("#", ""))
    return {in_order(name): float(value) for name, value in pairs}


def in_order(name: str) -> str:
    """The name of a series, its labels in alphabetical order."""
    found = re.fullmatch(r"(\w+)\{(.*)\}", name)
    if found is None:
        return name
    labels = sorted(re.findall(r'\w+="[^"]*"', found[2]))
    return f"{found[1]}{{{','.join(labels)}}}"


class Reader:
    """A process that reads GPUs; it ends with the block."""

    def __init__(self, env, folder: Path, **options) -> None:
        paced = {"interval": 0.05, "look": 0.3, "reopen": 0.2, "stale_seconds": 0.3, **options}
        self._log = folder / "log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.gpu.program", json.dumps(paced)],
                cwd=ROOT, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=log,
            )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def log(self) -> list[str]:
        return self._log.read_text().splitlines()

    def ask(self, what: str):
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "\n".join(self.log())
        return json.loads(answer)

    def scrape(self) -> dict[str, float]:
        return series(self.ask("scrape"))

    def until(self, condition) -> dict[str, float]:
        """What is shown once it meets the condition."""
        deadline = time.monotonic() + 30
        while True:
            shown = self.scrape()
            if condition(shown):
                return shown
            assert time.monotonic() < deadline, f"{shown}\n" + "\n".join(self.log())
            time.sleep(0.02)


def of(shown, gpu: int | str, mig: str | None = None) -> dict[str, float]:
    """What is shown of one device, its common labels left out."""
    found = {}
    for name, value in shown.items():
        labels = dict(re.findall(r'(\w+)="([^"]*)"', name))
        if labels.get("gpu") == str(gpu) and labels.get("mig") == mig:
            rest = [
                f'{k}="{v}"'
                for k, v in labels.items()
                if k not in ("gpu", "uuid", "name", "mig", "window")
            ]
            window = [labels["window"]] if "window" in labels else []
            found["/".join([name.partition("{")[0].removeprefix("model_gpu_"), *rest, *window])] = (
                value
            )
    return found


def up(shown) -> dict[str, float]:
    """Which GPUs are up, by number (and instance)."""
    found = {}
    for name, value in shown.items():
        if name.startswith("model_gpu_up"):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', name))
            found["/".join(labels[key] for key in ("gpu", "mig") if key in labels)] = value
    return found
