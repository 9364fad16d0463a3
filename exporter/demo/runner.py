"""Runs the demo from start to end, and leaves nothing behind."""

import contextlib
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from exporter.demo import ports, schedule, stack, stopping, texts, tools
from exporter.demo.display import Display
from exporter.demo.processes import Children
from exporter.demo.show import Show
from exporter.demo.webhook import Inbox, Receiver


class WantedPorts(NamedTuple):
    """Ports that the user asks for, None for a free one."""

    modelmeter: int | None = None
    model_server: int | None = None
    prometheus: int | None = None
    alertmanager: int | None = None


def run(duration: float | None, change_after: float | None, wanted: WantedPorts) -> None:
    """Run the demo for so many seconds (None: until a signal).

    Raises PortTaken, ChildDied and NotReady.
    """
    display, inbox = Display(sys.stdout), Inbox()
    with contextlib.ExitStack() as cleanup:
        stop = cleanup.enter_context(stopping.on_signals())
        programs = _prepare(cleanup, tools.find(), wanted)
        webhook = cleanup.enter_context(Receiver(inbox))
        display.say(texts.starting(programs.tools))
        programs.start(stop, webhook.port)
        if not stop.is_set():
            times = schedule.plan(duration, change_after)
            display.say(texts.introduction(programs, times, duration))
            Show(programs, times, duration, inbox, display).run(stop)
        cleanup.close()
        display.say("Everything is stopped; nothing is left running.")


def _prepare(cleanup: contextlib.ExitStack, found: tools.Tools, wanted: WantedPorts) -> stack.Stack:
    names = {stack.MODEL_SERVER: wanted.model_server, stack.MODELMETER: wanted.modelmeter}
    if found.prometheus:
        names[stack.PROMETHEUS] = wanted.prometheus
    if found.alertmanager:
        names[stack.ALERTMANAGER] = wanted.alertmanager
    picked = ports.pick(names)
    folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="modelmeter-demo-")))
    children = cleanup.enter_context(Children(folder, stack.environment()))
    return stack.Stack(children, picked, folder, found)
