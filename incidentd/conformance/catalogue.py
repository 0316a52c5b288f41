"""All cases, in the order in which they are run."""

from __future__ import annotations

from incidentd.conformance import cases_answers, cases_content, cases_identity, cases_lifecycle
from incidentd.conformance.model import Case

CATALOGUE: tuple[Case, ...] = (
    *cases_identity.CASES,
    *cases_lifecycle.CASES,
    *cases_content.CASES,
    *cases_answers.CASES,
)
