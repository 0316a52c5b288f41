"""The words for what is refused for the sake of safety: in metrics, logs and the audit log alike."""

from __future__ import annotations

from enum import StrEnum


class SecurityEvent(StrEnum):
    """What was refused for the sake of safety."""

    AUTH_FAIL = "auth_fail"
    """No credentials, or none that are valid."""
    FORBIDDEN = "forbidden"
    """A valid token without the scope it needed, or somebody in chat who is no user."""
    SIG_FAIL = "sig_fail"
    """A vendor's call-back whose signature or time stamp is wrong, or an acknowledge link that is not ours."""
    REPLAY = "replay"
    """A vendor's call-back that came before."""
    CSRF = "csrf"
    """Without tokens: what a web page or a proxy could have sent for somebody else."""
    FRAMING = "framing"
    """No legal HTTP."""
    OVERSIZE = "oversize"
    SLOW = "slow"
    """A body that came too slowly."""
    RATE_LIMITED = "rate_limited"
    """A limit was reached."""
    SSRF_BLOCK = "ssrf_block"
    """A request of ours would have gone to an address where none may go."""
    TRAVERSAL = "traversal"
    """An address that tries to leave its folder. This one and those below are counted, and nothing is refused."""
    XSS = "xss"
    SQLI = "sqli"
    TEMPLATE = "template"
    COMMAND = "command"


EVENT_SEVERITY = {
    SecurityEvent.AUTH_FAIL: "warning",
    SecurityEvent.FORBIDDEN: "warning",
    SecurityEvent.SIG_FAIL: "warning",
    SecurityEvent.REPLAY: "warning",
    SecurityEvent.CSRF: "warning",
    SecurityEvent.FRAMING: "info",
    SecurityEvent.OVERSIZE: "info",
    SecurityEvent.SLOW: "info",
    SecurityEvent.RATE_LIMITED: "info",
    SecurityEvent.SSRF_BLOCK: "warning",
    SecurityEvent.TRAVERSAL: "info",
    SecurityEvent.XSS: "info",
    SecurityEvent.SQLI: "info",
    SecurityEvent.TEMPLATE: "info",
    SecurityEvent.COMMAND: "info",
}
"""How much each is worth to who reads the log."""


class Activity(StrEnum):
    """Requests that an honest client does not send."""

    FOREIGN_HOST = "foreign_host"
    """Without tokens: a Host that is not this machine, as a rebound name in a browser sends it."""
    FOREIGN_CLIENT = "foreign_client"
    CROSS_SITE = "cross_site"
    FORWARDED = "forwarded"
    """Without tokens: through a proxy."""
    FRAMING = "framing"
    SLOW_BODY = "slow_body"
    TRAVERSAL = "traversal"
    """An address that tries to leave its folder."""
    XSS = "xss"
    """One that carries a script."""
    SQLI = "sqli"
    """One that carries SQL."""
    TEMPLATE = "template"
    """One that carries the words of a template language."""
    COMMAND = "command"
    """One that carries a shell command."""


PROBES = (Activity.TRAVERSAL, Activity.XSS, Activity.SQLI, Activity.TEMPLATE, Activity.COMMAND)
"""What scanners put into addresses."""
EVENT_OF = {
    **{kind: SecurityEvent(kind.value) for kind in PROBES},
    Activity.FOREIGN_HOST: SecurityEvent.CSRF,
    Activity.FOREIGN_CLIENT: SecurityEvent.CSRF,
    Activity.CROSS_SITE: SecurityEvent.CSRF,
    Activity.FORWARDED: SecurityEvent.CSRF,
    Activity.FRAMING: SecurityEvent.FRAMING,
    Activity.SLOW_BODY: SecurityEvent.SLOW,
}
"""As what each counts."""
