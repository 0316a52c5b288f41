"""A bundle proves itself, and whatever is done to it shows, with the name of the first entry that is broken."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from incidentd.audit.bundle import Format
from incidentd.audit.chain import GENESIS, Actor, Event, Opening, seal, timestamp
from incidentd.audit.checkpoint import sign
from incidentd.audit.judge import BrokenError, Fault, Verified
from incidentd.audit.keys import SigningKey
from incidentd.audit.rotation import ACTION, introduced
from tests.audit.sample import (
    ALICE,
    KEY,
    NOW,
    OTHER,
    Chain,
    judged,
    key_of,
    resealed,
    rotated,
    rotated_chain,
    signed_chain,
)

FORMS: tuple[Format, ...] = ("json", "csv")
ENTRY_4 = 6
"""The line of entry 4: after the bracket, the header and three entries."""


def fault(found: Verified | BrokenError) -> tuple[Fault, int | None]:
    assert isinstance(found, BrokenError)
    return found.fault, found.seq


@pytest.mark.parametrize("form", FORMS)
def test_a_bundle_as_it_was_written_is_whole(form: Format) -> None:
    found = judged(signed_chain().bundle(form))
    assert isinstance(found, Verified)
    assert (found.first, found.last, found.count, found.checkpoints, found.pinned) == (1, 12, 12, 2, True)


@pytest.mark.parametrize("form", FORMS)
def test_a_piece_of_the_chain_and_an_empty_one_are_whole(form: Format) -> None:
    chain = signed_chain()
    piece, empty = judged(chain.bundle(form, first=6)), judged(chain.bundle(form, first=13))
    assert isinstance(piece, Verified)
    assert isinstance(empty, Verified)
    assert (piece.first, piece.count, empty.first, empty.count) == (6, 7, 13, 0)


def test_a_json_bundle_is_json_and_a_csv_bundle_a_table() -> None:
    chain = signed_chain()
    records = json.loads(chain.bundle("json"))
    assert [next(iter(r)) for r in records][:3] == ["bundle", "entry", "entry"]
    rows = list(csv.DictReader(io.StringIO(chain.bundle("csv").decode(), newline="")))
    assert [json.loads(row["json"]) for row in rows][:-1] == records[:-1], "but for the hash of the file"
    assert (rows[1]["actor"], rows[1]["action"], rows[1]["seq"]) == ("alice", "incident.acknowledged", "1")


def test_a_name_that_is_a_formula_is_none_in_the_table() -> None:
    evil = Opening("00" * 16, '=HYPERLINK("http://evil")\n')
    event = Event(NOW, Actor("person", evil.value), "note", "", {})
    chain = Chain([seal(event, 1, "0" * 64, evil.reference, {})], {evil.reference: evil})
    assert b"\"'=HYPERLINK(" in chain.bundle("csv")
    assert isinstance(judged(chain.bundle("csv")), Verified)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("pinned", [True, False], ids=["key given", "no key given"])
def test_every_change_of_a_single_byte_is_found(form: Format, *, pinned: bool) -> None:
    bundle = Chain().add(3).bundle(form)
    keys = (KEY,) if pinned else ()
    missed = []
    for place in range(len(bundle)):
        for flip in (0x01, 0x20, 0x80):
            changed = bytearray(bundle)
            changed[place] ^= flip
            if not isinstance(judged(bytes(changed), *keys), BrokenError):
                missed.append((place, flip))
    assert missed == []


@pytest.mark.parametrize("form", FORMS)
def test_every_byte_that_is_added_or_taken_away_is_found(form: Format) -> None:
    bundle = Chain().add(3).bundle(form)
    shorter = [bundle[:i] + bundle[i + 1 :] for i in range(len(bundle))]
    longer = [bundle[:i] + b" " + bundle[i:] for i in range(len(bundle) + 1)]
    cut = [bundle[:i] for i in range(len(bundle))]
    assert [b for b in (*shorter, *longer, *cut) if b != bundle and isinstance(judged(b), Verified)] == []


@pytest.mark.parametrize("form", FORMS)
def test_a_changed_entry_is_named(form: Format) -> None:
    bundle = signed_chain().bundle(form)
    assert fault(judged(bundle.replace(b"incident:7", b"incident:8"))) == (Fault.ALTERED, 7)


def test_what_is_told_about_people_cannot_be_changed() -> None:
    assert fault(judged(signed_chain().bundle().replace(b'"alice"', b'"malory"', 1))) == (Fault.ALTERED, 1)


KINDS: dict[str, tuple[Any, tuple[Fault, int | None]]] = {
    "removed": (lambda lines: lines.pop(ENTRY_4 - 1), (Fault.MISSING, 4)),
    "removed at the start": (lambda lines: lines.pop(2), (Fault.MISSING, 1)),
    "inserted": (lambda lines: lines.insert(ENTRY_4, lines[ENTRY_4 - 1]), (Fault.REPEATED, 4)),
    "reordered": (
        lambda lines: lines.__setitem__(slice(5, 7), [lines[6], lines[5]]),
        (Fault.MISSING, 4),
    ),
    "renumbered": (
        lambda lines: lines.__setitem__(5, lines[5].replace(b'"seq":4', b'"seq":5')),
        (Fault.MISSING, 4),
    ),
    "cut": (lambda lines: lines.__delitem__(slice(10, None)), (Fault.TRUNCATED, 8)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_even_who_can_sign_cannot_take_an_entry_out_or_put_one_in(kind: str) -> None:
    edit, expected = KINDS[kind]
    assert fault(judged(resealed(signed_chain().bundle(), edit))) == expected


def test_a_file_that_ends_early_is_truncated() -> None:
    lines = signed_chain().bundle().splitlines(keepends=True)
    assert fault(judged(b"".join(lines[:8]))) == (Fault.TRUNCATED, 6)


def test_an_entry_that_follows_another_one_is_a_fork() -> None:
    mine, other = Chain().add(6), Chain().add(3, "others")
    other.entries += mine.entries[3:]
    assert fault(judged(other.bundle())) == (Fault.FORKED, 4)


def test_a_chain_that_was_rewritten_contradicts_its_signed_heads() -> None:
    true, forged = signed_chain(), Chain().add(12, "forged")
    forged.checkpoints = true.checkpoints
    assert fault(judged(forged.bundle())) == (Fault.FORKED, 5)


def test_a_chain_that_was_rewritten_contradicts_a_head_that_was_kept_elsewhere() -> None:
    head = signed_chain().sign()
    assert fault(judged(Chain().add(14, "forged").bundle(), heads=[head])) == (Fault.FORKED, 12)


def test_a_chain_whose_tail_was_cut_is_shorter_than_the_head_that_was_kept_elsewhere() -> None:
    head = signed_chain().sign()
    assert fault(judged(Chain().add(9).bundle(), heads=[head])) == (Fault.TRUNCATED, 10)
    span = Chain().add(9).bundle(until=NOW + timedelta(hours=1))
    assert fault(judged(span, heads=[head])) == (Fault.TRUNCATED, 10), "the head was signed in that span"


def test_a_bundle_that_ends_or_was_made_before_a_head_was_signed_is_whole_and_the_head_unused() -> None:
    chain = signed_chain()
    older = judged(Chain().add(9).bundle(until=NOW - timedelta(hours=1)), heads=[chain.sign()])
    last = chain.add().entries[-1]
    later = sign(KEY, last.seq, last.hash, NOW + timedelta(seconds=1))
    earlier = judged(signed_chain().bundle(), heads=[later])
    assert isinstance(older, Verified)
    assert isinstance(earlier, Verified)
    assert (older.unused, earlier.unused) == (1, 1)


def test_a_beginning_that_is_missing_is_found_unless_it_was_left_out_by_time() -> None:
    bundle = signed_chain().bundle(first=6)
    unasked = resealed(bundle, lambda body: body.__setitem__(1, body[1].replace(since(6), b"null")))
    assert fault(judged(unasked)) == (Fault.MISSING, 1)
    rooted = resealed(
        bundle, lambda body: body.__setitem__(1, re.sub(b'"prev":"[^"]*"', GENESIS_PREV, body[1]))
    )
    assert fault(judged(rooted)) == (Fault.MISSING, 1)


GENESIS_PREV = b'"prev":"' + GENESIS.encode() + b'"'


def since(first: int) -> bytes:
    """The header's `from` of a piece, as it is written."""
    return f'"{timestamp(NOW + timedelta(seconds=first))}"'.encode()


