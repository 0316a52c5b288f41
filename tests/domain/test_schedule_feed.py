"""Calendar feeds: each has a token of its own, and no other token is believed."""

from incidentd.domain.schedule import Duty, Schedule, Why
from incidentd.domain.schedule_feed import Feed, FeedKind, feed_of, feeds, token

SECRET = b"s" * 32
KNOWN = feeds(["primary", "bob"], ["alice", "bob"])


def test_every_feed_is_found_by_its_own_token_alone() -> None:
    tokens = [token(SECRET, feed) for feed in KNOWN]
    assert len(set(tokens)) == len(KNOWN) == 4
    assert [feed_of(SECRET, KNOWN, each) for each in tokens] == KNOWN
    assert {len(each) for each in tokens} == {43}


def test_no_other_token_is_believed() -> None:
    good = token(SECRET, KNOWN[0])
    for bad in ("", good[:-1], good + "=", good.swapcase(), "é" * 43, token(b"t" * 32, KNOWN[0])):
        assert feed_of(SECRET, KNOWN, bad) is None
    assert feed_of(SECRET, KNOWN[1:], good) is None


def test_a_feed_of_a_person_has_their_shifts_and_one_of_a_schedule_has_its_own() -> None:
    plan, other = Schedule("primary", "UTC", ()), Schedule("secondary", "UTC", ())
    shift = Duty(("alice", "bob"), Why.LAYER, "base", None, None)
    gap = Duty((), Why.NOBODY, "", None, None)
    person, schedule = Feed(FeedKind.PERSON, "bob"), Feed(FeedKind.SCHEDULE, "primary")
    assert person.has(plan, shift)
    assert person.has(other, shift)
    assert not person.has(plan, gap)
    assert schedule.has(plan, shift)
    assert not schedule.has(other, shift)
    assert not schedule.has(plan, gap)
