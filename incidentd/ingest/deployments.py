"""Deployment events of GitHub and GitLab as the body that pipelines post themselves.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment and #deployment_status, and
https://docs.gitlab.com/user/project/integrations/webhook_events/#deployment-events
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

_GITHUB: Final[Mapping[str, str | None]] = {
    "pending": None,
    "queued": None,
    "waiting": None,
    "in_progress": None,
    "success": "success",
    "failure": "failure",
    "error": "failure",
}
_GITLAB: Final[Mapping[str, str | None]] = {
    "created": None,
    "running": None,
    "blocked": None,
    "success": "success",
    "failed": "failure",
}
_GITLAB_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (?:[+-]\d{4}|UTC)")


@dataclass(frozen=True, slots=True)
class Told:
    """What a body says."""

    body: bytes
    """In our own form; as it came if no vendor wrote it."""
    start_known: bool = True
    """False: `started_at` is only when the event happened, for GitLab does not tell the start with the end."""
    ignored: str = ""
    """Why the event is of no interest; empty if it is."""


def told(data: bytes, service: str | None = None) -> Told:
    """Read a body. What is neither vendor's is left as it is, so that its own checks name what is wrong.

    `service`: what the vendor's project is called here; by default its own name.
    """
    try:
        event = orjson.loads(data)
    except orjson.JSONDecodeError:
        return Told(data)
    if not isinstance(event, dict):
        return Told(data)
    if isinstance(event.get("deployment"), dict) and isinstance(event.get("repository"), dict):
        # The event `deployment` has no status yet: it says that one begins.
        return _github(event, service)
    if event.get("object_kind") == "deployment":
        return _gitlab(event, service)
    if "zen" in event and "hook_id" in event:
        return Told(data, ignored="GitHub's ping")
    return Told(data)


def _github(event: Mapping[str, Any], service: str | None) -> Told:
    status, deployment = _object(event.get("deployment_status")), event["deployment"]
    repository, payload = _object(event.get("repository")), _object(deployment.get("payload"))
    state = str(status.get("state")) if "deployment_status" in event else "pending"
    if state not in _GITHUB:
        # `inactive` says that a newer one has replaced it: nothing about how it went.
        return Told(b"", ignored=f"state {state}")
    ended = _GITHUB[state]
    return _own(
        {
            "id": f"github-{_text(repository.get('full_name'))}-{_text(deployment.get('id'))}",
            "service": service or payload.get("service") or repository.get("name"),
            "environment": status.get("environment") or deployment.get("environment"),
            "version": payload.get("version") or _version(deployment.get("ref"), deployment.get("sha")),
            "commit_time": payload.get("commit_time"),
            "started_at": deployment.get("created_at"),
            "finished_at": status.get("created_at") if ended else None,
            "status": ended,
        }
    )


def _gitlab(event: Mapping[str, Any], service: str | None) -> Told:
    state, project = str(event.get("status")), _object(event.get("project"))
    if state not in _GITLAB:
        # `canceled` and `skipped` changed nothing, so nothing failed.
        return Told(b"", ignored=f"status {state}")
    ended, at = _GITLAB[state], _gitlab_time(event.get("status_changed_at"))
    path = _text(project.get("path_with_namespace"))
    commit = str(event.get("commit_url") or "").rstrip("/").rpartition("/")[2]
    return _own(
        {
            "id": f"gitlab-{path}-{_text(event.get('deployment_id'))}",
            "service": service or path.rpartition("/")[2] or project.get("name"),
            "environment": event.get("environment"),
            "version": _version(event.get("ref"), commit or event.get("short_sha")),
            "started_at": at,
            "finished_at": at if ended else None,
            "status": ended,
        },
        start_known=False,
    )


def _own(body: Mapping[str, object], *, start_known: bool = True) -> Told:
    return Told(orjson.dumps(body), start_known)


def _version(ref: object, commit: object) -> str | None:
    """A tag says more than a commit; a branch says nothing of what was deployed."""
    if isinstance(ref, str) and re.fullmatch(r"v?\d+(?:\.\d+)+\S*", ref):
        return ref
    return commit[:40] if isinstance(commit, str) and commit else None


def _gitlab_time(value: object) -> object:
    """GitLab writes ``2021-04-28 21:50:00 +0200``; anything else is for the checks to refuse."""
    if not isinstance(value, str) or not _GITLAB_TIME.fullmatch(value):
        return value
    try:
        at = datetime.strptime(value.replace("UTC", "+0000"), "%Y-%m-%d %H:%M:%S %z")
    except ValueError:
        return value
    return at.astimezone(UTC).isoformat()


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int) else ""
