"""What messages say of a runbook: the next steps in Slack, all of them in a mail, the facts in a webhook."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes, policy

import orjson
import pytest

from incidentd.channels.email import EmailConfig
from incidentd.channels.email import render as mailed
from incidentd.channels.slack import SlackConfig
from incidentd.channels.slack import render as posted
from incidentd.channels.webhook import MAX_BODY, WebhookConfig
from incidentd.channels.webhook import render as hooked
from incidentd.channels.words import all_steps, links, more_steps, next_steps, runbook_title
from incidentd.domain.notification import Message, OfferView, RunbookView, StepView
from tests.channels.support import HOSTILE, hostile, incident, message
from tests.fakes.slack_rules import judge_post
from tests.fakes.smtp import judge_mail

SLACK = SlackConfig.model_validate({"kind": "slack", "token": "xoxb-1", "channel": "C012345"})
MAIL = EmailConfig.model_validate(
    {
        "kind": "email",
        "smtp": {"host": "smtp.example.com"},
        "from": "a@example.com",
        "to": ["bob@example.com"],
    }
)
HOOK = WebhookConfig.model_validate({"kind": "webhook", "url": "https://hooks.example.com/x"})
STATES = ("done", "skipped", "pending", "failed", "running", "pending")
URL = "https://incidents.example.com/api/v1/incidents/12/runbook"


def book(
    title: str = "The API is down", text: str = "Do {n}", states: tuple[str, ...] = STATES
) -> RunbookView:
    steps = [StepView(n, text.replace("{n}", str(n)), state) for n, state in enumerate(states, start=1)]
    over = sum(state in {"done", "skipped"} for state in states)
    return RunbookView("down", title, "ab12", URL, tuple(steps), over)


def told(runbook: RunbookView | None = None, **changes: object) -> Message:
    return message(incident=incident(runbook=runbook or book(), **changes))


def slack(said: Message) -> str:
    request = posted(SLACK, said)
    assert list(judge_post(orjson.loads(request.content))) == []
    return request.content.decode()


def mail(said: Message) -> tuple[str, str]:
    raw = mailed(MAIL, said, "x.example").as_bytes()
    assert judge_mail(raw) == []
    parsed = message_from_bytes(raw, policy=policy.default)
    text, html = parsed.get_body(("plain",)), parsed.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content().replace("\r\n", "\n"), html.get_content()


def test_slack_shows_the_next_three_steps_and_a_link_to_all() -> None:
    shown = slack(told())
    block = (
        "*Runbook: The API is down (2 of 6 done)*\\n3. Do 3\\n4. Do 4 _failed_\\n5. Do 5 _running_\\n"
        f"<{URL}|All steps>"
    )
    assert block in shown
    assert "Do 1" not in shown
    assert "Do 6" not in shown


def test_slack_has_a_button_for_the_next_step_that_a_machine_may_take() -> None:
    chat = SlackConfig.model_validate({**SLACK.model_dump(exclude_unset=True), "signing_secret": "s" * 32})
    offered = replace(book(), offer=OfferView(3, f"Restart {HOSTILE}" * 20))
    body = orjson.loads(posted(chat, told(offered)).content)
    assert list(judge_post(body)) == []
    blocks = body["blocks"]
    [actions] = [block for block in blocks if block["type"] == "actions"]
    [button] = [each for each in actions["elements"] if each["action_id"] == "incidentd_run_step"]
    assert (button["text"]["text"], button["value"]) == ("Run step 3", "12/3")
    assert len(button["confirm"]["text"]["text"]) <= 300
    asked = replace(book(), offer=OfferView(3, "Restart", "bob"))
    assert "Agree to step 3" in posted(chat, told(asked)).content.decode()
    assert "incidentd_run_step" not in posted(chat, told()).content.decode()


def test_a_mail_shows_every_step_with_its_state() -> None:
    text, html = mail(told())
    assert (
        "\nRunbook: The API is down (2 of 6 done):\n[x] 1. Do 1\n[-] 2. Do 2 (skipped)\n[ ] 3. Do 3\n"
        "[!] 4. Do 4 (failed)\n[~] 5. Do 5 (running)\n[ ] 6. Do 6\n"
    ) in text
    assert f"Steps: {URL}\n" in text
    for part in ("Runbook: The API is down (2 of 6 done)</h2>", "[x] 1. Do 1</p>", f'href="{URL}"'):
        assert part in html
    long = mail(told(book(states=("pending",) * 40)))
    assert all("+10 more steps" in form for form in long)


def test_a_webhook_carries_the_facts_and_the_steps() -> None:
    data = orjson.loads(hooked(HOOK, told()).content)["data"]
    assert data["incident"]["runbook"] == {
        "url": "https://runbooks.example.com/checkout",
        "name": "down",
        "hash": "ab12",
        "steps_done": 2,
        "steps_total": 6,
    }
    assert data["runbook_steps"][3] == {"number": 4, "text": "Do 4", "state": "failed"}
    without = told(runbook_url=None)
    assert orjson.loads(hooked(HOOK, without).content)["data"]["incident"]["runbook"]["url"] is None
    bare = orjson.loads(hooked(HOOK, message()).content)["data"]
    assert "runbook_steps" not in bare
    assert bare["incident"]["runbook"]["name"] is None


def test_a_long_runbook_keeps_the_body_short_enough() -> None:
    said = told(book(text="\U0001f525" * 500, states=("pending",) * 50))
    request = hooked(HOOK, said)
    assert len(request.content) <= MAX_BODY
    assert len(orjson.loads(request.content)["data"]["runbook_steps"]) == 10
    assert "runbook_steps" not in orjson.loads(hooked(HOOK, replace(said, minimal=True)).content)["data"]


@pytest.mark.parametrize(
    "said",
    [
        message(),
        told(state="resolved", resolved_by="source", resolved_at=message().at),
        replace(told(), bundle=(incident(id=13),)),
    ],
    ids=["none", "over", "storm"],
)
def test_there_is_nothing_to_do_without_one_or_when_it_is_over_or_in_a_storm(said: Message) -> None:
    assert (runbook_title(said), all_steps(said, 9), next_steps(said, 9), more_steps(said, 0)) == (
        "",
        (),
        (),
        "",
    )
    assert "Do 3" not in slack(said)
    assert "Do 3" not in mail(said)[0]


def test_both_runbooks_are_linked() -> None:
    named = {link.text: link.href for link in links(told())}
    assert (named["Runbook"], named["Steps"]) == ("https://runbooks.example.com/checkout", URL)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_whatever_a_runbook_says_the_vendors_take_it(text: str) -> None:
    said = told(book(title=text, text=text or " "))
    assert "<!channel>" not in slack(said)
    assert "<script" not in mail(said)[1]
    hooked(HOOK, said)
    everything = replace(
        hostile(text), incident=replace(hostile(text).incident, runbook=said.incident.runbook)
    )
    slack(everything)
    mail(everything)
    assert len(hooked(HOOK, everything).content) <= MAX_BODY
