"""The headers that every answer carries, prepared once per configuration and copied for each answer."""

from __future__ import annotations

from typing import Final

from multidict import CIMultiDict

from incidentd.config import Config

JSON: Final = "application/json; charset=utf-8"
PROBLEM: Final = "application/problem+json; charset=utf-8"

_ALWAYS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    # Without it aiohttp tells its version and Python's.
    "Server": "incidentd",
}
_HSTS: Final = "max-age=31536000"


class Headers:
    """Copies of the common headers. They follow the configuration: HSTS only behind an https address."""

    def __init__(self) -> None:
        self._config: Config | None = None
        self._base: CIMultiDict[str] = CIMultiDict(_ALWAYS)

    def copy(self, config: Config, request_id: str, content_type: str) -> CIMultiDict[str]:
        """A fresh set for one answer."""
        if config is not self._config:
            self._config = config
            self._base = CIMultiDict(_ALWAYS)
            if config.server.public_url.startswith("https://"):
                self._base["Strict-Transport-Security"] = _HSTS
        headers = self._base.copy()
        headers["Content-Type"] = content_type
        headers["X-Request-ID"] = request_id
        return headers


def bare() -> CIMultiDict[str]:
    """The common headers for answers made before there is a request, such as to illegal framing."""
    return CIMultiDict(_ALWAYS)
