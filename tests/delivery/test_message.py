"""From a claimed row to a message."""

from dataclasses import replace

from incidentd.delivery.message import Claimed, build
from tests.delivery.cast import NOW
from tests.delivery.test_settle import DELIVERY
from tests.store.samples import incident


def test_keys_are_made_of_the_installation_and_stored_numbers_so_a_repeat_carries_the_same() -> None:
    claimed = Claimed(DELIVERY, incident(3), (), None, NOW)
    first = build(claimed, instance="abcd", public_url="http://inc.example")
    retried = replace(DELIVERY, attempts=9, generation=12, minimal=True)
    again = build(replace(claimed, delivery=retried), instance="abcd", public_url="http://inc.example")
    assert (first.delivery_id, first.dedup_key) == ("abcd-7", "incidentd-abcd-3-1")
    assert (again.delivery_id, again.dedup_key) == (first.delivery_id, first.dedup_key)
    assert again.minimal


def test_the_vendor_key_is_that_of_the_rows_episode_not_of_the_incidents_newest() -> None:
    claimed = Claimed(DELIVERY, incident(3, episode=2), (), None, NOW)
    assert build(claimed, instance="abcd", public_url="http://inc.example").dedup_key == "incidentd-abcd-3-1"


def test_the_message_links_to_the_incident() -> None:
    claimed = Claimed(DELIVERY, incident(3), (), {"ts": "1"}, NOW)
    message = build(claimed, instance="abcd", public_url="http://inc.example/")
    assert message.incident.url == "http://inc.example/api/v1/incidents/3"
    assert message.incident.ref == "INC-3"
    assert message.reference == {"ts": "1"}


def test_the_message_links_to_the_silence_form_of_its_source_where_that_is_known() -> None:
    claimed = Claimed(DELIVERY, incident(labels={"alertname": "Down"}), (), None, NOW)
    known = {"main": "http://am.example.com:9093"}
    said = build(claimed, instance="i", public_url="http://x", alertmanagers=known).incident
    assert said.silence_url == "http://am.example.com:9093/#/silences/new?filter=%7Balertname%3D%22Down%22%7D"
    assert build(claimed, instance="i", public_url="http://x").incident.silence_url is None
