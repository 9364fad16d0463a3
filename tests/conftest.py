"""What all tests share: plug-ins, examples without a time, and signals that end a program."""

import signal

from hypothesis import settings

from exporter.registry import discover

discover()
settings.register_profile("modelmeter", deadline=None, max_examples=60)
settings.load_profile("modelmeter")

# nohup and a script's `&` ignore these, and each program that a test starts would inherit it.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
