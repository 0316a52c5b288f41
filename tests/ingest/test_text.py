"""Caps: bounded, at whole characters, with a mark, and told by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.ingest import alertmanager
from incidentd.ingest.text import MARK, Caps, cut, limited, listed
from tests.ingest.bodies import NOW, alert, body


@given(st.text(alphabet="aé€🔥"), st.integers(20, 60))
def test_a_cut_never_exceeds_its_limit_nor_splits_a_character(text: str, limit: int) -> None:
    kept = cut(text, limit)
    assert len(kept.encode()) <= limit
    assert kept == text or (kept.endswith(MARK) and text.startswith(kept.removesuffix(MARK)))


def test_what_exceeds_the_total_is_left_out_and_named_but_a_summary_stays() -> None:
    notes = {f"a{number:02}": "x" * 15_000 for number in range(8)} | {"summary": "down", "tiny": "t"}
    (one,) = alertmanager.parse(body(alert(annotations=notes)), "main", NOW).alerts
    assert one.annotations.keys() == {"summary", "a00", "a01", "a02", "a03", "tiny"}
    assert one.cut == tuple(f"annotation a{number:02}" for number in range(4, 8))


def test_two_names_that_become_one_keep_the_first() -> None:
    assert limited([("a", "1"), ("a\0", "2")], Caps("label", 50, 50, 500)) == ({"a": "1"}, ["label a"])


def test_a_long_name_is_cut_and_the_label_kept() -> None:
    (one,) = alertmanager.parse(body(alert(labels={"n" * 2000: "v"})), "main", NOW).alerts
    ((name, value),) = one.labels.items()
    assert (len(name.encode()), value, one.cut) == (1024, "v", (f"label {name}",))


def test_three_hundred_labels_are_kept() -> None:
    labels = {f"label_{number}": "v" for number in range(300)}
    (one,) = alertmanager.parse(body(alert(labels=labels)), "main", NOW).alerts
    assert (one.labels, one.cut) == (labels, ())


@pytest.mark.parametrize("size", [4096, 4097, 20_000])
def test_the_address_of_the_rule_is_cut_at_four_kibibytes(size: int) -> None:
    (one,) = alertmanager.parse(body(alert(generatorURL="u" * size)), "main", NOW).alerts
    assert len(one.generator_url.encode()) == 4096
    assert one.cut == (() if size == 4096 else ("generatorURL",))


def test_a_list_of_cut_names_ends() -> None:
    names = [f"annotation {number}" for number in range(100)]
    assert listed(names[:64]) == tuple(names[:64])
    assert listed(names) == (*names[:64], "and 36 more")
