"""An identity provider that judges by the rules: OpenID Connect Core 1.0, code flow, PKCE with S256 (RFC 7636)."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import OKPKey, RSAKey

CLIENT, SECRET = "incidentd", "s3cret+with/odd:characters%"


@dataclass
class IdentityFake:
    """A provider on a free port of loopback: `async with IdentityFake(redirect_uri) as fake`."""

    redirect_uri: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    """Of whoever signs in next."""
    header: dict[str, Any] = field(default_factory=dict)
    """What the ID token's header says instead."""
    forge: str = ""
    """An ID token to give instead of a good one."""
    described: dict[str, Any] = field(default_factory=dict)
    """What the provider says of itself instead."""
    now: int = 0
    violations: list[str] = field(default_factory=list)
    url: str = ""
    keys_fetched: int = 0

    async def __aenter__(self) -> Self:
        """Start."""
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._describe)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        app.router.add_get("/keys", self._keys)
        self._codes: dict[str, dict[str, str]] = {}
        self.rotate()
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self._runner.cleanup()

    def rotate(self, kind: str = "RSA") -> None:
        """Sign with another key from now on, and forget the one before."""
        parameters: Any = {"kid": secrets.token_hex(4), "use": "sig"}
        made: RSAKey | OKPKey
        if kind == "RSA":
            made, self._algorithm = RSAKey.generate_key(2048, parameters), "RS256"
        else:
            made, self._algorithm = OKPKey.generate_key("Ed25519", parameters), "Ed25519"
        self._key = made

    async def _describe(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                **self.described,
            }
        )

    async def _keys(self, _: web.Request) -> web.Response:
        self.keys_fetched += 1
        encryption = {"kty": "RSA", "use": "enc", "kid": "other", "n": "AQAB", "e": "AQAB"}
        strange = {"kty": "PQ", "kid": "strange"}
        return web.json_response({"keys": [strange, encryption, self._key.as_dict(private=False)]})

    async def _authorize(self, request: web.Request) -> web.Response:
        """Whoever comes is signed in, and sent back with a code."""
        asked = {name: values[0] for name, values in parse_qs(request.query_string).items()}
        self._judge("response_type", asked.get("response_type") == "code")
        self._judge("client_id", asked.get("client_id") == CLIENT)
        self._judge("redirect_uri", asked.get("redirect_uri") == self.redirect_uri)
        self._judge("scope", "openid" in asked.get("scope", "").split())
        self._judge("state", len(asked.get("state", "")) >= 22)
        self._judge("nonce", len(asked.get("nonce", "")) >= 22)
        self._judge("challenge", len(asked.get("code_challenge", "")) == 43)
        self._judge("method", asked.get("code_challenge_method") == "S256")
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        back = urlencode({"code": code, "state": asked.get("state", ""), "iss": self.url})
        return web.Response(status=302, headers={"Location": f"{asked['redirect_uri']}?{back}"})

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: values[0] for name, values in parse_qs(await request.text()).items()}
        asked = self._codes.pop(form.get("code", ""), None)  # once
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        client, _, secret = base64.b64decode(given).decode().partition(":")
        self._judge(
            "client authentication",
            scheme == "Basic" and (unquote(client), unquote(secret)) == (CLIENT, SECRET),
        )
        self._judge("grant_type", form.get("grant_type") == "authorization_code")
        self._judge("redirect_uri again", form.get("redirect_uri") == self.redirect_uri)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if asked is None or challenge.decode().rstrip("=") != asked["code_challenge"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        token = self.forge or self.id_token({"nonce": asked["nonce"], **self.claims})
        return web.json_response({"access_token": "unused", "token_type": "Bearer", "id_token": token})

    def id_token(self, claims: Mapping[str, Any]) -> str:
        """A good one, but for what `claims` says otherwise."""
        whole = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": "u-1",
            "iat": self.now,
            "exp": self.now + 300,
            **claims,
        }
        header = {"alg": self._algorithm, "kid": self._key.kid, **self.header}
        return jwt.encode(
            header, {k: v for k, v in whole.items() if v is not None}, self._key, algorithms=[header["alg"]]
        )

    def unsigned(self, claims: Mapping[str, Any]) -> str:
        """The same with the algorithm `none`."""
        whole = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": "u-1",
            "iat": self.now,
            "exp": self.now + 300,
            **claims,
        }
        parts = [json.dumps(part).encode() for part in ({"alg": "none"}, whole)]
        return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), ""])

    def _judge(self, rule: str, kept: bool) -> None:
        if not kept:
            self.violations.append(rule)

    def host(self) -> str:
        """Where it listens."""
        return urlsplit(self.url).netloc
