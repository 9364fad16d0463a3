"""modelmeter: a Prometheus exporter for the quality of a model in production."""

__version__ = "0.1.0"
