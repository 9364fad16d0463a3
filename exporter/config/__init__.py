"""Settings: one frozen tree, read once; errors name file, line and key path."""

from exporter.config.address import loopback_address, parse_address
from exporter.config.loader import environment_warnings, load, loads, process_settings
from exporter.config.problems import ConfigError, Problem
from exporter.config.settings import (
    DriftSettings,
    FeatureSettings,
    JoinSettings,
    LabelSettings,
    Limit,
    ModelServerSettings,
    ModelSettings,
    ReferenceSettings,
    Settings,
    TokenSettings,
    WindowSpec,
)

__all__ = [
    "ConfigError",
    "DriftSettings",
    "FeatureSettings",
    "JoinSettings",
    "LabelSettings",
    "Limit",
    "ModelServerSettings",
    "ModelSettings",
    "Problem",
    "ReferenceSettings",
    "Settings",
    "TokenSettings",
    "WindowSpec",
    "environment_warnings",
    "load",
    "loads",
    "loopback_address",
    "parse_address",
    "process_settings",
]
