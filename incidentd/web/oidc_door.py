"""OpenID Connect, code flow with PKCE: what is asked of the identity provider, and what of its answers is believed.

Nothing is kept here between leaving and coming back: state, nonce and verifier travel in a cookie of the browser that
left, so a code that somebody else's browser brings is worth nothing (RFC 9700, section 4.7).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import orjson

from incidentd.channels.base import HttpFailure
from incidentd.config.access import Oidc
from incidentd.web.context import Context

_KNOWN_SECONDS: Final = 3600.0
_KEYS_AGAIN_SECONDS: Final = 60.0
"""How often a key that is not known makes us ask for the keys again."""
_LEEWAY: Final = 60
"""Seconds by which the provider's clock may differ."""
_ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "Ed25519",
    "EdDSA",
)
"""Signatures with a public key: `none`, and secrets that both sides know, are not among them."""
_KINDS: Final = frozenset({"RSA", "EC", "OKP"})
_FORM: Final = "application/x-www-form-urlencoded"


class OidcError(Exception):
    """Nobody is let in by this. The text is for the log: it says what was wrong, and nothing that is secret."""


@dataclass(frozen=True, slots=True)
class Departure:
    """What the browser takes along, to be compared when it comes back."""

    state: str
    nonce: str
    verifier: str
    next: str

    def cookie(self) -> str:
        """As the value of a cookie."""
        fields = [self.state, self.nonce, self.verifier, self.next]
        return base64.urlsafe_b64encode(orjson.dumps(fields)).decode().rstrip("=")

    @classmethod
    def of(cls, cookie: str | None) -> Departure | None:
        """What a cookie holds; None if it is none of ours."""
        if not cookie or len(cookie) > 2000:
            return None
        try:
            fields = orjson.loads(base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4)))
        except ValueError:
            return None
        if not (isinstance(fields, list) and len(fields) == 4 and all([isinstance(f, str) for f in fields])):
            return None
        return cls(*fields)


