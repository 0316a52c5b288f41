"""Amazon's signature version 4 of a request, from its published rules. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"
_UNRESERVED = "-_.~"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs, and for what."""

    access_key: str
    secret_key: str = field(repr=False)
    region: str
    service: str = "s3"
    session_token: str = field(default="", repr=False)

    def headers(
        self, method: str, url: str, given: Mapping[str, str], content: bytes, now: datetime
    ) -> dict[str, str]:
        """`given` with what makes the request genuine at `now` (UTC). All of them are signed, and the host."""
        stamp, digest = now.strftime("%Y%m%dT%H%M%SZ"), hashlib.sha256(content).hexdigest()
        headers = {**given, "x-amz-date": stamp}
        if self.service == "s3":
            headers["x-amz-content-sha256"] = digest
        if self.session_token:
            headers["x-amz-security-token"] = self.session_token
        scope = f"{stamp[:8]}/{self.region}/{self.service}/aws4_request"
        asked, names = self._canonical(method, url, headers, digest)
        hashed = hashlib.sha256(asked.encode()).hexdigest()
        signature = self._signature(f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashed}", stamp[:8])
        said = f"Credential={self.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        return {**headers, "Authorization": f"{_ALGORITHM} {said}"}

    def _canonical(self, method: str, url: str, headers: Mapping[str, str], digest: str) -> tuple[str, str]:
        """The canonical request, and the names of the headers in it."""
        parts = urlsplit(url)
        signed = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
        signed["host"] = host_of(url)
        # Encoded once, as S3 wants it; other services encode a second time.
        path = parts.path or "/"
        pairs = [
            (quote(key, safe=_UNRESERVED), quote(value, safe=_UNRESERVED))
            for key, value in parse_qsl(parts.query, keep_blank_values=True)
        ]
        query = "&".join(f"{key}={value}" for key, value in sorted(pairs))
        names = ";".join(sorted(signed))
        lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
        return f"{method}\n{path}\n{query}\n{lines}\n{names}\n{digest}", names

    def _signature(self, text: str, day: str) -> str:
        key = f"AWS4{self.secret_key}".encode()
        for part in (day, self.region, self.service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, text.encode(), "sha256").hex()


def host_of(url: str) -> str:
    """The `Host` header that a client sends for `url`: without the port if it is the usual one."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in {None, _PORTS.get(parts.scheme)} else f"{host}:{parts.port}"
