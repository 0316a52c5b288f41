"""When each alert fires and when it does not: series of one value a minute, and whom it is about."""

from __future__ import annotations

from dataclasses import dataclass, field

SHOP = 'job="shop",service="shop",instance="shop-1"'
DISK = 'job="node",instance="n1",mountpoint="/",fstype="ext4"'
SELF = 'job="incidentd",instance="i1"'
PAGE = 'incidentd_deliveries_total{job="incidentd",channel="pager",class="page",outcome="%s"}'
ABOUT_SHOP = {"job": "shop", "service": "shop"}
ABOUT_DISK = {"job": "node", "service": "node", "instance": "n1", "mountpoint": "/", "fstype": "ext4"}
ABOUT_SELF = {"job": "incidentd", "service": "incidentd"}
PAGER = {**ABOUT_SELF, "channel": "pager"}
ONE = {**ABOUT_SELF, "instance": "i1"}


@dataclass(frozen=True)
class Case:
    """Whether `alert` fires `at` a minute, and with which labels besides its severity; none: it does not."""

    alert: str
    severity: str
    series: dict[str, str]
    at: int
    labels: dict[str, str] | None = field(default=None)


def shop_errors(bad: int) -> dict[str, str]:
    """A hundred requests a minute, `bad` of which fail."""
    asked = "http_requests_total{%s,status_code=%s}"
    return {
        asked % (SHOP, '"200"'): f"0+{100 - bad}x40",
        asked % (SHOP, '"503"'): f"0+{bad}x40",
    }


def shop_latency(slow: int) -> dict[str, str]:
    """A hundred requests a minute: `slow` of them between 1.5 and 4 s, the others below 0.1 s."""
    bucket = "http_request_duration_seconds_bucket{%s,le=%s}"
    counts = {'"0.1"': 100 - slow, '"1"': 100 - slow, '"1.5"': 100 - slow, '"4"': 100, '"+Inf"': 100}
    return {bucket % (SHOP, bound): f"0+{count}x40" for bound, count in counts.items()}


def disk(free: str) -> dict[str, str]:
    """A file system of 100 bytes with so many left, minute by minute."""
    return {
        f"node_filesystem_avail_bytes{{{DISK}}}": free,
        f"node_filesystem_size_bytes{{{DISK}}}": "100x400",
    }


def memory(free: int) -> dict[str, str]:
    """A machine of 100 bytes."""
    machine = '{job="node",instance="n1"}'
    return {
        f"node_memory_MemAvailable_bytes{machine}": f"{free}x40",
        f"node_memory_MemTotal_bytes{machine}": "100x40",
    }


def connections(number: str) -> dict[str, str]:
    """PostgreSQL with 100 connections at most."""
    return {
        f'pg_stat_activity_count{{{SHOP},state="active"}}': number,
        f"pg_settings_max_connections{{{SHOP}}}": "100x400",
    }


def deployed(status: str, counts: str) -> dict[str, str]:
    """How many deployments of production ended so."""
    return {f'deployment_frequency_total{{job="incidentd",environment="prod",status="{status}"}}': counts}


HOST = {"job": "node", "service": "node", "instance": "n1"}
DATABASE = {**ABOUT_SHOP, "instance": "shop-1"}
PROD = {"job": "incidentd", "service": "deployments", "environment": "prod"}
FAILED = {**PROD, "status": "failure"}

