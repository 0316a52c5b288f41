"""The operations of on-call, for the table in `web.routes`."""

from __future__ import annotations

from functools import partial
from typing import Final

from incidentd.config import Scope
from incidentd.web import calendars, oncall
from incidentd.web.models import NoBody, NoQuery, PageQuery
from incidentd.web.op import LINK, Op

_SCHEDULE: Final = "/api/v1/schedules/{name}"
_read = partial(Op, ("GET",), access=Scope.READ)

OPS: Final[tuple[Op, ...]] = (
    _read(
        path="/api/v1/oncall",
        handler=oncall.now,
        query=oncall.OncallQuery,
        returns=oncall.DutyList,
        summary="Who is on duty in each schedule, until when, and why",
    ),
    _read(
        path="/api/v1/schedules",
        handler=oncall.listed,
        query=PageQuery,
        returns=oncall.ScheduleList,
        summary="The configured schedules",
    ),
    _read(
        path=_SCHEDULE,
        handler=oncall.calendar,
        query=oncall.CalendarQuery,
        returns=oncall.CalendarAnswer,
        refusals=(404,),
        summary="A schedule with the shifts and gaps of some weeks",
    ),
    *(
        _read(
            path=path,
            handler=oncall.overridden,
            query=PageQuery,
            returns=oncall.OverridePage,
            refusals=(404,),
            summary=summary,
        )
        for path, summary in (
            (f"{_SCHEDULE}/overrides", "The overrides of a schedule, newest first"),
            ("/api/v1/overrides", "The overrides of all schedules, newest first"),
        )
    ),
    Op(
        ("POST",),
        f"{_SCHEDULE}/overrides",
        oncall.override,
        Scope.RESPOND,
        "Put somebody on duty for a while, whatever the layers say",
        query=NoQuery,
        body=oncall.OverrideBody,
        returns=oncall.OverrideAnswer,
        status=201,
        refusals=(404, 413, 415, 422),
    ),
    *(
        Op(
            ("DELETE",),
            f"{path}/overrides/{{id}}",
            oncall.cancel,
            Scope.RESPOND,
            "Cancel an override; one that has begun ends now",
            query=NoQuery,
            body=NoBody,
            returns=oncall.OverrideAnswer,
            refusals=(404, 409, 413, 415, 422),
        )
        for path in (_SCHEDULE, "/api/v1")
    ),
    _read(
        path="/api/v1/calendars",
        handler=calendars.listed,
        query=PageQuery,
        returns=calendars.FeedList,
        summary="The secret addresses of the calendar feeds of schedules and people",
    ),
    Op(
        ("GET", "HEAD"),
        "/calendars/{token}.ics",
        calendars.feed,
        LINK,
        "A calendar feed; its address is the credential",
        media="text/calendar",
        refusals=(404, 501),
    ),
)
"""Who is on duty, schedules, overrides, calendar feeds."""
