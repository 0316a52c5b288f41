"""A recording as a file: gzip, one JSON object a line, so that CI can replay without the database."""

from __future__ import annotations

import base64
import binascii
import gzip
import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from incidentd.domain.maintenance import Plan, Window
from incidentd.domain.matcher import parse_matcher
from incidentd.domain.schedule import Override
from incidentd.replay.recording import PARSERS, Act, Kept, MadeWindow, Recording

VERSION = 1


class UnreadableJournalError(Exception):
    """The file is no exported journal; the message says why."""


def write(path: Path, recording: Recording) -> int:
    """Write it and return how many bodies there are. The same recording gives the same bytes. Raises OSError."""
    count = 0
    # No time and no name in gzip's header: two exports of the same are equal.
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
        for line in _head(recording):
            file.write(orjson.dumps(line) + b"\n")
        for kept in recording.bodies:
            file.write(orjson.dumps(_body(kept)) + b"\n")
            count += 1
    return count


def _head(recording: Recording) -> Iterator[dict[str, Any]]:
    yield {"incidentd_journal": VERSION, "since": recording.since, "until": recording.until}
    for each in recording.overrides:
        times = {"starts_at": each.starts_at, "ends_at": each.ends_at}
        yield {"override": each.id, "schedule": each.schedule, "user": each.user, **times}
    for made in recording.windows:
        plan = made.window.plan
        yield {
            "window": made.window.name,
            "matchers": [str(matcher) for matcher in made.window.matchers],
            "starts": plan.starts.isoformat(),
            "seconds": plan.duration.total_seconds(),
            "time_zone": plan.time_zone,
            "rrule": plan.rrule,
            "made_at": made.made_at,
            "cancelled_at": made.cancelled_at,
        }
    for act in recording.acts:
        what = {"group_key": act.group_key, "actor": act.actor, "comment": act.comment}
        yield {"act": act.kind, "at": act.at, **what, "until": act.until, "user": act.user}


def _body(kept: Kept) -> dict[str, Any]:
    head = {"at": kept.at, "source": kept.source, "format": kept.format}
    try:
        return {**head, "body": kept.body.decode()}
    except UnicodeDecodeError:
        return {**head, "base64": base64.b64encode(kept.body).decode()}


def read(path: Path) -> Recording:
    """Read it whole. Raises OSError and `UnreadableJournalError`."""
    with path.open("rb") as raw:
        try:
            return _recording(gzip.GzipFile("", "rb", fileobj=raw))
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise UnreadableJournalError(f"it is not gzip, or cut short: {error}") from None
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise UnreadableJournalError(
                f"a line is not understood: {type(error).__name__}: {error}"
            ) from None


def _recording(file: gzip.GzipFile) -> Recording:
    head = orjson.loads(file.readline())
    if head["incidentd_journal"] != VERSION:
        raise UnreadableJournalError(f"its version is {head['incidentd_journal']}; this reads {VERSION}")
    bodies: list[Kept] = []
    acts: list[Act] = []
    overrides: list[Override] = []
    windows: list[MadeWindow] = []
    for line in file:
        value = orjson.loads(line)
        if "format" in value:
            bodies.append(_kept(value))
        elif "act" in value:
            acts.append(_act(value))
        elif "override" in value:
            times = _at(value["starts_at"]), _at(value["ends_at"])
            overrides.append(Override(value["override"], value["schedule"], value["user"], *times))
        else:
            windows.append(_window(value))
    period = _at(head["since"]), _at(head["until"])
    return Recording(*period, bodies, tuple(acts), tuple(overrides), tuple(windows))


def _kept(value: dict[str, Any]) -> Kept:
    if value["format"] not in PARSERS:
        raise ValueError(f"no format {value['format']!r}")
    body = base64.b64decode(value["base64"]) if "base64" in value else value["body"].encode()
    return Kept(_at(value["at"]), value["source"], value["format"], body)


def _act(value: dict[str, Any]) -> Act:
    until = None if value["until"] is None else _at(value["until"])
    said = value["actor"], value["comment"]
    return Act(_at(value["at"]), value["group_key"], value["act"], *said, until, value["user"])


def _window(value: dict[str, Any]) -> MadeWindow:
    starts, length = datetime.fromisoformat(value["starts"]), value["seconds"]
    plan = Plan(starts, timedelta(seconds=length), value["time_zone"], value["rrule"])
    window = Window(value["window"], tuple([parse_matcher(text) for text in value["matchers"]]), plan)
    cancelled = value["cancelled_at"]
    return MadeWindow(window, _at(value["made_at"]), None if cancelled is None else _at(cancelled))


def _at(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return at