SERVICES = [
    Case("ServiceDown", "critical", {f"up{{{SHOP}}}": "1 0 0 0"}, 3, DATABASE),
    Case("ServiceDown", "critical", {'up{job="shop",instance="x"}': "0x5"}, 3, {**DATABASE, "instance": "x"}),
    Case("ServiceDown", "critical", {f"up{{{SHOP}}}": "1 0 1 0"}, 3),
    Case("ServiceDown", "critical", {f"up{{{SELF}}}": "0x9"}, 5),
    Case("DatabaseDown", "critical", {f"pg_up{{{SHOP}}}": "1 0 0 0"}, 3, DATABASE),
    Case("DatabaseDown", "critical", {f"pg_up{{{SHOP}}}": "1x9"}, 3),
    Case("HighErrorRate", "critical", shop_errors(10), 12, ABOUT_SHOP),
    Case("HighErrorRate", "critical", shop_errors(3), 30),
    Case("HighErrorRate", "warning", shop_errors(3), 20, ABOUT_SHOP),
    Case("HighErrorRate", "warning", shop_errors(0), 30),
    Case(
        "HighErrorRate",
        "critical",
        {f'http_requests_total{{{SHOP},status_code="500"}}': "0+1x40"},
        30,
    ),
    Case("HighLatency", "critical", shop_latency(20), 12, ABOUT_SHOP),
    Case("HighLatency", "critical", shop_latency(0), 30),
    Case("HighLatency", "warning", shop_latency(6), 20, ABOUT_SHOP),
    Case("HighLatency", "warning", shop_latency(4), 30),
    Case("DiskFull", "critical", disk("4x40"), 10, ABOUT_DISK),
    Case("DiskFull", "critical", disk("6x40"), 30),
    Case("DiskFull", "warning", disk("14x40"), 20, ABOUT_DISK),
    Case("DiskFull", "warning", disk("39-0.05x400"), 200, ABOUT_DISK),
    Case("DiskFull", "warning", disk("39x400"), 200),
    Case("MemoryExhausted", "critical", memory(4), 10, HOST),
    Case("MemoryExhausted", "critical", memory(6), 30),
    Case("MemoryExhausted", "warning", memory(9), 20, HOST),
    Case("MemoryExhausted", "warning", memory(11), 30),
    Case("ConnectionSpike", "critical", connections("95x10"), 5, DATABASE),
    Case("ConnectionSpike", "critical", connections("80x10"), 5),
    Case("ConnectionSpike", "warning", connections("10x60 50x20"), 68, DATABASE),
    Case("ConnectionSpike", "warning", connections("30x60 50x20"), 68),
    Case("ConnectionSpike", "warning", connections("4x60 15x20"), 68),
    Case("DeploymentFailed", "warning", deployed("failure", "0 0 1 1 1"), 4, FAILED),
    Case("DeploymentFailed", "warning", deployed("failure", "_x30 1x30"), 33, FAILED),
    Case("DeploymentFailed", "warning", deployed("failure", "1x60"), 40),
    Case("DeploymentFailed", "warning", deployed("success", "0 0 1 1 1"), 4),
    Case("NewDeployment", "info", deployed("success", "0 0 1 1 1"), 4, PROD),
    Case("NewDeployment", "info", deployed("success", "_x30 1x30"), 33, PROD),
    Case("NewDeployment", "info", deployed("failure", "0 0 1 1 1"), 4),
]

UP = 'incidentd_channel_up{job="incidentd",channel="pager"}'
WAITING = 'incidentd_delivery_oldest_pending_seconds{job="incidentd",class="%s"}'
POSTS = 'incidentd_webhook_requests_total{job="incidentd",source="main",code="%s"}'
RECONCILED = 'incidentd_reconcile_last_success_timestamp_seconds{job="incidentd",source="main"}'
COMMITTED = 'incidentd_ingest_seconds_bucket{job="incidentd",instance="i1",le="%s"}'
PROVEN = 'incidentd_last_proven_timestamp_seconds{job="incidentd",channel="pager"}'
RELOADS = f'incidentd_config_reloads_total{{{SELF},outcome="%s"}}'
POSTED = 'alertmanager_notifications_failed_total{job="am",instance="a1",integration="%s"}'
REFUSED = 'security_events_total{job="incidentd",event_type="%s"}'
QUARANTINED = 'incidentd_alerts_quarantined_total{job="incidentd",source="main",reason="bad"}'
IN_VAIN = 'incidentd_escalations_exhausted_total{job="incidentd",policy="primary"}'
CALENDAR = f'incidentd_calendar_up{{{SELF},calendar="leave"}}'
LEFT = f'incidentd_silences{{{SELF},source="main",state="%s"}}'
BEAT = 'incidentd_heartbeat_missing{job="incidentd",heartbeat="main"}'
SOURCE = {**ABOUT_SELF, "source": "main"}
VAIN = {**ABOUT_SELF, "policy": "primary"}
CODE = {**ABOUT_SELF, "code": "401"}
ODD = {**ABOUT_SELF, "activity_type": "framing"}
SUSPICIOUS = 'suspicious_activity_total{job="incidentd",activity_type="framing"}'
FILES = {f"process_max_fds{{{SELF}}}": "1000x40"}
RESIDENT = f"process_resident_memory_bytes{{{SELF}}}"

