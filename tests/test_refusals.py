"""What was refused is noted one by one, a flood in counts; nothing is lost, and nothing grows with the flood."""

from __future__ import annotations

from collections import Counter

from incidentd.refusals import ASKING, SINGLES, SOURCES, Refusal, Refusals, Refused


def asked(refusals: Refusals, client: int, number: int = 1, kind: str = "auth_fail") -> None:
    """So many refused requests of one client."""
    token = ASKING.set(lambda: (f"203.0.113.{client}", f"request-{client}"))
    for _ in range(number):
        refusals.add(kind)
    ASKING.reset(token)


def total(*taken: Refused) -> Counter[str]:
    """How many of each kind there were."""
    found: Counter[str] = Counter()
    for each in taken:
        found.update(single.kind for single in each.singles)
        for who, number in each.counts.items():
            found[who.kind] += number
    return found


def test_a_few_stand_for_themselves_with_who_it_was() -> None:
    refusals = Refusals()
    asked(refusals, 7)
    refusals.add("ssrf_block")
    refusals.add("auth_fail", "alice")
    assert refusals.take(minute=False).singles == [
        Refusal("auth_fail", "203.0.113.7", "request-7"),
        Refusal("ssrf_block"),
        Refusal("auth_fail", name="alice"),
    ]
    assert refusals.take(minute=True) == Refused()


def test_what_is_too_much_for_a_minute_is_counted_by_who_it_was() -> None:
    refusals = Refusals()
    asked(refusals, 7, SINGLES + 5)
    asked(refusals, 8, 3)
    asked(refusals, 8, 1, "sig_fail")
    first = refusals.take(minute=False)
    assert (len(first.singles), first.counts) == (SINGLES + 1, {}), "counts come at the end of the minute"
    second = refusals.take(minute=True)
    assert second.counts == {Refusal("auth_fail", "203.0.113.7"): 5, Refusal("auth_fail", "203.0.113.8"): 3}
    asked(refusals, 7)
    assert len(refusals.take(minute=False).singles) == 1, "another minute"


def test_a_flood_from_everywhere_takes_no_more_room_and_none_is_lost() -> None:
    refusals, taken = Refusals(), []
    for number in range(20_000):
        asked(refusals, number, kind=f"kind-{number % 3}")
        if number % 5000 == 0:
            taken.append(refusals.take(minute=False))
    taken.append(refusals.take(minute=True))
    assert sum(total(*taken).values()) == 20_000
    assert max(len(each.singles) for each in taken) <= 3 * SINGLES
    assert max(len(each.counts) for each in taken) <= SOURCES + 3


def test_what_could_not_be_written_comes_with_the_next_and_is_bounded_too() -> None:
    refusals = Refusals()
    for minute in range(100):
        asked(refusals, minute % 200, SINGLES + 2)
        refusals.give_back(refusals.take(minute=True))
    found = refusals.take(minute=True)
    assert total(found) == {"auth_fail": 100 * (SINGLES + 2)}
    assert (len(found.singles), len(found.counts) <= SOURCES + 1) == (500, True)
