"""Asks a Prometheus, or what speaks its API (Thanos, Mimir, VictoriaMetrics), for the rules it has loaded."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import click

from incidentd.cli.client import MAX_BODY_BYTES, CtlError
from incidentd.ingest.rule_files import RuleFile, read_api

TIMEOUT_SECONDS = 30.0
_PATH = "/api/v1/rules?type=alert"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    # urllib would carry the Authorization header to whatever host Location names.
    def redirect_request(self, *_: object) -> None:
        return None


def rules_of(url: str, token_file: Path | None, headers: Sequence[str]) -> RuleFile:
    """The alerting rules that the Prometheus at `url` has loaded.

    Raises CtlError: exit code 3 if it does not answer, 4 if it wants other credentials, 5 if there is no such API.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.BadParameter(
            f"{url} is not an address; accepted: http://HOST:PORT", param_hint="--prometheus"
        )
    base = url.rstrip("/")
    request = urllib.request.Request(base + _PATH, headers=_headers(token_file, headers))  # noqa: S310 - http or https
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            body = answer.read(MAX_BODY_BYTES)
    except urllib.error.HTTPError as refused:
        with refused:
            raise _refused(base, refused.code) from None
    except (OSError, http.client.HTTPException) as failure:
        reason = getattr(failure, "reason", failure)
        why = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        raise CtlError(f"cannot reach {base}: {why}", "is Prometheus running there?", code=3) from None
    try:
        return read_api(json.loads(body))
    except (ValueError, RecursionError):
        remedy = "the URL is that of Prometheus' own page, with its path prefix if it has one"
        raise CtlError(f"{base} does not answer as Prometheus' API does", remedy) from None


def _headers(token_file: Path | None, given: Sequence[str]) -> dict[str, str]:
    found = {"Accept": "application/json", "User-Agent": "incidentd"}
    for text in given:
        name, colon, value = text.partition(":")
        if not colon or not name.strip() or not (text.isascii() and text.isprintable()):
            # The value may be a secret, so only the name is shown.
            raise click.BadParameter(
                f"{name!r}: accepted are headers such as 'X-Scope-OrgID: tenant'", param_hint="--header"
            )
        found[name.strip()] = value.strip()
    if token_file is not None:
        token = token_file.read_text(encoding="utf-8").strip()
        if not token or not (token.isascii() and token.isprintable()):
            raise click.BadParameter(f"{token_file} holds no token", param_hint="--token-file")
        found["Authorization"] = f"Bearer {token}"
    return found


def _refused(base: str, status: int) -> CtlError:
    if status in (401, 403):
        return CtlError(
            f"{base} refuses us: {status}", "give --token-file, or --header for another scheme", code=4
        )
    if status == 404:
        return CtlError(f"{base} has no {_PATH}", "with a path prefix, add it to the URL", code=5)
    if 300 <= status < 400:
        return CtlError(f"{base} redirects, which is not followed", "give the final URL")
    return CtlError(f"{base} answered {status}", "its own log says why")