def test_heads_that_were_kept_elsewhere_and_agree_are_counted() -> None:
    chain = signed_chain()
    found = judged(chain.bundle(), heads=[*chain.checkpoints[5], *chain.checkpoints[12]])
    assert isinstance(found, Verified)
    assert found.heads == 2


def test_another_key_is_told() -> None:
    assert fault(judged(signed_chain().bundle(), OTHER)) == (Fault.WRONG_KEY, None)
    swapped = signed_chain()
    assert fault(judged(swapped.bundle(key=OTHER))) == (Fault.WRONG_KEY, None)


@pytest.mark.parametrize("form", FORMS)
def test_a_key_that_was_vouched_for_is_trusted_as_the_one_before(form: Format) -> None:
    for pinned in (KEY, OTHER):
        found = judged(rotated(rotated_chain(), form), pinned)
        assert isinstance(found, Verified)
        assert (found.key, found.unvouched) == (OTHER.public, ())
    again = rotated_chain().introduce(key_of(3), OTHER, OTHER)
    assert isinstance(judged(again.bundle(key=key_of(3), keys=[KEY.public, OTHER.public])), Verified)


def test_a_key_that_was_not_vouched_for_is_told_of_and_trusted_by_itself_alone() -> None:
    bundle = rotated(rotated_chain(by=None))
    found = judged(bundle, OTHER)
    assert isinstance(found, Verified)
    assert found.unvouched == (5,)
    assert fault(judged(bundle, KEY)) == (Fault.WRONG_KEY, None)


