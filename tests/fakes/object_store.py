"""A fake object store: verifies signature version 4 by Amazon's published rules, with code of its own."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

from tests.fakes.http import Answer, HttpFake, Received

ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([a-z0-9-]+)/(\w+)/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)


def signature(received: Received, secret: str) -> tuple[str, str]:
    """The signature that a request should have, and the one it has."""
    found = _HEADER.fullmatch(received.headers["authorization"])
    assert found is not None, received.headers["authorization"]
    _, day, region, service, names, given = found.groups()
    parts = urlsplit(HttpFake.prefix + received.path)
    query = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in parse_qsl(parts.query, True))
    lines = [f"{name}:{received.headers[name].strip()}" for name in names.split(";")]
    digest = hashlib.sha256(received.body).hexdigest()
    canonical = "\n".join(
        [received.method, parts.path, "&".join(f"{k}={v}" for k, v in query), *lines, "", names, digest]
    )
    scope = f"{day}/{region}/{service}/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{received.headers['x-amz-date']}\n{scope}\n{hashed}"
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest(), given


class ObjectStoreFake(HttpFake):
    """`objects` holds what was put: key -> (headers, body)."""

    def __init__(self, bucket: str = "status-pages") -> None:
        super().__init__()
        self.bucket = bucket
        self.objects: dict[str, tuple[dict[str, str], bytes]] = {}
        self.puts: list[str] = []
        self.refuses = False
        """It takes nothing, as if the key had no right to."""

    async def answer(self, received: Received) -> Answer:
        if self.refuses:
            return Answer(403, b"<Error><Code>AccessDenied</Code></Error>")
        wanted, given = signature(received, SECRET)
        if wanted != given:
            self.violations.append("signature")
            return Answer(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        headers = received.headers
        if headers["x-amz-content-sha256"] != hashlib.sha256(received.body).hexdigest():
            self.violations.append("x-amz-content-sha256")
        datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        start = f"/{self.bucket}/"
        if received.method != "PUT" or not received.path.startswith(start):
            self.violations.append(f"{received.method} {received.path}")
        key = received.path.removeprefix(start)
        self.objects[key] = (dict(headers), received.body)
        self.puts.append(key)
        return Answer(200, b"", {"ETag": '"x"'})