class OidcDoor:
    """The way in over the configured provider."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._described: tuple[str, float, Mapping[str, Any]] | None = None
        self._keys: tuple[str, float, Any] | None = None

    async def depart(self, oidc: Oidc, next_: str) -> tuple[str, Departure]:
        """The address to send the browser to, and what it takes along. Raises `OidcError`."""
        provider = await self._provider(oidc)
        left = Departure(
            secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), next_
        )
        challenge = base64.urlsafe_b64encode(hashlib.sha256(left.verifier.encode()).digest()).decode()
        query = {
            "response_type": "code",
            "client_id": oidc.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": " ".join(oidc.scopes),
            "state": left.state,
            "nonce": left.nonce,
            "code_challenge": challenge.rstrip("="),
            "code_challenge_method": "S256",
        }
        there = self._endpoint(oidc, provider, "authorization_endpoint")
        return f"{there}{'&' if '?' in there else '?'}{urlencode(query)}", left

    @property
    def redirect_uri(self) -> str:
        """Where the provider sends browsers back to; registered there."""
        return f"{self._context.config.server.public_url}/login/callback"

    async def arrive(self, oidc: Oidc, code: str, left: Departure) -> Mapping[str, Any]:
        """The claims of the ID token that the provider gives for `code`. Raises `OidcError`."""
        provider = await self._provider(oidc)
        headers = {"Content-Type": _FORM, "Accept": "application/json"}
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": left.verifier,
        }
        if oidc.client_secret is None:
            form["client_id"] = oidc.client_id
        else:
            # Both percent-encoded first: RFC 6749, section 2.3.1.
            pair = f"{quote(oidc.client_id, safe='')}:{quote(oidc.client_secret.get_secret_value(), safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        there = self._endpoint(oidc, provider, "token_endpoint")
        answer = await self._ask("POST", there, headers, urlencode(form).encode())
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise OidcError("the provider gave no ID token")
        return await self._believed(oidc, provider, token, left.nonce)

    async def _believed(
        self, oidc: Oidc, provider: Mapping[str, Any], token: str, nonce: str
    ) -> Mapping[str, Any]:
        """The claims, once signature, issuer, audience, time and nonce are right."""
        from joserfc import jwt  # noqa: PLC0415 - of the extra `oidc`
        from joserfc.errors import JoseError  # noqa: PLC0415 - as above

        try:
            keys = await self._key_set(oidc, provider, again=False)
            try:
                read = jwt.decode(token, keys, algorithms=list(_ALGORITHMS))
            except (JoseError, ValueError):
                # Perhaps signed with a key that is newer than what we know.
                keys = await self._key_set(oidc, provider, again=True)
                read = jwt.decode(token, keys, algorithms=list(_ALGORITHMS))
            rules = jwt.JWTClaimsRegistry(
                now=int(self._context.clock.now().timestamp()),
                leeway=_LEEWAY,
                iss={"essential": True, "value": provider["issuer"]},
                aud={"essential": True, "value": oidc.client_id},
                exp={"essential": True},
                iat={"essential": True},
                sub={"essential": True},
                nonce={"essential": True, "value": nonce},
            )
            rules.validate(read.claims)
        except (JoseError, ValueError, TypeError) as error:
            raise OidcError(f"the ID token is not believed: {type(error).__name__}") from None
        claims = read.claims
        audience = claims["aud"]
        others = isinstance(audience, list) and len(audience) > 1
        if (others or "azp" in claims) and claims.get("azp") != oidc.client_id:
            raise OidcError("the ID token was made for somebody else")
        return claims

    async def _key_set(self, oidc: Oidc, provider: Mapping[str, Any], *, again: bool) -> Any:  # noqa: ANN401 - joserfc's
        from joserfc.jwk import KeySet  # noqa: PLC0415 - of the extra `oidc`

        there, now = self._endpoint(oidc, provider, "jwks_uri"), self._context.clock.monotonic()
        known = self._keys
        if known is not None and known[0] == there:
            age = now - known[1]
            if age < (_KEYS_AGAIN_SECONDS if again else _KNOWN_SECONDS):
                return known[2]
        answer = await self._ask("GET", there, {"Accept": "application/json"})
        listed = answer.get("keys")
        usable = [
            key
            for key in (listed if isinstance(listed, list) else [])
            if isinstance(key, dict) and key.get("kty") in _KINDS and key.get("use", "sig") == "sig"
        ]
        if not usable:
            raise OidcError("the provider has no keys that sign")
        keys = KeySet.import_key_set({"keys": usable})
        self._keys = (there, now, keys)
        return keys

    async def _provider(self, oidc: Oidc) -> Mapping[str, Any]:
        """How the provider describes itself."""
        known, now = self._described, self._context.clock.monotonic()
        if known is not None and known[0] == oidc.issuer and now - known[1] < _KNOWN_SECONDS:
            return known[2]
        found = await self._ask(
            "GET", f"{oidc.issuer}/.well-known/openid-configuration", {"Accept": "application/json"}
        )
        if str(found.get("issuer", "")).rstrip("/") != oidc.issuer:
            raise OidcError("the provider says to be another issuer than auth.oidc.issuer")
        self._described = (oidc.issuer, now, found)
        return found

    def _endpoint(self, oidc: Oidc, provider: Mapping[str, Any], name: str) -> str:
        address = provider.get(name)
        if not isinstance(address, str) or urlsplit(address).scheme != urlsplit(oidc.issuer).scheme:
            raise OidcError(f"the provider has no {name} that is as safe as its issuer")
        return address

    async def _ask(
        self, method: str, address: str, headers: Mapping[str, str], content: bytes = b""
    ) -> Mapping[str, Any]:
        try:
            answer = await self._context.http.request(method, address, headers, content)
        except HttpFailure as failure:
            raise OidcError(f"the provider cannot be asked: {failure.code}") from None
        if answer.status != 200:
            raise OidcError(f"the provider answered HTTP {answer.status}")
        try:
            found = orjson.loads(answer.body)
        except ValueError:
            raise OidcError("the provider did not answer with JSON") from None
        if not isinstance(found, dict):
            raise OidcError("the provider did not answer with a JSON object")
        return found
