"""The table of operations. Routing, scope check, validation and the OpenAPI document all follow from it."""

from __future__ import annotations

from functools import partial
from typing import Final

from incidentd.config import Scope
from incidentd.web import (
    ack,
    actions,
    alerts,
    audit,
    automation,
    channels,
    deliveries,
    deployments,
    drills,
    events,
    explain,
    exposition,
    health,
    heartbeats,
    incidents,
    maintenance,
    on_call_ops,
    openapi,
    pagerduty,
    postmortem,
    report,
    runbooks,
    sign_in_ops,
    silences,
    slack,
    slo,
    status_ops,
)
from incidentd.web import answers as a
from incidentd.web import models as m
from incidentd.web import webhooks as hooks
from incidentd.web.op import LINK, PUBLIC, SIGNED, Op

_GET = ("GET",)
_POST = ("POST",)
_PAGE = ("GET", "HEAD")
_HOOK = ("POST", "PUT")
_hook = partial(
    Op, _HOOK, access=Scope.INGEST, returns=a.WebhookReceipt, webhook=True, refusals=(400, 413, 415)
)
_read = partial(Op, _GET, access=Scope.READ)
_respond = partial(
    Op, _POST, access=Scope.RESPOND, query=m.NoQuery, returns=a.Incident, refusals=(409, 413, 415, 422)
)
_public = partial(Op, _PAGE, access=PUBLIC)
_INCIDENT = "/api/v1/incidents/{id}"

