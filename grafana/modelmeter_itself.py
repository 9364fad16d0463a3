"""The dashboard "modelmeter itself": whether what watches the models is well, and what it costs."""

from grafana_foundation_sdk.builders import dashboard as builders

from grafana.frame import Row, page
from grafana.parts import alarm, graph, number, timeline, up_or_down
from grafana.queries import MODEL, SCRAPED, Query, rate

UID = "modelmeter-itself"

NO_MODELMETER = "modelmeter is not scraped"
NO_MODELS = "No model has sent anything yet"
NO_JOURNAL = "Nothing is journalled (--no-persist)"
NO_SNAPSHOT = "No snapshot has been saved yet"
NONE_REJECTED = "Nothing has been rejected"
NO_SERVER = "No model server is configured, so no collector needs rights"

WHO = "{{instance}}"


def _rate(metric: str, legend: str = "", by: str = "instance") -> Query:
    return rate(f"modelmeter_{metric}_total", by, f"{WHO} {legend}".strip(), SCRAPED)


def _gauge(metric: str, legend: str = "") -> Query:
    return Query(f"{metric}{{{SCRAPED}}}", f"{WHO} {legend}".strip())


def _now() -> Row:
    received = f"sum(rate(modelmeter_events_received_total{{{SCRAPED}}}[$__rate_interval]))"
    rejected = f"sum(rate(modelmeter_events_rejected_total{{{SCRAPED}}}[$__rate_interval]))"
    dropped = f"increase(modelmeter_series_dropped_total{{{SCRAPED}}}[$__rate_interval])"
    failing = f"1 - min by (instance, collector) (modelmeter_scrape_collector_success{{{SCRAPED}}})"
    return Row(
        "Now",
        [
            up_or_down(
                "modelmeter",
                "Whether Prometheus can scrape every chosen modelmeter (up).",
                NO_MODELMETER,
                Query(f"min(up{{{SCRAPED}}})", "modelmeter"),
            ),
            number(
                "Events",
                "Events received a second (modelmeter_events_received_total).",
                "cps",
                NO_MODELMETER,
                [Query(received, "events")],
            ),
            number(
                "Rejected",
                "The share of the events received that was rejected "
                "(modelmeter_events_rejected_total, modelmeter_events_received_total).",
                "percentunit",
                "No events have come lately",
                [Query(f"{rejected} / ({received} > 0)", "rejected")],
            ),
            alarm(
                "Failing collectors",
                "Collectors that failed in the last scrape (modelmeter_scrape_collector_success).",
                NO_MODELMETER,
                Query(f"sum({failing})", "collectors"),
            ),
            alarm(
                "Left out at a bound",
                "Models, classes, features or series left out lately "
                "(modelmeter_series_dropped_total).",
                NO_MODELMETER,
                Query(f"sum({dropped})", "left out"),
                bad_from=0.5,
            ),
            alarm(
                "Journal",
                "modelmeters that could not write their data folder the last time "
                "(modelmeter_journal_failing).",
                NO_JOURNAL,
                Query(f"sum(modelmeter_journal_failing{{{SCRAPED}}})", "failing"),
            ),
        ],
    )


def _ingest() -> Row:
    return Row(
        "What comes in",
        [
            graph(
                "Events received",
                "A second (modelmeter_events_received_total).",
                "cps",
                NO_MODELMETER,
                [_rate("events_received")],
            ),
            graph(
                "Events rejected",
                "A second, by the field at fault (modelmeter_events_rejected_total), and dated too "
                "far ahead, which count as of their arrival (modelmeter_timestamps_clamped_total).",
                "cps",
                NONE_REJECTED,
                [
                    _rate("events_rejected", "{{reason}}", "reason"),
                    _rate("timestamps_clamped", "dated ahead"),
                ],
            ),
            graph(
                "Requests refused",
                "A second, by status code (modelmeter_requests_rejected_total), and connections "
                "closed without an answer (modelmeter_connections_closed_total). 429 and 503: it "
                "is sent more than it takes.",
                "cps",
                NONE_REJECTED,
                [
                    _rate("requests_rejected", "{{code}}", "code"),
                    _rate("connections_closed", "closed: {{reason}}", "reason"),
                ],
            ),
        ],
    )


