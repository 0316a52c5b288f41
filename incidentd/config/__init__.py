"""CONFIGURATION: one frozen tree, read from a file at start and reload, or refused with every error at once.

Lives here: the tree and its sections, the loader, secrets, errors with their path and line, the reference.
May import: `channels` (each brings its own configuration), `domain`, `fields`.
Must not: print a secret, read anything but the file and the secrets it names, or change what is running.
"""

from incidentd.config.access import Auth, Role, Scope, Token
from incidentd.config.alerts import Grouping, SeverityMap, Source
from incidentd.config.database import Database, DatabaseUrl
from incidentd.config.escalation import Escalation, EscalationStep
from incidentd.config.heartbeats import Heartbeat
from incidentd.config.loader import LoadedConfig, load
from incidentd.config.people import Retention, Runbooks, User
from incidentd.config.problems import ConfigError, Problem
from incidentd.config.route import RootRoute, RouteNode
from incidentd.config.schedules import Schedule
from incidentd.config.schema import json_schema
from incidentd.config.secrets import secret_texts
from incidentd.config.server import Queue, Server
from incidentd.config.status_page import Component, Effect, StatusPage
from incidentd.config.telemetry import Sentry, Telemetry, Traces
from incidentd.config.tree import Config

__all__ = [
    "Auth",
    "Component",
    "Config",
    "ConfigError",
    "Database",
    "DatabaseUrl",
    "Effect",
    "Escalation",
    "EscalationStep",
    "Grouping",
    "Heartbeat",
    "LoadedConfig",
    "Problem",
    "Queue",
    "Retention",
    "Role",
    "RootRoute",
    "RouteNode",
    "Runbooks",
    "Schedule",
    "Scope",
    "Sentry",
    "Server",
    "SeverityMap",
    "Source",
    "StatusPage",
    "Telemetry",
    "Token",
    "Traces",
    "User",
    "json_schema",
    "load",
    "secret_texts",
]
