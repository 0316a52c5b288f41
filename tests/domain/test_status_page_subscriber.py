"""Who wants to hear of what, for how long a question stands, and links that nobody can make up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.status_page.subscriber import (
    ASK_AGAIN,
    MOST_ASKS,
    MOST_FAILURES,
    Kind,
    Links,
    Standing,
    Subscriber,
    SubscribeRefusedError,
    chosen,
)

NOW = datetime(2026, 11, 20, tzinfo=UTC)
KNOWN = ("api", "blog", "mail")
LINKS = Links(b"k" * 32, "https://status.example")
CODES = st.from_regex(r"\A[0-9a-f]{12}\Z")


def bob(**more: object) -> Subscriber:
    values: dict[str, object] = {
        "id": 1, "code": "0123456789ab", "kind": Kind.EMAIL, "address": "bob@example.org", "contact": "bob@example.org",
        "standing": Standing.PENDING, "components": None, "created_at": NOW, "asked_at": NOW,
    }  # fmt: skip
    return Subscriber(**{**values, **more})  # type: ignore[arg-type]


def test_whoever_chose_nothing_hears_everything_and_what_concerns_none_is_for_all() -> None:
    assert bob().wants(["api"])
    some = bob(components=("blog",))
    assert [some.wants(each) for each in ([], ["blog", "api"], ["api"])] == [True, True, False]


def test_leaving_one_component_leaves_the_others_and_the_last_one_ends_it() -> None:
    left = bob().without("api", KNOWN)
    assert left is not None
    assert left.components == ("blog", "mail")
    last = bob(components=("blog",)).without("blog", KNOWN)
    assert last is None
    # What is left is not on the page any more.
    assert bob(components=("blog", "gone")).without("blog", KNOWN) is None


def test_a_question_is_repeated_seldom_and_not_for_who_is_told_already() -> None:
    later = NOW + ASK_AGAIN
    assert bob().asked_again(later - timedelta(seconds=1), None) is None
    again = bob().asked_again(later, ("api",))
    assert again is not None
    assert (again.asks, again.components) == (2, ("api",))
    assert bob(asks=MOST_ASKS).asked_again(later, None) is None
    assert bob(standing=Standing.ACTIVE).asked_again(later, None) is None


def test_a_stranger_who_asks_for_an_address_alters_nothing_that_its_owner_confirmed() -> None:
    confirmed = bob(asks=MOST_ASKS, components=("blog",)).confirmed(NOW)
    again = confirmed.failed(for_good=True).asked_again(NOW + ASK_AGAIN, ("api",))
    assert again is not None
    # Questions are counted anew once one was answered.
    assert (again.asks, again.components) == (1, ("blog",))


def test_an_address_that_takes_nothing_is_told_nothing_more_until_it_is_confirmed() -> None:
    known = bob(standing=Standing.ACTIVE)
    assert known.failed(for_good=True).standing is Standing.QUARANTINED
    for _ in range(MOST_FAILURES - 1):
        known = known.failed(for_good=False)
    assert known.standing is Standing.ACTIVE
    assert known.reached().failures == 0
    over = known.failed(for_good=False)
    assert over.standing is Standing.QUARANTINED
    assert over.confirmed(NOW).standing is Standing.ACTIVE


def test_a_choice_has_the_order_of_the_page_and_only_what_is_on_it() -> None:
    assert (chosen(["mail", "api"], KNOWN), chosen([], KNOWN)) == (("api", "mail"), None)
    with pytest.raises(SubscribeRefusedError):
        chosen(["api", "nothing"], KNOWN)


@given(CODES, CODES)
def test_a_link_names_one_subscription_and_nobody_can_make_one_up(code: str, other: str) -> None:
    token = LINKS.token(code)
    assert LINKS.read(token) == code
    assert Links(b"x" * 32, LINKS.url).read(token) is None
    if other != code:
        assert LINKS.read(other + token[12:]) is None
        assert LINKS.signing(code) != LINKS.signing(other)


@given(st.text(max_size=60))
def test_no_other_text_is_a_link(text: str) -> None:
    assert LINKS.read(text) is None


def test_addresses_and_keys_are_not_printed() -> None:
    assert "bob@example.org" not in repr(bob())
    assert "kkk" not in repr(LINKS)


def test_links_lead_to_where_the_public_reaches_the_daemon() -> None:
    code = "0123456789ab"
    assert LINKS.manage(code).startswith("https://status.example/subscriptions/0123456789ab")
    assert LINKS.unsubscribe(code) == f"{LINKS.manage(code)}/unsubscribe"