def _waiting() -> Row:
    by = "sum by (instance)"
    waiting = f"{by} (model_pending_predictions{{{MODEL}}})"
    labels = f"{by} (model_pending_labels{{{MODEL}}})"
    return Row(
        "Queue of the join, and journal",
        [
            graph(
                "Waiting to be joined",
                "Predictions that wait for their label (model_pending_predictions), and labels for "
                "their prediction (model_pending_labels). join.max_pending bounds them.",
                "short",
                NO_MODELS,
                [Query(waiting, f"{WHO} predictions"), Query(labels, f"{WHO} labels")],
            ),
            graph(
                "Journal",
                "Size of the journal on disk (modelmeter_journal_bytes). It falls with every "
                "snapshot; at max_journal_bytes events are refused.",
                "bytes",
                NO_JOURNAL,
                [_gauge("modelmeter_journal_bytes")],
            ),
            graph(
                "Age of the last snapshot",
                "Time since modelmeter_snapshot_timestamp_seconds.",
                "s",
                NO_SNAPSHOT,
                [Query(f"time() - modelmeter_snapshot_timestamp_seconds{{{SCRAPED}}}", WHO)],
            ),
            graph(
                "Trouble with the disk",
                "A second: writes that failed (modelmeter_store_errors_total), events counted "
                "without being saved (modelmeter_events_unjournalled_total).",
                "cps",
                NO_JOURNAL,
                [
                    _rate("store_errors", "errors"),
                    _rate("events_unjournalled", "not saved"),
                ],
            ),
            graph(
                "Damaged files",
                "Files set aside at the start, in the time range shown "
                "(modelmeter_store_damaged_total).",
                "short",
                NO_JOURNAL,
                [
                    Query(
                        "sum by (instance) "
                        f"(increase(modelmeter_store_damaged_total{{{SCRAPED}}}[$__rate_interval]))",
                        WHO,
                    )
                ],
            ),
            graph(
                "Settings",
                "Whether the last reload of the configuration was accepted "
                "(modelmeter_config_last_reload_successful); 0: it runs with the old one.",
                "bool_yes_no",
                NO_MODELMETER,
                [_gauge("modelmeter_config_last_reload_successful")],
            ),
        ],
    )


def _scrapes() -> Row:
    return Row(
        "Series and scrapes",
        [
            graph(
                "Series",
                "Series about models and the model server (modelmeter_series); max_series bounds "
                "them.",
                "short",
                NO_MODELMETER,
                [_gauge("modelmeter_series")],
            ),
            graph(
                "Left out",
                "A second, at which bound (modelmeter_series_dropped_total).",
                "cps",
                NO_MODELMETER,
                [_rate("series_dropped", "{{reason}}", "reason")],
            ),
            graph(
                "Scrape time",
                "What a scrape takes, as Prometheus measures it (scrape_duration_seconds).",
                "s",
                NO_MODELMETER,
                [_gauge("scrape_duration_seconds")],
            ),
            graph(
                "Collectors",
                "What each collector takes of a scrape "
                "(modelmeter_scrape_collector_duration_seconds).",
                "s",
                NO_MODELMETER,
                [_gauge("modelmeter_scrape_collector_duration_seconds", "{{collector}}")],
                span=12,
            ),
            graph(
                "Reduced rights",
                "Collectors that may not read all of it (modelmeter_collector_degraded): another "
                "user, or no shared process namespace.",
                "bool_yes_no",
                NO_SERVER,
                [_gauge("modelmeter_collector_degraded", "{{collector}}")],
                span=12,
            ),
            timeline(
                "Collectors that fail",
                "modelmeter_scrape_collector_success.",
                NO_MODELMETER,
                [_gauge("modelmeter_scrape_collector_success", "{{collector}}")],
                {"0": ("failed", "dark-orange"), "1": ("succeeded", "blue")},
            ),
        ],
    )


def _cost() -> Row:
    cpu = f"rate(modelmeter_cpu_seconds_total{{{SCRAPED}}}[$__rate_interval])"
    return Row(
        "Its own CPU and memory",
        [
            graph(
                "CPU",
                "Cores in use, with the processes that build references "
                "(modelmeter_cpu_seconds_total).",
                "none",
                NO_MODELMETER,
                [Query(f"sum by (instance) ({cpu})", WHO)],
            ),
            graph(
                "Memory",
                "Resident, with the processes that build references "
                "(modelmeter_resident_memory_bytes), and of its own process "
                "(process_resident_memory_bytes).",
                "bytes",
                NO_MODELMETER,
                [
                    _gauge("modelmeter_resident_memory_bytes"),
                    _gauge("process_resident_memory_bytes", "own process"),
                ],
            ),
            graph(
                "Open files",
                "process_open_fds, and how many may be open (process_max_fds).",
                "short",
                NO_MODELMETER,
                [_gauge("process_open_fds", "open"), _gauge("process_max_fds", "limit")],
            ),
        ],
    )


def build() -> builders.Dashboard:
    """The dashboard "modelmeter itself"."""
    return page(
        UID,
        "modelmeter itself",
        "Whether what watches the models is well: events, joining, journal, series, scrapes, cost.",
        [_now(), _ingest(), _waiting(), _scrapes(), _cost()],
    )
