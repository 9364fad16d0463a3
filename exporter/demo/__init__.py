"""`modelmeter demo`: a real model whose quality falls and recovers, watched end to end.

The world of the demo: a bike-sharing company in Washington D.C. asks a model, hour by hour, whether
the coming hour will be busy, and sends a second crew with fresh bicycles if so. How busy the hour
was is known only later. One day a release of the weather and calendar feed sends the hour in UTC;
nothing crashes, every value stays plausible, and the model is wrong in a third of all hours.
"""

from exporter.demo.command import add_arguments, run

__all__ = ["add_arguments", "run"]
