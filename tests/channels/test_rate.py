"""A channel's rate: the vendor's, unless the operator knows better."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from incidentd.channels.base import Rate, RateConfig, discover
from incidentd.delivery.traits import traits_of
from incidentd.fields import SECRETS
from tests.channels.support import Resolver


def _rate(kind: str, **changes: Any) -> Rate | None:
    channel = discover()[kind]
    config = channel.config_model.model_validate(
        {**channel.example, **changes}, context={SECRETS: Resolver()}
    )
    return traits_of(config).rate


@pytest.mark.parametrize("kind", discover())
def test_the_operators_rate_takes_the_place_of_the_vendors(kind: str) -> None:
    assert _rate(kind) == discover()[kind].rate
    assert _rate(kind, rate={"per_second": 0.1, "burst": 4}) == Rate(0.1, 4)
    assert _rate(kind, rate={"per_second": 50}) == Rate(50, 1)


@pytest.mark.parametrize(
    "rate",
    [
        {},
        {"burst": 3},
        {"per_second": 0},
        {"per_second": -1},
        {"per_second": float("inf")},
        {"per_second": float("nan")},
        {"per_second": 1, "burst": 0},
        {"per_second": 1, "burst": 1.5},
        {"per_second": 1, "per_minute": 60},
    ],
    ids=repr,
)
def test_a_rate_that_sends_nothing_or_has_no_end_is_refused(rate: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RateConfig.model_validate(rate)
