"""An adapter beside a receiver that has another API: translates its tickets for `incidentd conformance`.

python conformance_shim.py http://pager.example.com 9911
"""
# ruff: noqa: INP001 - an example, not a package

from __future__ import annotations

import json
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

CAPABILITIES = {"protocol": 1, "name": "ticket pager", "pages": True, "truncated": True, "settle_seconds": 1}


def incident(ticket: dict[str, Any], name: str, value: str) -> dict[str, Any]:
    """One ticket of the receiver as an incident of the protocol; this is what differs between receivers."""
    return {
        "id": ticket["number"],
        "open": not ticket["closed"],
        "pages": ticket["notified"],
        "truncated": ticket["incomplete"],
        "alerts": [
            {"fingerprint": alert["id"], "status": "resolved" if alert["over"] else "firing"}
            for alert in ticket["alerts"]
            if alert["labels"].get(name) == value
        ],
    }


class Shim(BaseHTTPRequestHandler):
    """Answers the two questions of the suite; `api` is where the receiver is."""

    api = ""

    def do_GET(self) -> None:
        """`/capabilities`, and `/incidents?label=NAME=VALUE`."""
        parts = urlsplit(self.path)
        if parts.path == "/capabilities":
            self._answer(CAPABILITIES)
        elif parts.path == "/incidents":
            name, _, value = parse_qs(parts.query)["label"][0].partition("=")
            url = f"{self.api}/tickets?{urlencode({'search': value})}"
            with urllib.request.urlopen(url, timeout=10) as found:  # noqa: S310 - the receiver's own address
                tickets = [incident(ticket, name, value) for ticket in json.load(found)]
            self._answer({"incidents": [ticket for ticket in tickets if ticket["alerts"]]})
        else:
            self.send_error(404)

    def _answer(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """The suite reports; this says nothing."""


def server(api: str, port: int) -> ThreadingHTTPServer:
    """The shim for the receiver at `api`; a port of 0 takes a free one."""
    return ThreadingHTTPServer(("127.0.0.1", port), type("Shim", (Shim,), {"api": api}))


if __name__ == "__main__":
    server(sys.argv[1], int(sys.argv[2])).serve_forever()
