"""What all tests share: plug-ins are registered, and no example is held to a time."""

from hypothesis import settings

from exporter.registry import discover

discover()
settings.register_profile("modelmeter", deadline=None, max_examples=60)
settings.load_profile("modelmeter")
