"""The web configuration as its files are now, read again whenever one of them changes."""

from __future__ import annotations

import contextlib
import logging
import ssl

from exporter.config import web
from exporter.config.problems import ConfigError
from exporter.config.web_settings import WebSettings
from exporter.web import tls
from exporter.web.watch import Watched

log = logging.getLogger("modelmeter")


class WebConfig:
    """The settings in force and the TLS that they make; the first ones raise ConfigError."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._complaint = ""
        self._watched = Watched([path])
        self._settings = self._load()
        self._context = tls.context(self._settings)
        for notice in self._settings.notices:
            log.warning("%s: %s", path, notice)

    def settings(self) -> WebSettings:
        """Return the settings of now."""
        self._refresh()
        return self._settings

    def context(self) -> ssl.SSLContext | None:
        """Return what encrypts the connection that is made now; None where nothing does."""
        self._refresh()
        if self._settings.tls is not None and self._settings.tls.verifies_clients:
            # A session that is taken up again is not verified again; it lives in its context.
            with contextlib.suppress(ConfigError):
                self._context = tls.context(self._settings)
        return self._context

    def _refresh(self) -> None:
        """Take what the files say now; what is wrong is logged once and changes nothing."""
        if not self._watched.changed():
            return
        complaint = ""
        wanted = self._settings
        try:
            wanted = self._load()
            _check_change(self._settings, wanted)
        except ConfigError as error:
            # The settings stay, and certificates are still renewed.
            complaint, wanted = str(error), self._settings
            self._watched = self._watched.also(_files(wanted))
        try:
            self._context = tls.context(wanted)
            self._settings = wanted
        except ConfigError as error:
            complaint = complaint or str(error)
        self._tell(complaint)

    def _load(self) -> WebSettings:
        # Watched before it is read: what changes in between is seen the next time.
        self._watched = Watched([self._path])
        settings = web.load(self._path)
        self._watched = self._watched.also(_files(settings))
        return settings

    def _tell(self, complaint: str) -> None:
        if not complaint:
            log.info("web configuration read again")
        elif complaint != self._complaint:
            log.error("web configuration not read again, the old one stays: %s", complaint)
        self._complaint = complaint


def _files(settings: WebSettings) -> tuple[str, ...]:
    return () if settings.tls is None else settings.tls.files


def _check_change(old: WebSettings, new: WebSettings) -> None:
    """Refuse what would open the door while serving: half a file looks like it."""
    if (old.tls is None) != (new.tls is None):
        raise ConfigError([new.problem("tls_server_config", "comes or goes with a restart only")])
    if old.users and not new.users:
        raise ConfigError([new.problem("basic_auth_users", "all of them go with a restart only")])