def test_nobody_but_the_key_before_vouches_for_a_key() -> None:
    data = introduced(OTHER, KEY.public.id, KEY)
    own, by = data["signatures"][OTHER.public.id], data["signatures"][KEY.public.id]  # type: ignore[call-overload,index]
    wrong: list[tuple[dict[str, Any], Fault]] = [
        ({"signatures": {OTHER.public.id: own, KEY.public.id: own}}, Fault.BAD_SIGNATURE),
        ({"signatures": {KEY.public.id: by}}, Fault.BAD_SIGNATURE),
        ({"signatures": {OTHER.public.id: own, "ab" * 32: by}}, Fault.BAD_SIGNATURE),
        ({"after": None}, Fault.BAD_SIGNATURE),
        ({"public": "00"}, Fault.BAD_SIGNATURE),
        ({"signatures": None}, Fault.MALFORMED),
        ({"signatures": {OTHER.public.id: "no"}}, Fault.MALFORMED),
    ]
    for change, expected in wrong:
        event = Event(
            NOW, Actor("machine", "incidentd"), ACTION, f"key:{OTHER.public.id}", {**data, **change}
        )
        chain = Chain().introduce(KEY, None).put(event)
        assert fault(judged(rotated(chain), OTHER)) == (expected, 2), change


def test_a_head_signed_by_a_key_that_is_not_listed_is_told() -> None:
    chain = Chain().add(3)
    chain.sign(OTHER)
    assert fault(judged(chain.bundle())) == (Fault.WRONG_KEY, 3)
    listed = judged(chain.bundle(keys=[OTHER.public]))
    assert isinstance(listed, Verified), "a key that was rotated is listed by who signs now"


def test_a_forged_signature_of_a_head_is_told() -> None:
    chain = signed_chain()
    head = chain.checkpoints[5][0]
    chain.checkpoints[5] = [replace(head, signature="00" * 64)]
    assert fault(judged(chain.bundle())) == (Fault.BAD_SIGNATURE, 5)


def test_what_was_erased_leaves_the_bundle_whole() -> None:
    chain = signed_chain()
    chain.openings.clear()
    bundle = chain.bundle()
    assert b"alice" not in bundle
    assert isinstance(judged(bundle), Verified)
    assert chain.bundle("csv").count(f"ref:{ALICE.reference}".encode()) == 6


def test_rsa_signs_too() -> None:
    key = SigningKey.new("rsa-pss")
    chain = Chain().add(2)
    chain.sign(key)
    found = judged(chain.bundle(key=key), key)
    assert isinstance(found, Verified)
    assert found.key.algorithm == "rsa-pss"


@pytest.mark.parametrize("text", [b"", b"[\n", b"hello\n", b'[\n{"bundle":1},\n', b"[]", b"\x00" * 50])
def test_what_is_no_bundle_is_refused_in_words(text: bytes) -> None:
    assert isinstance(judged(text), BrokenError)
