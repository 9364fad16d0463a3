"""Reads GPUs as modelmeter does, in a process of its own; each line that it is sent it answers.

`scrape`: the exposition, as a JSON text. `read`: what each GPU shows right now, as JSON.
"""

import dataclasses
import json
import logging
import sys
import time

from exporter.collectors.gpu import GpuCollector
from exporter.config import Settings, WindowSpec
from exporter.gpu.driver import GpuError
from exporter.gpu.gpus import Gpus, drivers
from exporter.gpu.nvml import Nvml
from exporter.gpu.sampler import Pace
from exporter.scrape import Scraper, render


def plain(sample):
    fields = ((one.name, getattr(sample, one.name)) for one in dataclasses.fields(sample))
    shown = {name: dict(v) if hasattr(v, "items") else v for name, v in fields if v is not None}
    return {**shown, "denied": sorted(sample.denied)}


def read(pids):
    driver = Nvml()
    found = []
    for index in range(driver.open()):
        try:
            readings = driver.gpu(index).read(pids, 0.0)
            found += [{**one.labels, **plain(sample)} for one, sample in readings]
        except GpuError as error:
            found.append({"gpu": str(index), "error": type(error).__name__})
    driver.close()
    return found


def main():
    options = json.loads(sys.argv[1])
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    windows = (WindowSpec("5m", 300.0), WindowSpec("1h", 3600.0))
    pids = options.pop("pids", [])
    settings = Settings(windows=windows, gpu=options.pop("mode", "auto"))
    found = Gpus(drivers(), settings, time.monotonic, time.time, lambda: pids, Pace(**options))
    found.start()
    collector = GpuCollector(found, time.monotonic)
    scraper = Scraper([collector], lambda: 20_000, lambda count: None)
    for line in sys.stdin:
        match line.strip():
            case "scrape":
                answer = render(scraper.collect(), "", "")[0].decode()
            case "read":
                answer = read(pids)
            case "facts":
                answer = dataclasses.asdict(found.facts(time.monotonic()))
        print(json.dumps(answer), flush=True)
    found.end()


if __name__ == "__main__":
    main()
