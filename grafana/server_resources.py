"""The dashboard "Server resources": what the model server uses, may use and waits for."""

from grafana_foundation_sdk.builders import dashboard as builders

from grafana import gpu
from grafana.parts import SCRAPED, Query, Row, alarm, graph, number, page, up_or_down

UID = "modelmeter-server-resources"

NO_SERVER = "No model server is configured, or it is not found"
NO_SAMPLES = "No sample of the model server in this window yet"
NO_LIMIT = "The model server's container has no such limit, or there is no container"
NO_CONTAINER = "The model server runs in no container that can be seen"
NO_PRESSURE = "This kernel keeps no pressure (PSI)"
NO_RIGHT = "modelmeter may not read this: it runs as another user"
NO_MODELMETER = "modelmeter is not scraped"

SERVER = "{{instance}} {{server}}"
WINDOW = SCRAPED + ',window=~"$window"'


def _gauge(name: str, legend: str = "") -> Query:
    return Query(f"model_server_{name}{{{SCRAPED}}}", f"{SERVER} {legend}".strip())


def _rate(name: str, legend: str = "") -> Query:
    rate = f"rate(model_server_{name}_total{{{SCRAPED}}}[$__rate_interval])"
    return Query(rate, f"{SERVER} {legend}".strip())


def _window(name: str) -> Query:
    legend = f"{SERVER} {{{{window}}}} q{{{{quantile}}}}"
    return Query(f"model_server_{name}{{{WINDOW}}}", legend)


def _highest(name: str, limit: str) -> Query:
    used = f'max without (window, quantile) (model_server_{name}{{{WINDOW},quantile="1.0"}})'
    return Query(f"{used} / (model_server_{limit}{{{SCRAPED}}} > 0)", SERVER)


def _throttled() -> Query:
    periods = f"rate(model_server_cpu_periods_total{{{SCRAPED}}}[$__rate_interval])"
    throttled = f"rate(model_server_cpu_throttled_periods_total{{{SCRAPED}}}[$__rate_interval])"
    return Query(f"{throttled} / ({periods} > 0)", SERVER)


def _stalled(resource: str, title: str) -> tuple[str, str, Query]:
    only = f'{SCRAPED},resource="{resource}"'
    rate = f"rate(model_server_pressure_seconds_total{{{only}}}[$__rate_interval])"
    return title, resource, Query(rate, f"{SERVER} {{{{kind}}}}")


def _overview() -> Row:
    kills = f"increase(model_server_oom_kills_total{{{SCRAPED}}}[$__rate_interval])"
    restarts = f"increase(model_server_restarts_total{{{SCRAPED}}}[$__rate_interval])"
    return Row(
        "Now",
        [
            up_or_down(
                "Model server",
                "Whether every model server's process runs (model_server_up).",
                NO_SERVER,
                Query(f"min(model_server_up{{{SCRAPED}}})", "model server"),
            ),
            number(
                "CPU of the limit",
                "The highest use of CPU in the chosen windows (model_server_cpu_usage_cores) over "
                "what the container may use (model_server_cpu_limit_cores).",
                "percentunit",
                NO_LIMIT,
                [_highest("cpu_usage_cores", "cpu_limit_cores")],
            ),
            number(
                "Memory of the limit",
                "The highest use of memory in the chosen windows "
                "(model_server_memory_usage_bytes) over what the container may use "
                "(model_server_memory_limit_bytes).",
                "percentunit",
                NO_LIMIT,
                [_highest("memory_usage_bytes", "memory_limit_bytes")],
            ),
            number(
                "Throttled",
                "The share of the CPU's periods in which its limit took it away "
                "(model_server_cpu_throttled_periods_total, model_server_cpu_periods_total).",
                "percentunit",
                NO_LIMIT,
                [_throttled()],
            ),
            alarm(
                "OOM kills",
                "Processes killed lately for want of memory (model_server_oom_kills_total).",
                NO_CONTAINER,
                Query(f"sum({kills})", "kills"),
                bad_from=0.5,
            ),
            alarm(
                "Restarts",
                "Restarts of the model server lately (model_server_restarts_total).",
                NO_SERVER,
                Query(f"sum({restarts})", "restarts"),
                bad_from=0.5,
            ),
        ],
    )


def _use() -> Row:
    return Row(
        "CPU and memory of the server: median, p95 and highest of the window",
        [
            graph(
                "CPU",
                "model_server_cpu_usage_cores over each window, sampled every second, and what the "
                "container may use (model_server_cpu_limit_cores).",
                "none",
                NO_SAMPLES,
                [_window("cpu_usage_cores"), _gauge("cpu_limit_cores", "limit")],
            ),
            graph(
                "Memory",
                "model_server_memory_usage_bytes over each window, sampled every second, and what "
                "the container may use (model_server_memory_limit_bytes).",
                "bytes",
                NO_SAMPLES,
                [_window("memory_usage_bytes"), _gauge("memory_limit_bytes", "limit")],
            ),
            graph(
                "Kinds of memory",
                "Resident (model_server_resident_memory_bytes), of no other process "
                "(model_server_unique_memory_bytes), the container's working set "
                "(model_server_working_set_bytes) and swap (model_server_swap_bytes).",
                "bytes",
                NO_SERVER,
                [
                    _gauge("resident_memory_bytes", "resident"),
                    _gauge("unique_memory_bytes", "unique"),
                    _gauge("working_set_bytes", "working set"),
                    _gauge("swap_bytes", "swap"),
                ],
            ),
        ],
    )


