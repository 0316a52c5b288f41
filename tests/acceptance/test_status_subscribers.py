"""Subscribers of the status page: asked twice, told once, gone with one click; mails and posts through real sockets."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from tests.acceptance.publicly import Public, link, one_click, public, text
from tests.fakes.http import Answer
from tests.fakes.status_hook import StatusHook

BOB, CAROL = "bob@example.org", "carol@example.org"
DOWN = {"API": "major_outage"}


async def test_who_confirms_is_told_of_their_components_and_leaves_with_one_click(
    tmp_path: Path, database_url: str
) -> None:
    async with public(tmp_path, database_url) as here:
        await here.subscribed(BOB)
        await here.subscribed(CAROL, "blog")
        code = await here.open("API is down", DOWN, body="We are on it.")
        await here.leave()
        assert here.subjects(BOB)[1:] == ["[Acme] Investigating: API is down"]
        assert here.subjects(CAROL)[1:] == []
        mail = here.mails(BOB)[-1]
        assert "We are on it." in text(mail)
        assert "Core - API: Major outage" in text(mail)
        assert f"https://status.example.com/incidents/{code}" in text(mail)
        assert (await here.ask("GET", one_click(mail))).status == 200
        body = {"List-Unsubscribe": "One-Click"}
        answer = await here.ask("POST", one_click(mail), data=body)
        assert (answer.status, "You are unsubscribed" in answer.text) == (200, True)
        await here.say(code, "resolve")
        await here.leave()
        assert len(here.mails(BOB)) == 2
        assert (await here.ask("POST", one_click(mail), data=body)).status == 200
        assert (await here.world.client.get("/api/v1/status/subscribers"))["items"][0]["address"] == CAROL


async def test_nothing_but_the_question_is_sent_before_somebody_confirms(tmp_path: Path) -> None:
    async with public(tmp_path) as here:
        await here.form("/subscribe", ("email", BOB))
        await here.open("API is down", DOWN)
        await here.leave()
        assert here.subjects(BOB) == ["Confirm your subscription to Acme"]
        path = link(here.mails(BOB)[0])
        shown = await here.ask("GET", path)
        assert (shown.status, "<button" in shown.text, "<script" in shown.text) == (200, True, False)
        await here.leave()
        assert (await here.world.client.get("/api/v1/status/subscribers"))["items"][0][
            "standing"
        ] == "pending"
        await here.leave(timedelta(days=2, minutes=1))
        await here.world.daemon.clockwork.chores.housekeep()
        assert (await here.form(path, ("confirm", "yes"))).status == 404


async def test_one_component_can_be_left_from_the_mail_about_it(tmp_path: Path) -> None:
    async with public(tmp_path) as here:
        await here.subscribed(BOB)
        await here.open("API is down", DOWN)
        await here.leave()
        path = link(here.mails(BOB)[-1], "component=api")
        asked = await here.ask("GET", path)
        assert "No more about Core - API?" in asked.text
        answer = await here.form(path.partition("?")[0], ("leave", "yes"), ("component", "api"))
        assert "You hear no more about Core - API" in answer.text
        await here.open("API is down again", DOWN)
        await here.open("Blog is down", {"Blog": "major_outage"})
        await here.leave()
        assert here.subjects(BOB)[2:] == ["[Acme] Investigating: Blog is down"]


async def test_a_webhook_is_confirmed_by_mail_signed_and_in_statuspages_envelope(tmp_path: Path) -> None:
    async with public(tmp_path) as here, StatusHook() as hook:
        path = await here.subscribed(CAROL, endpoint=f"{hook.url}/in?token=secret")
        shown = await here.ask("GET", path)
        hook.secret = shown.text.partition("<pre>")[2].partition("</pre>")[0]
        code = await here.open("API is down", DOWN, body="<b>We</b> are on it.")
        await here.leave()
        await here.say(code, "update", status="identified", components={"API": "degraded_performance"})
        await here.leave()
        await here.leave()
        assert hook.violations == []
        incidents = [told["incident"] for told in hook.told if "incident" in told]
        assert [incident["status"] for incident in incidents] == ["investigating", "identified"]
        assert incidents[0]["incident_updates"][0]["body"] == "&lt;b&gt;We&lt;/b&gt; are on it."
        changes = [told["component_update"] for told in hook.told if "component_update" in told]
        assert [(c["old_status"], c["new_status"]) for c in changes] == [
            ("operational", "major_outage"),
            ("major_outage", "degraded_performance"),
        ]
        assert hook.told[0]["meta"]["unsubscribe"].endswith(path)
        assert here.subjects(CAROL) == ["Confirm your subscription to Acme"]


async def test_what_a_webhook_does_not_take_comes_again_with_the_same_id_until_it_does(
    tmp_path: Path,
) -> None:
    async with public(tmp_path) as here, StatusHook() as hook:
        await here.subscribed(CAROL, endpoint=hook.url)
        hook.script([Answer(503), Answer(drop=True)])
        await here.open("API is down", DOWN)
        for _ in range(8):
            await here.leave(timedelta(minutes=5))
        first = [r.headers["webhook-id"] for r in hook.requests[:3]]
        assert len(set(first)) == 1
        assert hook.told[0]["incident"]["name"] == "API is down"


async def test_addresses_that_never_answer_hold_up_nobody_else(tmp_path: Path) -> None:
    async with public(tmp_path) as here, StatusHook() as hook, StatusHook() as dead:
        dead.script([Answer(hang=True)] * 8)
        for number in range(3):
            await here.world.client.act("status/subscribers", endpoint=f"{dead.url}/{number}")
        await here.world.client.act("status/subscribers", endpoint=hook.url)
        for number, name in enumerate(("API is down", "Blog is down"), start=1):
            await here.open(name, {name.split()[0]: "major_outage"})
            here.world.clock.set(here.world.clock.now() + timedelta(seconds=1))
            async with asyncio.timeout(5):  # half of what a call may take
                await here.world.daemon.clockwork.telling.spread()
                await here.world.daemon.clockwork.telling.post()
                await hook.wait_for(number)
        assert [told["incident"]["name"] for told in hook.told] == ["API is down", "Blog is down"]
        assert len(dead.requests) == 3


async def test_a_mailbox_that_does_not_exist_gets_no_more(tmp_path: Path) -> None:
    async with public(tmp_path) as here:
        await here.subscribed(BOB)
        here.world.vendors.mail.script(f"RCPT:{BOB}", "550 5.1.1 no such user")
        await here.open("API is down", DOWN)
        await here.leave()
        (known,) = (await here.world.client.get("/api/v1/status/subscribers"))["items"]
        assert (known["standing"], known["failures"]) == ("quarantined", 1)
        await here.open("Blog is down", {"Blog": "major_outage"})
        await here.leave()
        assert len(here.mails(BOB)) == 1


async def test_what_waited_for_a_mailbox_that_failed_is_not_sent_any_more(tmp_path: Path) -> None:
    async with public(tmp_path) as here:
        await here.subscribed(BOB)
        here.world.vendors.mail.script(f"RCPT:{BOB}", "550 5.1.1 no such user")
        await here.open("API is down", DOWN)
        await here.open("Blog is down", {"Blog": "major_outage"})
        await here.leave()
        await here.leave()
        (known,) = (await here.world.client.get("/api/v1/status/subscribers"))["items"]
        assert (known["standing"], known["failures"]) == ("quarantined", 1)
        assert len(here.mails(BOB)) == 1


async def test_the_answer_does_not_tell_who_reads_here_and_one_address_is_asked_seldom(
    tmp_path: Path,
) -> None:
    async with public(tmp_path) as here:
        await here.subscribed(BOB)
        known, unknown = [await here.form("/subscribe", ("email", who)) for who in (BOB, CAROL)]
        assert (known.status, known.text) == (unknown.status, unknown.text)
        for _ in range(3):
            await here.form("/subscribe", ("email", CAROL))
            await here.leave()
        assert (len(here.mails(BOB)), len(here.mails(CAROL))) == (1, 1)


async def test_a_flood_of_requests_is_told_to_come_later(tmp_path: Path) -> None:
    limited = {"email": "mail", "asks_per_minute": 2}
    async with public(tmp_path, subscribers=limited) as here:
        codes = [(await here.form("/subscribe", ("email", f"u{n}@example.org"))).status for n in range(3)]
        assert codes == [200, 200, 503]
        await here.leave(timedelta(minutes=2))
        assert (await here.form("/subscribe", ("email", "u9@example.org"))).status == 200


async def test_mails_wait_for_the_rate_and_survive_a_restart(tmp_path: Path) -> None:
    async with public(tmp_path, subscribers={"email": "mail", "mails_per_minute": 20}) as here:
        for number in range(3):
            await here.subscribed(f"u{number}@example.org")
            await here.leave(timedelta(minutes=1))
        before = len(here.world.vendors.mail.mails)
        await here.open("API is down", DOWN)
        await here.leave()
        assert len(here.world.vendors.mail.mails) - before == 2
        await here.world.restart()
        await here.leave(timedelta(minutes=1))
        await here.leave(timedelta(minutes=1))
        told = [mail.to[0] for mail in here.world.vendors.mail.mails[before:]]
        assert sorted(told) == ["u0@example.org", "u1@example.org", "u2@example.org"]


async def bad(here: Public, *fields: tuple[str, str]) -> int:
    return (await here.form("/subscribe", *fields)).status


async def test_bad_input_is_refused_in_words(tmp_path: Path) -> None:
    async with public(tmp_path, subscribers={"email": "mail"}) as here:
        assert await bad(here, ("email", "nobody")) == 422
        assert await bad(here, ("email", "a@b.example\r\nBcc: x@y.example")) == 422
        assert await bad(here, ("email", BOB), ("component", "nothing")) == 422
        for inside in (
            "http://127.0.0.1/x",
            "http://[::1]/",
            "https://localhost/",
            "ftp://x.example",
            "http://10.1.2.3",
        ):
            assert await bad(here, ("email", BOB), ("endpoint", inside)) == 422, inside
        assert await bad(here, ("email", BOB), ("website", "spam")) == 200
        answer = await here.ask("POST", "/api/v2/subscribers.json", json={"subscriber": {"email": "x"}})
        assert answer.status == 422
        answer = await here.ask("POST", "/api/v2/subscribers.json", json={"subscriber": {"email": BOB}})
        assert (answer.status, answer.json["subscriber"]["confirmed"]) == (201, False)
        for path in ("/subscriptions/nothing", "/subscriptions/" + "a" * 200, "/subscriptions/x/unsubscribe"):
            assert (await here.ask("GET", path)).status == 404
            assert (await here.form(path, ("confirm", "yes"), ("leave", "yes"))).status == 404
        assert (await here.world.client.get("/api/v1/status/subscribers"))["items"][0]["address"] == BOB


async def test_without_a_mail_channel_nobody_can_subscribe_and_operators_add_webhooks(tmp_path: Path) -> None:
    async with public(tmp_path, subscribers={"private_addresses": True}) as here, StatusHook() as hook:
        assert (await here.ask("GET", "/subscribe")).status == 404
        assert (await here.form("/subscribe", ("email", BOB))).status == 404
        made = await here.world.client.act("status/subscribers", endpoint=hook.url, components=["API"])
        hook.secret = made["secret"]
        await here.open("Blog is down", {"Blog": "major_outage"})
        await here.open("API is down", DOWN)
        await here.leave()
        names = [told["incident"]["name"] for told in hook.told if "incident" in told]
        assert (names, hook.violations) == (["API is down"], [])


async def test_mails_speak_the_page_s_language(tmp_path: Path) -> None:
    async with public(tmp_path, language="de", time_zone="Europe/Berlin") as here:
        await here.subscribed(BOB)
        await here.open("API gestört", DOWN)
        await here.leave()
        first, second = here.mails(BOB)
        assert first.content["Subject"] == "Bestätigen Sie Ihr Abonnement von Acme"
        assert second.content["Subject"] == "[Acme] Wird untersucht: API gestört"
        assert "Abbestellen: https://status.example.com/subscriptions/" in text(second)
        assert 'lang="de"' in second.content.get_body(("html",)).get_content()  # type: ignore[union-attr]
