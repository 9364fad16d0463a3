"""The rows about GPUs of the dashboard "Server resources"."""

from grafana.parts import SCRAPED, Query, Row, alarm, graph, number, up_or_down

NO_GPU = "modelmeter sees no GPU"
NOT_TOLD = "No GPU tells this"
NO_PROCESS = "The driver names no process of the model server"
NO_SAMPLES = "No sample of a GPU in this window yet"

GPU = "{{instance}} GPU {{gpu}} {{mig}}"
WHOLE = SCRAPED + ',mig=""'
"""Whole GPUs: instances are parts of them, and would count twice."""


def _gauge(name: str, legend: str = "") -> Query:
    return Query(f"model_gpu_{name}{{{SCRAPED}}}", f"{GPU} {legend}".strip())


def _increase(name: str, by: str) -> Query:
    rise = f"increase(model_gpu_{name}_total{{{SCRAPED}}}[$__rate_interval])"
    return Query(rise, f"{GPU} {{{{{by}}}}}")


def _overview() -> Row:
    used = f"model_gpu_memory_used_bytes{{{SCRAPED}}}"
    total = f"model_gpu_memory_total_bytes{{{SCRAPED}}}"
    highest = f'model_gpu_usage_ratio{{{SCRAPED},window=~"$window",quantile="1.0"}}'
    uncorrected = (
        f'increase(model_gpu_ecc_errors_total{{{SCRAPED},error="uncorrected"}}[$__rate_interval])'
    )
    xids = f"increase(model_gpu_xid_errors_total{{{SCRAPED}}}[$__rate_interval])"
    return Row(
        "GPUs now",
        [
            up_or_down(
                "GPUs",
                "Whether every GPU answers (model_gpu_up).",
                NO_GPU,
                Query(f"min(model_gpu_up{{{SCRAPED}}})", "GPUs"),
            ),
            number(
                "Highest use",
                "The highest use of each GPU in the chosen windows (model_gpu_usage_ratio).",
                "percentunit",
                NO_SAMPLES,
                [Query(f"max without (window, quantile) ({highest})", GPU)],
            ),
            number(
                "Memory in use",
                "model_gpu_memory_used_bytes over model_gpu_memory_total_bytes.",
                "percentunit",
                NO_GPU,
                [Query(f"{used} / ({total} > 0)", GPU)],
            ),
            alarm(
                "Held back",
                "GPUs that are throttled for some reason now (model_gpu_throttled).",
                NOT_TOLD,
                Query(
                    f"sum(max without (reason) (model_gpu_throttled{{{WHOLE}}}))", "throttled GPUs"
                ),
            ),
            alarm(
                "XID errors",
                "Errors that the driver reported lately (model_gpu_xid_errors_total).",
                NOT_TOLD,
                Query(f"sum({xids})", "errors"),
                bad_from=0.5,
            ),
            alarm(
                "Memory errors",
                "Uncorrected errors of GPU memory lately (model_gpu_ecc_errors_total).",
                NOT_TOLD,
                Query(f"sum({uncorrected})", "errors"),
                bad_from=0.5,
            ),
        ],
    )


def _over_time() -> Row:
    windowed = f'model_gpu_usage_ratio{{{SCRAPED},window=~"$window"}}'
    watts = f"rate(model_gpu_energy_joules_total{{{SCRAPED}}}[$__rate_interval])"
    age = f"time() - model_gpu_last_sample_timestamp_seconds{{{SCRAPED}}}"
    return Row(
        "GPUs: use, memory, power, heat and errors",
        [
            graph(
                "Use",
                "Median, p95 and highest use over each window, sampled every second "
                "(model_gpu_usage_ratio), and the last sample (model_gpu_utilization_ratio).",
                "percentunit",
                NO_SAMPLES,
                [
                    Query(windowed, f"{GPU} {{{{window}}}} q{{{{quantile}}}}"),
                    _gauge("utilization_ratio", "now"),
                ],
            ),
            graph(
                "GPU memory",
                "model_gpu_memory_used_bytes and model_gpu_memory_total_bytes.",
                "bytes",
                NO_GPU,
                [_gauge("memory_used_bytes", "used"), _gauge("memory_total_bytes", "total")],
            ),
            graph(
                "Memory of the model server",
                "Memory of the model server's own processes (model_gpu_process_memory_bytes).",
                "bytes",
                NO_PROCESS,
                [_gauge("process_memory_bytes")],
            ),
            graph(
                "Power",
                "model_gpu_power_watts, what may be drawn (model_gpu_power_limit_watts), and the "
                "mean by the energy used (model_gpu_energy_joules_total).",
                "watt",
                NOT_TOLD,
                [
                    _gauge("power_watts"),
                    _gauge("power_limit_watts", "limit"),
                    Query(watts, f"{GPU} mean"),
                ],
            ),
            graph(
                "Temperature",
                "model_gpu_temperature_celsius.",
                "celsius",
                NOT_TOLD,
                [_gauge("temperature_celsius")],
            ),
            graph(
                "Throttling, by reason",
                "1 while a GPU is held back for a reason (model_gpu_throttled).",
                "short",
                NOT_TOLD,
                [_gauge("throttled", "{{reason}}")],
            ),
            graph(
                "Clocks",
                "Of the processors (sm) and of the memory (model_gpu_clock_hertz).",
                "hertz",
                NOT_TOLD,
                [_gauge("clock_hertz", "{{domain}}")],
            ),
            graph(
                "Errors",
                "XID errors (model_gpu_xid_errors_total) and errors of the memory "
                "(model_gpu_ecc_errors_total), as they come.",
                "short",
                NOT_TOLD,
                [_increase("xid_errors", "xid"), _increase("ecc_errors", "error")],
            ),
            graph(
                "Since the last sample of a GPU",
                "Time since model_gpu_last_sample_timestamp_seconds. Above some seconds the GPU "
                "does not answer, and its gauges are absent.",
                "s",
                NO_GPU,
                [Query(age, GPU)],
            ),
        ],
    )


def rows() -> list[Row]:
    """What there is to see of GPUs."""
    return [_overview(), _over_time()]
