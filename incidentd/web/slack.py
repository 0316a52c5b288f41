"""Slack's call-backs: signed, committed, answered within three seconds."""

from __future__ import annotations

from aiohttp import web

from incidentd.ingest.slack import SIGNATURE_HEADER, TIMESTAMP_HEADER, clicked, commanded, form, payload_of
from incidentd.ingest.types import NotAWebhookError
from incidentd.security_events import SecurityEvent
from incidentd.web.body import read_body
from incidentd.web.desk import ACTOR
from incidentd.web.op import Call
from incidentd.web.problems import Problem
from incidentd.web.slack_door import BODIES_AT_ONCE, MAX_BODY, Signed

_PLAIN = "text/plain; charset=utf-8"


async def interactions(call: Call) -> web.Response:
    """A click on a button. Slack shows nothing of this answer's body, so words go to the address it names."""
    signed = await _signed(call)
    try:
        ask = clicked(payload_of(form(signed.body)))
    except NotAWebhookError as error:
        raise Problem(400, error.detail) from None
    if ask is not None:
        door = call.desk.slack
        reply = await door.obey(ask, signed.config)
        call.request[ACTOR] = reply.actor
        door.whisper(ask, signed.config, reply)
    return web.Response(headers=call.desk.headers(call.request_id, _PLAIN))


async def commands(call: Call) -> web.Response:
    """A slash command, answered to whoever typed it alone."""
    signed = await _signed(call)
    try:
        ask = commanded(form(signed.body))
    except NotAWebhookError as error:
        raise Problem(400, error.detail) from None
    reply = await call.desk.slack.obey(ask, signed.config)
    call.request[ACTOR] = reply.actor
    return call.answer({"response_type": "ephemeral", "text": reply.text})


async def _signed(call: Call) -> Signed:
    """What Slack signed. Raises `Problem` 401 for anything else, without telling what was wrong with it."""
    door, headers = call.desk.slack, call.request.headers
    timestamp, signature = headers.get(TIMESTAMP_HEADER, ""), headers.get(SIGNATURE_HEADER, "")
    if not signature or not door.recent(timestamp):
        # Known without the body, so it is not read.
        door.refused(SecurityEvent.SIG_FAIL)
        raise _unsigned(call)
    with door.bodies.hold(BODIES_AT_ONCE) as held:
        body = await read_body(call.request, MAX_BODY, held)
        signed = door.admitted(timestamp, signature, body)
    if signed is None:
        raise _unsigned(call)
    return signed


def _unsigned(call: Call) -> Problem:
    expected = any(config.signing_secret is not None for config in call.desk.slack.configs())
    why = "forged, old or repeated" if expected else "no channel has a signing_secret"
    call.desk.seldom.warn("slack_request_refused", why=why)
    return Problem(401, "a valid signature is needed", headers={"WWW-Authenticate": "Signature"})
