"""Group commit changes nothing: posts taken together come to the same as one after the other."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from incidentd.domain.alert import Alert
from incidentd.workflows.receive import Submission
from tests.workflows.world import World, fires, over, remembered

SEVERITIES = {"a": "warning", "b": "critical", "c": "info", "d": "warning"}
alerts = st.builds(
    lambda name, since, end: (
        fires(name, since, SEVERITIES[name], service="db" if name == "d" else "api")
        if end is None
        else over(name, since, since + end, SEVERITIES[name], service="db" if name == "d" else "api")
    ),
    st.sampled_from(sorted(SEVERITIES)),
    st.integers(0, 4),
    st.none() | st.integers(0, 2),
)
posts = st.builds(
    lambda body, truncated: Submission("main", "request", tuple(body), truncated=truncated),
    st.lists(alerts, max_size=5),
    st.sampled_from([0, 0, 2]),
)
batches = st.lists(st.lists(posts, min_size=1, max_size=5), min_size=1, max_size=3)


def live(world: World, story: list[list[Submission]], *, together: bool) -> list[object]:
    """Play a story, a batch every six minutes; what each post came to."""
    receipts: list[object] = []
    for batch in story:
        world.minute += 6
        if together:
            receipts += world.batch(*batch).receipts
        else:
            receipts += [world.batch(post).receipts[0] for post in batch]
    return receipts


def post(*body: Alert) -> Submission:
    return Submission("main", "request", body)


ONE_ENDS_WHILE_ANOTHER_OPENS = [
    [post(fires("a", 0, "warning"))],
    [post(over("a", 0, 0, "warning")), post(over("b", 0, 0, "critical"), fires("b", 0, "critical"))],
]
"""In one transaction the group's incident closes and its next one opens."""


@settings(max_examples=40, database=None)
@example(ONE_ENDS_WHILE_ANOTHER_OPENS)
@given(batches)
def test_posts_in_one_batch_come_to_the_same_as_one_after_the_other(story: list[list[Submission]]) -> None:
    with remembered() as together, remembered() as alone:
        assert live(together, story, together=True) == live(alone, story, together=False)
        assert together.everything() == alone.everything()


@settings(max_examples=30, database=None)
@given(st.lists(alerts, max_size=6, unique_by=lambda alert: alert.fingerprint))
def test_the_order_of_a_body_decides_nothing_but_the_order_of_numbers(body: list[Alert]) -> None:
    def outcome(alerts: list[Alert]) -> list[tuple[object, ...]]:
        with remembered() as world:
            world.post(fires("a", 0), fires("d", 0, service="db"))
            world.minute = 5
            world.post(*alerts)
            return sorted(
                (
                    i.group_key,
                    i.state,
                    i.severity,
                    i.alerts_firing,
                    i.alerts_total,
                    i.ended_at,
                    tuple(sorted(i.notify)),
                )
                for i in world.incidents().values()
            )

    assert outcome(body) == outcome(list(reversed(body)))
