"""Several pages of one daemon: each tells of its own components, and of no other by name."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.status_page.audience import keys, page_of, seen_by
from incidentd.domain.status_page.compose import compose
from incidentd.domain.status_page.facts import Affected, Facts, Publication, Update
from incidentd.domain.status_page.layout import MAIN, Layout, Part, Site
from incidentd.domain.status_page.page import Look, PublicPage
from incidentd.domain.status_page.words import Level, Phase, Policy, Stage, State, Status
from incidentd.public import documents
from tests.public.scenes import NOW, planned

INSIDE = frozenset({"internal"})
PARTS = (
    Part("api", "API"),
    Part("web", "Dashboard", pages=frozenset({MAIN})),
    Part("kafka", "Kafkaesque", pages=INSIDE),
    Part("db", "Ledgerstore", "Hidden depths", "Where the money is", pages=INSIDE),
)
SITE = Site("page-inside", "Acme inside", "https://status.example.com/pages/internal", Look(private=True))
LAYOUT = Layout("page", "Acme", "https://status.example.com", "Etc/UTC", PARTS, sites={"internal": SITE})
SECRET = ("kafkaesque", "ledgerstore", "hidden depths", "where the money is")


def seen(facts: Facts, key: str) -> PublicPage:
    own = page_of(LAYOUT, key)
    return compose(own, seen_by(LAYOUT, own, facts), NOW)


def told(effects: dict[str, Status], phase: Phase = Phase.INVESTIGATING, words: str = "") -> Facts:
    """One public incident, in the words of a template or of a person."""
    title = LAYOUT.text("title", effects, NOW, {})
    known = Publication(
        1, "inc1", State.PUBLISHED, title, phase, Policy.AUTO, NOW, NOW, NOW, effects=effects, published_at=NOW,
        impact=Level.MAJOR,
    )  # fmt: skip
    body = words or LAYOUT.text("investigating", effects, NOW, {})
    affected = tuple([Affected(key, Status.OPERATIONAL, status) for key, status in effects.items()])
    said = Update(
        "u1", "inc1", 1, phase.value, body, NOW, "incidentd", "" if words else "investigating", affected
    )
    return Facts(publications=(known,), updates={"inc1": (said,)})


def test_each_page_has_its_own_name_address_and_components() -> None:
    assert keys(LAYOUT) == (MAIN, "internal")
    main, inside = seen(Facts(), MAIN), seen(Facts(), "internal")
    assert [c.name for c in main.components] == ["API", "Dashboard"]
    assert [c.name for c in inside.components] == ["API", "Kafkaesque", "Hidden depths", "Ledgerstore"]
    assert (inside.id, inside.name, inside.url) == (SITE.id, SITE.name, SITE.url)
    assert (main.look.private, inside.look.private) == (False, True)


def test_an_incident_of_hidden_components_is_none_of_the_public_page() -> None:
    facts = told({"kafka": Status.MAJOR})
    assert seen(facts, MAIN).incidents == ()
    assert seen(facts, MAIN).description == "All Systems Operational"
    assert [i.name for i in seen(facts, "internal").incidents] == ["Kafkaesque: major outage"]


def test_one_of_both_is_told_without_the_hidden_ones() -> None:
    facts = told({"api": Status.DEGRADED, "kafka": Status.MAJOR})
    [incident] = seen(facts, MAIN).incidents
    assert incident.name == "API: degraded performance"
    assert incident.updates[0].body == "We are investigating a problem with API."
    assert incident.components == ("api",)
    assert [a.code for a in incident.updates[0].affected] == ["api"]
    [whole] = seen(facts, "internal").incidents
    assert whole.name == "API and Kafkaesque: major outage"


def test_a_persons_own_words_stay_as_they_are() -> None:
    facts = told({"api": Status.DEGRADED, "kafka": Status.MAJOR}, words="We are on it.")
    assert seen(facts, MAIN).incidents[0].updates[0].body == "We are on it."


def test_imported_history_stays_as_it_was_told() -> None:
    facts = told({"api": Status.DEGRADED, "kafka": Status.MAJOR}, words="It was slow.")
    imported = tuple([replace(said, origin="import") for said in facts.updates["inc1"]])
    facts = replace(facts, updates={"inc1": imported})
    assert seen(facts, MAIN).incidents[0].updates[0].body == "It was slow."


def test_one_without_components_is_on_every_page() -> None:
    for key in keys(LAYOUT):
        assert len(seen(told({}), key).incidents) == 1


def test_maintenance_is_on_the_pages_of_its_components() -> None:
    work, said = planned("mnt1", "Upgrade", timedelta(hours=1), Stage.SCHEDULED, "api", "kafka")
    hidden, about = planned("mnt2", "Kafkaesque upgrade", timedelta(hours=1), Stage.SCHEDULED, "kafka")
    facts = Facts(maintenances=(work, hidden), updates={"mnt1": said, "mnt2": about})
    [shown] = seen(facts, MAIN).maintenances
    assert (shown.id, shown.components) == ("mnt1", ("api",))
    assert len(seen(facts, "internal").maintenances) == 2


@given(
    st.dictionaries(st.sampled_from([p.id for p in PARTS]), st.sampled_from(Status)), st.sampled_from(Phase)
)
def test_no_byte_of_the_public_page_names_what_it_does_not_show(
    effects: dict[str, Status], phase: Phase
) -> None:
    facts = told(effects, phase)
    work, said = planned("mnt1", "Upgrade", timedelta(hours=1), Stage.SCHEDULED, "api", "db")
    both = replace(facts, maintenances=(work,), updates={**facts.updates, "mnt1": said})
    tree = documents.render(seen(both, MAIN))
    public = b"".join([path.encode() + tree[path].body for path in tree]).decode().lower()
    assert [word for word in SECRET if word in public] == []
