"""What goes wrong, as RFC 9457 problem details: a generic text for the client, never a traceback or SQL."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from incidentd.domain.incident import ActionRefusedError
from incidentd.domain.status_page.by_hand import StatusRefusedError
from incidentd.store.engine import StoreUnavailableError
from incidentd.workflows.respond import NotFoundError

RETRY_AFTER = "5"
"""Seconds; Alertmanager ignores it and comes again within a second, other clients do not."""


class Problem(Exception):
    """An answer other than success. `members` are added to the document, `headers` to the answer."""

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.members = members or {}

    def document(self, request_id: str) -> dict[str, Any]:
        """The body of the answer."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.members,
            "request_id": request_id,
        }


class LimitReached(Problem):
    """503: as much as we take at a time is under way already. Counted by endpoint."""

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(503, detail, headers={"Retry-After": RETRY_AFTER, **(headers or {})})


def unavailable(detail: str) -> Problem:
    """503: nothing was kept, the sender should come again."""
    return Problem(503, detail, headers={"Retry-After": RETRY_AFTER})


def not_found(detail: str = "there is nothing here") -> Problem:
    """404."""
    return Problem(404, detail)


def problem_of(error: Exception) -> Problem | None:
    """The answer to a failure that is part of the contract; None for one that is a bug."""
    match error:
        case Problem():
            return error
        case ActionRefusedError():
            members = {"reason": error.refusal.value, "state": error.state.value}
            return Problem(409, error.detail, members=members)
        case StatusRefusedError():
            return Problem(409, error.detail, members={"reason": error.reason})
        case NotFoundError():
            return not_found(str(error))
        case StoreUnavailableError():
            return unavailable("the database cannot be used now; nothing was changed")
        case _:
            return None