def _waits() -> Row:
    stalls = [
        _stalled("cpu", "Waiting for CPU"),
        _stalled("memory", "Waiting for memory"),
        _stalled("io", "Waiting for storage"),
    ]
    return Row(
        "Throttling and pressure",
        [
            graph(
                "Throttled periods",
                "The share of the CPU's periods in which its limit took it away "
                "(model_server_cpu_throttled_periods_total, model_server_cpu_periods_total).",
                "percentunit",
                NO_LIMIT,
                [_throttled()],
            ),
            graph(
                "Throttled time",
                "Seconds a second that the limit took the CPU away, summed over the CPUs "
                "(model_server_cpu_throttled_seconds_total).",
                "s",
                NO_CONTAINER,
                [_rate("cpu_throttled_seconds")],
            ),
            *(
                graph(
                    title,
                    f"The share of the time that some or all tasks waited for {resource}: of the "
                    "container, else of the machine (model_server_pressure_seconds_total).",
                    "percentunit",
                    NO_PRESSURE,
                    [query],
                )
                for title, resource, query in stalls
            ),
            graph(
                "OOM kills and restarts",
                "A second: model_server_oom_kills_total and model_server_restarts_total.",
                "cps",
                NO_SERVER,
                [_rate("oom_kills", "OOM kills"), _rate("restarts", "restarts")],
            ),
        ],
    )


def _processes() -> Row:
    return Row(
        "Processes, files and storage",
        [
            graph(
                "Processes and threads",
                "model_server_processes and model_server_threads.",
                "short",
                NO_SERVER,
                [_gauge("processes", "processes"), _gauge("threads", "threads")],
            ),
            graph(
                "Open files",
                "model_server_open_fds, and how many may be open (model_server_max_fds).",
                "short",
                NO_RIGHT,
                [_gauge("open_fds", "open"), _gauge("max_fds", "limit")],
            ),
            graph(
                "Context switches",
                "A second, of all threads (model_server_context_switches_total).",
                "cps",
                NO_SERVER,
                [_rate("context_switches")],
            ),
            graph(
                "Storage",
                "Bytes a second read (model_server_read_bytes_total) and written "
                "(model_server_written_bytes_total).",
                "Bps",
                NO_RIGHT,
                [_rate("read_bytes", "read"), _rate("written_bytes", "written")],
            ),
            graph(
                "CPU between scrapes",
                "Cores in use on average since the last scrape (model_server_cpu_seconds_total): "
                "what a short spike is lost in.",
                "none",
                NO_SERVER,
                [_rate("cpu_seconds")],
            ),
            graph(
                "Since the last sample",
                "Time since model_server_last_sample_timestamp_seconds. Above some seconds "
                "modelmeter cannot sample, and gauges are absent.",
                "s",
                NO_SERVER,
                [
                    Query(
                        f"time() - model_server_last_sample_timestamp_seconds{{{SCRAPED}}}", SERVER
                    )
                ],
            ),
        ],
    )


def _cost() -> Row:
    by = "sum by (job, instance)"
    own = f"{by} (rate(modelmeter_cpu_seconds_total{{{SCRAPED}}}[$__rate_interval]))"
    servers = f"{by} (rate(model_server_cpu_seconds_total{{{SCRAPED}}}[$__rate_interval]))"
    memory = f"{by} (modelmeter_resident_memory_bytes{{{SCRAPED}}})"
    resident = f"{by} (model_server_resident_memory_bytes{{{SCRAPED}}})"
    return Row(
        "Cost of monitoring",
        [
            graph(
                "CPU of modelmeter",
                "Cores that modelmeter uses, with the processes that build references "
                "(modelmeter_cpu_seconds_total).",
                "none",
                NO_MODELMETER,
                [Query(own, "{{instance}}")],
            ),
            graph(
                "Memory of modelmeter",
                "modelmeter_resident_memory_bytes, with the processes that build references.",
                "bytes",
                NO_MODELMETER,
                [Query(memory, "{{instance}}")],
            ),
            graph(
                "Beside the model server",
                "modelmeter's CPU and memory over the model server's "
                "(modelmeter_cpu_seconds_total, model_server_cpu_seconds_total, "
                "modelmeter_resident_memory_bytes, model_server_resident_memory_bytes).",
                "percentunit",
                NO_SERVER,
                [
                    Query(f"{own} / ({servers} > 0)", "{{instance}} CPU"),
                    Query(f"{memory} / ({resident} > 0)", "{{instance}} memory"),
                ],
            ),
        ],
    )


def build() -> builders.Dashboard:
    """The dashboard "Server resources"."""
    return page(
        UID,
        "Server resources",
        "What the model server uses, may use and waits for, and what monitoring costs beside it.",
        [_overview(), _use(), *gpu.rows(), _waits(), _processes(), _cost()],
    )
