"""`auth`: who may come in, and what they may do there."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, Field, SecretStr

from incidentd.config.section import MatcherField, PositiveDuration, Section
from incidentd.fields import RESERVED_NAMES, BaseUrl, Secret, Slug

MIN_TOKEN: Final = 20
"""Characters: tokens are stored as plain hashes, which guard only what is too long to be guessed."""
_HEADER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")


class Scope(enum.StrEnum):
    """What a caller may do. Each includes nothing but itself; `admin` includes all."""

    INGEST = "ingest"
    READ = "read"
    RESPOND = "respond"
    MANAGE = "manage"
    ADMIN = "admin"


class Role(enum.StrEnum):
    """What a person is here."""

    VIEWER = "viewer"
    RESPONDER = "responder"
    MANAGER = "manager"
    ADMIN = "admin"


SCOPES_OF: Final[Mapping[Role, frozenset[Scope]]] = {
    Role.VIEWER: frozenset({Scope.READ}),
    Role.RESPONDER: frozenset({Scope.READ, Scope.RESPOND}),
    Role.MANAGER: frozenset({Scope.READ, Scope.RESPOND, Scope.MANAGE}),
    Role.ADMIN: frozenset({Scope.ADMIN}),
}
"""What each role may do."""


def _long(value: SecretStr) -> SecretStr:
    if len(value) < MIN_TOKEN:
        raise ValueError(f"is too short; accepted: at least {MIN_TOKEN} characters that nobody can guess")
    return value


LongSecret = Annotated[Secret, AfterValidator(_long)]
"""A secret that nobody can guess."""


def _unreserved(name: str) -> str:
    if name in RESERVED_NAMES:
        raise ValueError(
            f"is reserved for the daemon itself; accepted: any but {', '.join(sorted(RESERVED_NAMES))}"
        )
    return name


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name):
        raise ValueError("is no name of a header; accepted: one such as X-Client-Subject")
    return name


TokenName = Annotated[Slug, AfterValidator(_unreserved)]
"""A name that timeline and audit may show as the actor."""
HeaderName = Annotated[str, AfterValidator(_header)]
"""The name of an HTTP header."""


class Token(Section):
    """One API token of the configuration; others are made with `incidentd token create`."""

    name: TokenName
    """Who uses it: the actor in timeline and audit."""
    token: LongSecret
    """The token itself, at least 20 characters."""
    previous: LongSecret | None = None
    """The token before it, which works as well until every client has the new one."""
    scopes: frozenset[Scope] = Field(min_length=1)
    """What it may do: any of `ingest`, `read`, `respond`, `manage`, `admin`."""
    source: Slug | None = None
    """The source whose alerts it posts; without one, the first configured source."""
    expires: AwareDatetime | None = None
    """When it stops working, such as `2027-01-31T00:00:00Z`; without one, never."""
    teams: tuple[Slug, ...] = ()
    """Names under `auth.teams`: it sees and changes the incidents of these only. Empty: all."""


class Team(Section):
    """Whose incidents are whose."""

    matchers: tuple[MatcherField, ...] = Field(min_length=1)
    """Labels of the incidents that are theirs; all of them have to fit."""
    groups: tuple[str, ...] = ()
    """Groups of the identity provider whose members are in this team."""


class ClientCertificate(Section):
    """One client that shows a certificate to the proxy."""

    name: TokenName
    """Who it is: the actor in timeline and audit."""
    subject: str = Field(min_length=1)
    """What the header says of its certificate, letter by letter, such as `CN=alertmanager,O=Acme`."""
    scopes: frozenset[Scope] = Field(min_length=1)
    """What it may do."""
    source: Slug | None = None
    """The source whose alerts it posts; without one, the first configured source."""


class ClientCertificates(Section):
    """Clients known by the certificate that a trusted proxy has checked (mTLS)."""

    header: HeaderName = "X-Client-Subject"
    """In which header the proxy says whose certificate it was. It must replace what a client sends there itself."""
    verified_header: HeaderName | None = None
    """A header that must say `SUCCESS`, where the proxy passes the subject also of certificates that it did not accept
    (nginx: `$ssl_client_verify`)."""
    clients: tuple[ClientCertificate, ...] = ()
    """Whom to let in."""


class Sessions(Section):
    """How long people stay signed in."""

    idle: PositiveDuration = timedelta(hours=12)
    """Without any request."""
    longest: PositiveDuration = timedelta(days=7)
    """From signing in."""


class OidcRoles(Section):
    """Groups of the identity provider, by the role that their members have here. The highest one counts."""

    viewer: tuple[str, ...] = ()
    """May read."""
    responder: tuple[str, ...] = ()
    """May read, and work on incidents."""
    manager: tuple[str, ...] = ()
    """May put back deliveries too."""
    admin: tuple[str, ...] = ()
    """May do everything."""


class Oidc(Section):
    """Signing in at an identity provider (OpenID Connect, code flow with PKCE). Needs the extra `oidc`."""

    issuer: BaseUrl
    """The provider, as it names itself: `ISSUER/.well-known/openid-configuration` describes it."""
    client_id: str = Field(min_length=1)
    """What incidentd is called there. Its redirect address is `PUBLIC_URL/login/callback`."""
    client_secret: Secret | None = None
    """The secret that goes with it; without one, incidentd is a public client there, protected by PKCE alone."""
    label: str = Field(default="Single sign-on", min_length=1, max_length=60)
    """What the button on the sign-in page says."""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    """What is asked for; some providers want `groups` as well."""
    name_claim: str | None = None
    """Where the ID token names somebody, at a provider where people cannot change that themselves, such as
    `preferred_username`. Without it: the user here with their verified e-mail address, else that address, else
    `sub`."""
    groups_claim: str = "groups"
    """Where the ID token says in which groups somebody is."""
    roles: OidcRoles = OidcRoles()
    """Who is what."""
    default_role: Role | None = None
    """For who is in none of these groups; without one they are refused."""
    teams_only: bool = False
    """Viewers and responders see the incidents of their teams only (`auth.teams.NAME.groups`), or none."""


class Auth(Section):
    """Who may talk to the daemon."""

    tokens: tuple[Token, ...] = ()
    """API tokens. Without any, here or in the database, and without anybody who could sign in, the daemon serves
    loopback only."""
    teams: Mapping[Slug, Team] = {}
    """Teams that tokens and people can be restricted to, by name."""
    client_certificates: ClientCertificates = ClientCertificates()
    """Clients known by the certificate that a trusted proxy has checked (mTLS)."""
    sessions: Sessions = Sessions()
    """How long people stay signed in."""
    oidc: Oidc | None = None
    """Where people sign in, beside the accounts of `incidentd user`."""

    @property
    def guarded(self) -> bool:
        """True if somebody is named here who may come in: everybody else may not, then."""
        return bool(self.tokens or self.client_certificates.clients or self.oidc)
