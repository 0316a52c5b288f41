"""incidentd's own adapter: a translation over its API, so that a running daemon can be judged as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from incidentd.conformance.adapter import AdapterError, ask, json_headers
from incidentd.conformance.bodies import LABEL
from incidentd.conformance.view import Capabilities, View, ViewedAlert, ViewedIncident
from incidentd.conformance.wire import Request, Wire

WEBHOOK = "/webhooks/alertmanager"
_SETTLE_SECONDS = 0.1
_PAGED = ("triggered", "reopened")
_SHOWN = 500
"""As many alerts does an incident show itself; the rest are in a list."""


class IncidentdAdapter:
    """The adapter `incidentd`: needs a token of the scope `read`, and `respond` for acknowledging."""

    def __init__(self, url: str, headers: Mapping[str, str], wire: Wire) -> None:
        self._url = url.rstrip("/")
        self._headers = headers
        self._wire = wire

    def capabilities(self) -> Capabilities:
        """What its own description says. Raises AdapterError if it is another program's."""
        info = self._get("/api/v1/openapi.json", once=True).get("info") or {}
        if info.get("title") != "incidentd":
            raise AdapterError(f"{self._url} is not incidentd: name its adapter with --adapter URL")
        # Its answers come after the commit, so nothing changes later without a timer.
        return Capabilities(
            protocol=1,
            name="incidentd",
            version=str(info.get("version") or ""),
            pages=True,
            truncated=True,
            acknowledge=True,
            settle_seconds=_SETTLE_SECONDS,
        )

    def view(self, token: str) -> View:
        """Incidents whose title or group has the token, and of them the alerts that carry it as a label."""
        try:
            found = [
                self._incident(item["id"], token) for item in self._all("/api/v1/incidents", {"q": token})
            ]
        except KeyError as missing:
            raise AdapterError(
                f"{self._url} answers without {missing}: is it another version of incidentd?"
            ) from None
        return View(incidents=[incident for incident in found if incident.alerts])

    def acknowledge(self, incident: int | str) -> None:
        """Acknowledge an incident."""
        url = f"{self._url}/api/v1/incidents/{incident}/acknowledge"
        said = json.dumps({"comment": "by the conformance suite"}).encode()
        ask(self._wire, Request("POST", url, said, json_headers(self._headers)))

    def _incident(self, number: int, token: str) -> ViewedIncident:
        whole = self._get(f"/api/v1/incidents/{number}")
        alerts = whole["alerts"]
        # Of one that is over they all ended; asking for the rest takes long.
        if whole["alerts_total"] > _SHOWN and whole["state"] != "resolved":
            alerts = list(self._all("/api/v1/alerts", {"incident": str(number)}))
        # Rows of one moment are the targets of one telling.
        tellings = {
            (row["notice"], row["created_at"])
            for row in whole["deliveries"]
            if row["class"] == "page" and row["notice"] in _PAGED and row["fallback_of"] is None
        }
        return ViewedIncident(
            id=number,
            open=whole["state"] != "resolved",
            alerts=[
                ViewedAlert(
                    fingerprint=alert["fingerprint"], status=alert["status"], starts_at=alert["starts_at"]
                )
                for alert in alerts
                if alert["labels"].get(LABEL) == token
            ],
            pages=len(tellings),
            truncated=bool(whole["truncated"]),
            opened_at=whole["opened_at"],
            resolved_at=whole["resolved_at"],
        )

    def _all(self, path: str, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        cursor: dict[str, str] = {}
        while True:
            page = self._get(f"{path}?{urlencode({'limit': '500', **query, **cursor})}")
            yield from page["items"]
            if not page["next_cursor"]:
                return
            cursor = {"cursor": page["next_cursor"]}

    def _get(self, path: str, *, once: bool = False) -> dict[str, Any]:
        answer = ask(self._wire, Request("GET", self._url + path, headers=self._headers), once=once)
        try:
            value = json.loads(answer.body)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise AdapterError(f"{self._url}{path} is not JSON of incidentd's API")
        return value
