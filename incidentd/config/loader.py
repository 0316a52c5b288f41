"""From a file to the frozen tree, or to everything that is wrong with it at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from incidentd.config.access_checks import unclear_access
from incidentd.config.callers import unclear_senders, unclear_users
from incidentd.config.checks import broken_references, warnings
from incidentd.config.document import Document, parse
from incidentd.config.explain import explain
from incidentd.config.heartbeats import ambiguous_heartbeats
from incidentd.config.on_call_checks import unknown_people
from incidentd.config.paging_checks import broken_targets, unfit_contacts
from incidentd.config.problems import ConfigError, Problem
from incidentd.config.secrets import SecretReader, secret_warnings
from incidentd.config.tree import Config
from incidentd.fields import SECRETS


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration that holds, and what deserves attention about it."""

    config: Config
    warnings: tuple[str, ...]
    """One line each, ``path.to.key: what``; never a secret."""
    path: Path


def load(path: Path, env: Mapping[str, str] | None = None) -> LoadedConfig:
    """Read and check the file at `path`; `env` (default: the process's) holds the variables of its secrets.

    Raises ConfigError with every problem at once. Blocks: it reads files.
    """
    document = read(path)
    reader = SecretReader(os.environ if env is None else env, path.parent)
    config, problems = _validated(document, reader)
    if config is None or problems:
        raise ConfigError(tuple(sorted(problems, key=lambda problem: problem.line or 0)), path)
    found = (*secret_warnings(config, document.raw, reader), *warnings(config))
    return LoadedConfig(config, found, path)


def read(path: Path) -> Document:
    """What the file says, unjudged and without its secrets. Raises ConfigError if it cannot be read as a mapping."""
    document = parse(_text(path))
    if not isinstance(document.raw, dict) or any(not problem.path for problem in document.problems):
        # Nothing below an unreadable file is worth a judgement.
        raise ConfigError(tuple(document.problems), path)
    return document


def _validated(document: Document, reader: SecretReader) -> tuple[Config | None, list[Problem]]:
    problems = [*document.problems, *broken_references(document), *broken_targets(document)]
    problems += unknown_people(document)
    try:
        config = Config.model_validate(document.raw, context={SECRETS: reader})
    except ValidationError as refused:
        # What could not be read has been told already; that a value is missing there only follows.
        told = {problem.path for problem in document.problems}
        return None, [*problems, *(each for each in explain(refused, document) if each.path not in told)]
    return config, [
        *problems,
        *unclear_access(config, document),
        *unclear_users(config, document),
        *unclear_senders(config, document),
        *unfit_contacts(config, document),
        *ambiguous_heartbeats(config, document),
    ]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as refused:
        what = f"cannot be read: {refused.strerror or 'unreadable'}"
        remedy = "name the file with --config or INCIDENTD_CONFIG"
        raise ConfigError((Problem("", f"{what}; {remedy}"),), path) from None
    except UnicodeDecodeError as refused:
        raise ConfigError((Problem("", f"is not UTF-8 text (byte {refused.start})"),), path) from None