INCIDENTD = [
    Case("IncidentdDown", "critical", {f"up{{{SELF}}}": "1 0 0 0 0"}, 4, ONE),
    Case("IncidentdDown", "critical", {f"up{{{SELF}}}": "1 0 1 0 1"}, 4),
    Case("IncidentdDown", "critical", {'up{job="node"}': "1x9"}, 4, ABOUT_SELF),
    Case("IncidentdGaugesStale", "warning", {f"incidentd_metrics_database_up{{{SELF}}}": "0x9"}, 6, ONE),
    Case("IncidentdGaugesStale", "warning", {f"incidentd_metrics_database_up{{{SELF}}}": "0 1 0x9"}, 6),
    Case(
        "IncidentdNotReached",
        "critical",
        {POSTED % "webhook": "0+1x20"},
        10,
        {**ABOUT_SELF, "job": "am", "instance": "a1"},
    ),
    Case("IncidentdNotReached", "critical", {POSTED % "email": "0+1x20"}, 10),
    Case("IncidentdRefusing", "critical", {POSTS % "503": "0+1x20"}, 5, ABOUT_SELF),
    Case("IncidentdRefusing", "critical", {POSTS % "200": "0+1x20"}, 5),
    Case("IncidentdPagesWaiting", "critical", {WAITING % "page": "0 59 61x9"}, 7, ABOUT_SELF),
    Case("IncidentdPagesWaiting", "critical", {WAITING % "page": "60x9"}, 7),
    Case("IncidentdPagesWaiting", "critical", {WAITING % "state": "90x9"}, 7),
    Case("IncidentdPageMissed", "critical", {PAGE % "dead": "0 0 1 1 1 1"}, 5, PAGER),
    Case("IncidentdPageMissed", "critical", {PAGE % "missed": "0 0 1 1 1 1"}, 5, PAGER),
    Case("IncidentdPageMissed", "critical", {PAGE % "sent": "0 0 1 1 1 1"}, 5),
    Case("IncidentdChannelDown", "critical", {UP: "0x9"}, 7, PAGER),
    Case("IncidentdChannelDown", "critical", {UP: "0 0 1x7"}, 7),
    Case(
        "IncidentdEscalationStuck",
        "critical",
        {f"incidentd_escalation_stuck{{{SELF}}}": "2x9"},
        5,
        ABOUT_SELF,
    ),
    Case("IncidentdEscalationStuck", "critical", {f"incidentd_escalation_stuck{{{SELF}}}": "0x9"}, 5),
    Case("IncidentdPageFellBack", "warning", {PAGE % "fell_back": "0 0 1 1 1 1"}, 5, PAGER),
    Case("IncidentdPageFellBack", "warning", {PAGE % "sent": "0 0 1 1 1 1"}, 5),
    Case(
        "IncidentdDeadDeliveries", "warning", {f"incidentd_deliveries_dead{{{SELF}}}": "2x20"}, 20, ABOUT_SELF
    ),
    Case("IncidentdDeadDeliveries", "warning", {f"incidentd_deliveries_dead{{{SELF}}}": "0x20"}, 20),
    Case("IncidentdEscalationExhausted", "warning", {IN_VAIN: "0 0 1 1"}, 3, VAIN),
    Case("IncidentdEscalationExhausted", "warning", {IN_VAIN: "_x30 1x30"}, 33, VAIN),
    Case("IncidentdEscalationExhausted", "warning", {IN_VAIN: "1x60"}, 40),
    Case("IncidentdQuarantine", "warning", {QUARANTINED: "0 0 1 1"}, 3, SOURCE),
    Case("IncidentdQuarantine", "warning", {QUARANTINED: "_x90 1x30"}, 95, SOURCE),
    Case("IncidentdQuarantine", "warning", {QUARANTINED: "1x120"}, 110),
    Case("IncidentdRejecting", "warning", {POSTS % "401": "0+1x30"}, 10, CODE),
    Case("IncidentdRejecting", "warning", {POSTS % "401": "_x30 1x30"}, 38, CODE),
    Case("IncidentdRejecting", "warning", {POSTS % "200": "0+1x30"}, 10),
    Case("IncidentdNotReconciling", "warning", {RECONCILED: "0x20"}, 20, SOURCE),
    Case("IncidentdNotReconciling", "warning", {RECONCILED: "0+60x20"}, 20),
    Case(
        "IncidentdCalendarUnreadable",
        "warning",
        {CALENDAR: "0x800"},
        730,
        {**ABOUT_SELF, "calendar": "leave"},
    ),
    Case("IncidentdCalendarUnreadable", "warning", {CALENDAR: "0x400 1x400"}, 730),
    Case("IncidentdSilenceForgotten", "info", {LEFT % "forgotten": "1x60"}, 40, SOURCE),
    Case("IncidentdSilenceForgotten", "info", {LEFT % "active": "1x60"}, 40),
    Case("IncidentdHeartbeatMissing", "warning", {BEAT: "1x9"}, 7, {**ABOUT_SELF, "heartbeat": "main"}),
    Case("IncidentdHeartbeatMissing", "warning", {BEAT: "0x9"}, 7),
    Case("IncidentdReloadRefused", "warning", {RELOADS % "refused": "0 0 1 1"}, 3, ONE),
    Case("IncidentdReloadRefused", "warning", {RELOADS % "refused": "_x30 1x30"}, 33, ONE),
    Case("IncidentdReloadRefused", "warning", {RELOADS % "done": "0 0 1 1"}, 3),
    Case("IncidentdAuditBroken", "warning", {f"incidentd_audit_broken{{{SELF}}}": "0 0 1x9"}, 6, ONE),
    Case("IncidentdAuditBroken", "warning", {f"incidentd_audit_broken{{{SELF}}}": "0x9"}, 6),
    Case(
        "IncidentdSlowCommit",
        "warning",
        {COMMITTED % "1.0": "0+90x20", COMMITTED % "2.5": "0+100x20", COMMITTED % "+Inf": "0+100x20"},
        12,
        ABOUT_SELF,
    ),
    Case("IncidentdSlowCommit", "warning", {COMMITTED % "0.1": "0+9x20", COMMITTED % "+Inf": "0+9x20"}, 12),
    Case("IncidentdDescriptors", "warning", {**FILES, f"process_open_fds{{{SELF}}}": "900x20"}, 7, ONE),
    Case("IncidentdDescriptors", "warning", {**FILES, f"process_open_fds{{{SELF}}}": "700x20"}, 7),
    Case("IncidentdMemory", "warning", {RESIDENT: "900000000x20"}, 20, ONE),
    Case("IncidentdMemory", "warning", {RESIDENT: "200000000x20"}, 20),
    Case(
        "IncidentdRefusedCredentials",
        "warning",
        {REFUSED % "auth_fail": "0+9x20"},
        12,
        {**ABOUT_SELF, "event_type": "auth_fail"},
    ),
    Case("IncidentdRefusedCredentials", "warning", {REFUSED % "auth_fail": "0+1x20"}, 12),
    Case("IncidentdRefusedCredentials", "warning", {REFUSED % "oversize": "0+9x20"}, 12),
    Case("IncidentdChannelUnproven", "info", {PROVEN: "0x21700"}, 21600, PAGER),
    Case("IncidentdChannelUnproven", "info", {PROVEN: "0+60x21700"}, 21600),
    Case("IncidentdSuspiciousRequests", "info", {SUSPICIOUS: "0 0 1 1"}, 3, ODD),
    Case("IncidentdSuspiciousRequests", "info", {SUSPICIOUS: "1 1 1 1"}, 3),
    Case("Watchdog", "none", {}, 1, {"service": "prometheus"}),
]
CASES = [*SERVICES, *INCIDENTD]
