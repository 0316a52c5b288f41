"""Where to read about a case: public issues and documents."""

from __future__ import annotations

_ALERTMANAGER = "https://github.com/prometheus/alertmanager"


def issue(number: int) -> str:
    """An issue of Alertmanager."""
    return f"{_ALERTMANAGER}/issues/{number}"


def pull(number: int) -> str:
    """A pull request of Alertmanager."""
    return f"{_ALERTMANAGER}/pull/{number}"


WEBHOOK = "https://prometheus.io/docs/alerting/latest/configuration/#webhook_config"
ROUTE = "https://prometheus.io/docs/alerting/latest/configuration/#route"
LABELS = "https://prometheus.io/docs/alerting/latest/configuration/#labels"
RETRIER = f"{_ALERTMANAGER}/blob/main/notify/util.go"
REDIRECTS = "https://pkg.go.dev/net/http#Client.Do"
PAIRS = "https://prometheus.io/docs/alerting/latest/high_availability/"
FINGERPRINT = "https://github.com/prometheus/common/blob/main/model/signature.go"
GO_JSON = "https://pkg.go.dev/encoding/json#HTMLEscape"
NUL = "https://www.postgresql.org/docs/current/datatype-character.html"
BIG_BODIES = "https://docs.aiohttp.org/en/stable/web_reference.html#aiohttp.web.Application"
PARALLEL = "https://github.com/grafana/mimir/issues/3286"
SAME_SUMMARY = "https://github.com/target/goalert/issues/4461"
GRAFANA = "https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/"
