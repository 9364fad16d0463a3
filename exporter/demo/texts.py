"""What the demo says to whoever watches it."""

from exporter.demo import stack
from exporter.demo.display import clock
from exporter.demo.labels import NEVER_LABELLED
from exporter.demo.schedule import SHORTEST_COMPLETE, Phase, Schedule
from exporter.demo.settings import ACCURACY_LIMIT, shipped_rules
from exporter.demo.tools import Tools, missing
from exporter.demo.traffic import REQUESTS_PER_SECOND
from exporter.demo.webhook import Inbox
from exporter.demo.world import CHANGE, RECOVERY

_STORY = """\
Bike sharing in Washington D.C.: {rate:.0f} times a second a model is asked whether the coming hour
will be busy. The truth about an hour follows seconds later, for {never:.0%} of them never.
modelmeter joins both, and holds the model to a limit: accuracy at least {limit}.
"""
_GRAPH = "/graph?g0.expr=model_accuracy_ratio&g0.tab=0&g0.range_input=5m"


def starting(tools: Tools) -> str:
    """Return what is said while the programs start."""
    names = ["the model server", "modelmeter"]
    names += ["Prometheus"] if tools.prometheus else []
    names += ["Alertmanager"] if tools.alertmanager else []
    return f"Starting {', '.join(names[:-1])} and {names[-1]} ..."


def introduction(programs: stack.Stack, times: Schedule, duration: float | None) -> str:
    """Return the story, the addresses, and what is to be expected."""
    story = _STORY.format(rate=REQUESTS_PER_SECOND, never=NEVER_LABELLED, limit=ACCURACY_LIMIT)
    lines = ["", story, *_addresses(programs), "", *_remarks(programs.tools, duration)]
    lines += [_plan(times, duration), ""]
    return "\n".join(lines)


def _addresses(programs: stack.Stack) -> list[str]:
    url = programs.url
    entries = [
        ("modelmeter's page", url(stack.MODELMETER)),
        ("what Prometheus reads", url(stack.MODELMETER, "/metrics")),
        ("try the model server", url(stack.MODEL_SERVER, "/docs")),
    ]
    if programs.tools.prometheus:
        entries.append(("Prometheus: accuracy", url(stack.PROMETHEUS, _GRAPH)))
        entries.append(("Prometheus: alerts", url(stack.PROMETHEUS, "/alerts")))
    if programs.tools.alertmanager:
        entries.append(("Alertmanager", url(stack.ALERTMANAGER)))
    return [f"  {name:<21}  {address}" for name, address in entries]


def _remarks(tools: Tools, duration: float | None) -> list[str]:
    lines = missing(tools)
    if tools.prometheus and not shipped_rules():
        lines.append("The alerting rules are not installed: Prometheus runs without them.")
    if duration is not None and duration < SHORTEST_COMPLETE:
        lines.append(
            f"A run of less than {SHORTEST_COMPLETE:.0f} s may end before the alert is resolved."
        )
    return [*lines, ""] if lines else []


def _plan(times: Schedule, duration: float | None) -> str:
    end = "Ctrl-C ends the demo"
    if duration is not None:
        end = f"the demo ends at {clock(duration)} or with Ctrl-C"
    if duration is not None and times.change_after >= duration:
        return f"Nothing changes in so short a run; {end}."
    recovery = times.change_after + times.change_for
    return (
        f"The world changes at {clock(times.change_after)}, recovers at {clock(recovery)}; {end}."
    )


def news_of(phase: Phase) -> str:
    """Return what has just changed in the world."""
    if phase.changed:
        return f"THE WORLD CHANGES: {CHANGE}. Nothing crashes, every value is plausible."
    return f"THE WORLD RECOVERS: {RECOVERY}."


def last_words(inbox: Inbox, predictions: int, labels: int, tools: Tools) -> str:
    """Return what there was to see."""
    seen = f"Seen: {predictions} predictions, {labels} labels"
    if tools.alertmanager is None:
        return f"{seen}."
    return f"{seen}; alerts delivered: {inbox.fired} firing, {inbox.resolved} resolved."