OPS: Final[tuple[Op, ...]] = (
    _hook(
        path="/webhooks/alertmanager",
        also=("/webhooks/alertmanager/",),
        handler=hooks.post_alertmanager,
        summary="Alertmanager webhook, version 4; answered after the commit",
    ),
    _hook(
        path="/webhooks/grafana",
        also=("/webhooks/grafana/",),
        handler=hooks.post_grafana,
        summary="Grafana Alerting webhook, version 1; answered after the commit",
    ),
    Op(
        _POST,
        "/webhooks/pagerduty",
        pagerduty.receive,
        SIGNED,
        "PagerDuty webhook, version 3; answered after the commit",
        returns=a.VendorReceipt,
        status=202,
        refusals=(400, 413, 415),
    ),
    _read(
        path="/api/v1/incidents",
        handler=incidents.search,
        query=m.IncidentQuery,
        returns=a.IncidentPage,
        summary="Incidents, newest first",
    ),
    _respond(
        path="/api/v1/incidents",
        handler=incidents.declare,
        body=m.DeclareBody,
        status=201,
        summary="Open an incident by hand",
    ),
    _read(
        path=_INCIDENT,
        handler=incidents.detail,
        query=m.NoQuery,
        returns=a.IncidentDetail,
        refusals=(404,),
        summary="One incident with its alerts and deliveries",
    ),
    _read(
        path=f"{_INCIDENT}/timeline",
        handler=incidents.timeline_of,
        query=m.PageQuery,
        returns=a.EntryPage,
        refusals=(404,),
        summary="What happened in an incident, in order",
    ),
    *(
        _respond(path=f"{_INCIDENT}/{verb}", handler=handler, body=body, summary=summary)
        for verb, handler, body, summary in (
            ("acknowledge", incidents.acknowledge, m.CommentBody, "Take ownership: paging stops"),
            ("unacknowledge", incidents.unacknowledge, m.CommentBody, "Give it back: people are told again"),
            ("resolve", incidents.resolve, m.ResolveBody, "Declare it over; forced while alerts fire"),
            ("reopen", incidents.reopen, m.CommentBody, "It is not over"),
            (
                "snooze",
                incidents.snooze,
                m.SnoozeBody,
                "Leave it alone for a while; then people are told again",
            ),
            ("notes", incidents.note, m.NoteBody, "Write a line into its timeline"),
            ("escalate", incidents.escalate, m.NoBody, "Tell the next ones of its policy now"),
            ("assign", incidents.assign, m.AssignBody, "Ask somebody to work on it, and tell them"),
        )
    ),
    _read(
        path="/api/v1/alerts",
        handler=alerts.search,
        query=m.AlertQuery,
        returns=a.AlertPage,
        summary="Alerts as last received, newest first",
    ),
    _read(
        path="/api/v1/quarantine",
        handler=alerts.quarantined,
        query=m.PageQuery,
        returns=a.QuarantinePage,
        summary="Alerts that could not be understood, newest first",
    ),
    _read(
        path="/api/v1/deliveries",
        handler=deliveries.search,
        query=m.DeliveryQuery,
        returns=a.DeliveryPage,
        summary="Who was told what, newest first",
    ),
    _read(
        path="/api/v1/deliveries/{id}",
        handler=deliveries.detail,
        query=m.NoQuery,
        returns=a.Delivery,
        refusals=(404,),
        summary="One delivery",
    ),
    Op(
        _POST,
        "/api/v1/deliveries/{id}/retry",
        deliveries.retry,
        Scope.MANAGE,
        "Send a dead delivery again",
        query=m.NoQuery,
        body=m.NoBody,
        returns=a.Delivery,
        refusals=(404, 409, 413, 415, 422),
    ),
    _read(
        path="/api/v1/channels",
        handler=channels.listed,
        query=m.PageQuery,
        returns=channels.ChannelPage,
        summary="The configured channels and how they are doing, by name",
    ),
    Op(
        _POST,
        "/api/v1/deployments",
        deployments.post,
        Scope.INGEST,
        "A deployment, posted again when it has ended; answered after the commit",
        query=deployments.PostQuery,
        body=deployments.DeploymentBody,
        reads_body=False,
        returns=deployments.DeploymentAnswer,
        refusals=(409, 413, 415, 422),
    ),
    _read(
        path="/api/v1/deployments",
        handler=deployments.search,
        query=deployments.DeploymentQuery,
        returns=deployments.DeploymentPage,
        summary="Deployments, newest first",
    ),
    *actions.OPS,
    *audit.OPS,
    *explain.OPS,
    *drills.OPS,
    *heartbeats.OPS,
    *maintenance.OPS,
    *on_call_ops.OPS,
    *postmortem.OPS,
    *runbooks.OPS,
    *automation.OPS,
    *silences.OPS,
    *slo.OPS,
    _read(
        path="/api/v1/report",
        handler=report.report,
        query=m.ReportQuery,
        returns=report.Report,
        or_media=("text/csv", "text/markdown", "text/html"),
        summary="The figures of a window; `format` csv, md and html answer text of that kind",
    ),
    _read(
        path="/api/v1/events",
        handler=events.stream,
        query=m.EventQuery,
        media="text/event-stream",
        summary="Server-sent events, one per timeline entry; resumes from Last-Event-ID",
    ),
    Op(
        _POST,
        "/-/reload",
        deliveries.reload,
        Scope.ADMIN,
        "Read the configuration again",
        query=m.NoQuery,
        body=m.NoBody,
        returns=a.Reloaded,
        refusals=(413, 415, 422),
    ),
    *(
        Op(
            _POST,
            f"/webhooks/slack/{what}",
            handler,
            SIGNED,
            summary,
            media=media,
            accepts="application/x-www-form-urlencoded",
            refusals=(400, 413, 415),
        )
        for what, handler, media, summary in (
            (
                "interactions",
                slack.interactions,
                "text/plain",
                "Buttons of Slack messages; answered after the commit",
            ),
            ("commands", slack.commands, "application/json", "Slack's /incident; answered after the commit"),
        )
    ),
    Op(
        _PAGE,
        "/ack/{token}",
        ack.show,
        LINK,
        "The page behind an acknowledge link; changes nothing",
        media="text/html",
        limited=True,
        refusals=(410,),
    ),
    Op(
        _POST,
        "/ack/{token}",
        ack.act,
        LINK,
        "Acknowledge by link",
        media="text/html",
        limited=True,
        refusals=(410, 413, 415),
    ),
    _public(path="/ack.css", handler=ack.style, media="text/css", summary="Style of that page"),
    _public(path="/api/v1/openapi.json", handler=openapi.document, summary="This document"),
    _public(path="/health", handler=health.short, returns=health.Health, summary="Health in one word"),
    _public(path="/health/live", handler=health.live, returns=health.Health, summary="The process answers"),
    _public(path="/health/ready", handler=health.ready, returns=health.Health, summary="Alerts can be taken"),
    Op(
        _PAGE,
        "/health/detailed",
        health.detailed,
        Scope.READ,
        "Every check with its status and latency",
        returns=health.DetailedHealth,
    ),
    Op(
        _PAGE,
        "/metrics",
        exposition.metrics,
        Scope.READ,
        "Prometheus text or OpenMetrics",
        media="text/plain",
        or_media=("application/openmetrics-text",),
        open_if=lambda config: config.server.metrics_open,
    ),
    *status_ops.OPS,
    *sign_in_ops.OPS,
)
"""Every operation there is."""
