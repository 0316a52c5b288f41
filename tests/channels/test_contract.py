"""The examination that every channel takes: whatever is found in the package is examined."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from incidentd.channels.base import discover
from incidentd.domain.notification import Notice, Verdict
from incidentd.fields import SECRETS
from tests.channels.kits import CANARY, KITS, Kit
from tests.channels.support import HOSTILE, Resolver, hostile, message

KINDS = sorted(discover())


@pytest_asyncio.fixture(params=sorted(KITS))
async def kit(request: pytest.FixtureRequest) -> AsyncIterator[Kit]:
    async with KITS[request.param]() as ready:
        yield ready
        await ready.sender.close()
        await ready.unreachable.close()


def test_every_channel_that_is_found_has_a_fake_to_be_examined_with() -> None:
    assert {name.partition("/")[0] for name in KITS} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_is_a_valid_configuration_and_describes_the_channel(kind: str) -> None:
    channel = discover()[kind]
    channel.config_model.model_validate(channel.example, context={SECRETS: Resolver()})
    assert channel.example["kind"] == kind
    assert channel.description


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_setting_is_refused_without_repeating_its_value(kind: str) -> None:
    channel = discover()[kind]
    with pytest.raises(ValueError, match="surprise") as refused:
        channel.config_model.model_validate(
            {**channel.example, "surprise": CANARY}, context={SECRETS: Resolver()}
        )
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize("minimal", [False, True], ids=["full", "minimal"])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_texts_arrive_within_the_vendors_rules(kit: Kit, text: str, minimal: bool) -> None:
    outcome = await kit.sender.send(replace(hostile(text), minimal=minimal))
    assert outcome.verdict is Verdict.OK, outcome
    assert kit.violations() == []
    assert len(kit.arrived()) == 1


@pytest.mark.parametrize("notice", Notice)
async def test_every_notice_can_be_sent_full_and_minimal(kit: Kit, notice: Notice) -> None:
    for minimal in (False, True):
        outcome = await kit.sender.send(message(notice, minimal=minimal))
        assert outcome.verdict is Verdict.OK
    assert kit.violations() == []


async def test_a_repeat_carries_the_same_vendor_key(kit: Kit) -> None:
    await kit.sender.send(message())
    await kit.sender.send(message())
    first, second = kit.arrived()
    assert first == second


async def test_trouble_is_judged_and_the_next_message_arrives(kit: Kit) -> None:
    for verdict, provoke in kit.faults.items():
        provoke()
        assert (await kit.sender.send(message())).verdict is verdict
    assert (await kit.sender.send(message())).verdict is Verdict.OK


async def test_nobody_listening_means_to_try_again(kit: Kit) -> None:
    outcome = await kit.unreachable.send(message())
    assert outcome.verdict is Verdict.RETRY
    assert outcome.code


async def test_a_probe_succeeds_and_tells_nobody_of_an_incident(kit: Kit) -> None:
    assert (await kit.sender.probe()).verdict is Verdict.OK
    assert kit.violations() == []
    assert not any("12" in key for key in kit.arrived())


async def test_no_secret_shows_in_a_repr_an_outcome_or_the_log(
    kit: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, "mail.log")  # the fake relay's own
    shown = [repr(kit.sender), str(kit.sender), *kit.sender.targets]
    for provoke in kit.faults.values():
        provoke()
        shown.append(repr(await kit.sender.send(message())))
    shown += [
        repr(await kit.sender.send(message())),
        repr(await kit.unreachable.send(message())),
        repr(await kit.unreachable.probe()),
    ]
    shown += [caplog.text]
    assert CANARY not in "\n".join(shown)
