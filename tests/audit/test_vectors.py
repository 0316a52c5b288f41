"""The format stays as it is written down: vectors that never change, and a second verifier that always agrees."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from incidentd.audit.bundle import Format
from incidentd.audit.chain import canonical
from incidentd.audit.judge import BrokenError, Verified
from incidentd.audit.keys import SigningKey
from tests.audit.sample import KEY, OTHER, Chain, judged, resealed, rotated, rotated_chain, signed_chain
from tests.audit.second_verifier import check

DATA = Path(__file__).parent.parent / "data" / "audit"
VECTORS: dict[str, Any] = json.loads((DATA / "vectors.json").read_text(encoding="utf-8"))
FORMS: tuple[Format, ...] = ("json", "csv")


def agrees(bundle: bytes, key: SigningKey = KEY) -> bool:
    """What both verifiers say of a bundle."""
    ours = isinstance(judged(bundle, key), Verified)
    try:
        check(bundle, key.public.id)
    except Exception:  # noqa: BLE001 - however it fails, it refuses
        theirs = False
    else:
        theirs = True
    assert ours is theirs
    return ours


@pytest.mark.parametrize("name", sorted(VECTORS["bundles"]))
def test_each_vector_is_judged_as_it_always_was(name: str) -> None:
    expected = VECTORS["bundles"][name]
    found = judged((DATA / name).read_bytes())
    if expected["fault"] is None:
        assert isinstance(found, Verified), found
        assert (found.first, found.last, found.head) == (
            expected["first"],
            expected["last"],
            expected["head"],
        )
    else:
        assert isinstance(found, BrokenError)
        assert (found.fault, found.seq) == (expected["fault"], expected["seq"])


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_today_is_byte_for_byte_the_vector(form: Format) -> None:
    assert signed_chain().bundle(form) == (DATA / f"whole.{form}").read_bytes()


def test_a_rotation_written_today_is_byte_for_byte_the_vector() -> None:
    assert rotated(rotated_chain()) == (DATA / "rotated.json").read_bytes()


def test_the_second_verifier_needs_nothing_of_ours() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests/audit'); import second_verifier as v; "
        "print(v.check(open('tests/data/audit/whole.json', 'rb').read(), sys.argv[1]), "
        "'incidentd' in sys.modules)"
    )
    argv = [sys.executable, "-c", code, KEY.public.id]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=DATA.parents[2], timeout=30)
    assert done.stdout.split() == ["12", "False"]


@pytest.mark.parametrize("form", FORMS)
def test_both_verifiers_accept_whole_bundles_pieces_and_what_was_erased(form: Format) -> None:
    chain = signed_chain()
    assert agrees(chain.bundle(form))
    assert agrees(chain.bundle(form, first=6))
    assert agrees(chain.bundle(form, first=13))
    chain.openings.clear()
    assert agrees(chain.bundle(form))
    for by, trusted, good in ((KEY, KEY, True), (KEY, OTHER, True), (None, OTHER, True), (None, KEY, False)):
        assert agrees(rotated(rotated_chain(by), form), trusted) is good
    rsa = SigningKey.new("rsa-pss")
    assert agrees(Chain().add(2).bundle(form, key=rsa), rsa)


@pytest.mark.parametrize("form", FORMS)
def test_both_verifiers_find_a_thousand_random_changes(form: Format) -> None:
    bundle, draw = signed_chain().bundle(form), random.Random(1)
    for _ in range(500):
        changed = bytearray(bundle)
        changed[draw.randrange(len(bundle))] ^= 1 << draw.randrange(8)
        assert not agrees(bytes(changed))


# X6: the ways to tamper, done by somebody who also has the key and signs the file anew.
def _edit(draw: random.Random, body: list[bytes]) -> None:
    place = draw.randrange(2, len(body))
    body[place] = body[place].replace(b"incident", b"accident", 1).replace(b'"ts":"2026', b'"ts":"2025', 1)


def _renumber(draw: random.Random, body: list[bytes]) -> None:
    place = draw.randrange(2, len(body))
    body[place] = body[place].replace(b'"seq":', b'"seq":7', 1)


def _swap(draw: random.Random, body: list[bytes]) -> None:
    one, other = draw.sample(range(2, len(body)), 2)
    body[one], body[other] = body[other], body[one]


def _fork(draw: random.Random, body: list[bytes]) -> None:
    other = Chain().add(12, f"other {draw.random()}").bundle().splitlines(keepends=True)
    cut = draw.randrange(3, len(body) - 1)
    at = [n for n, line in enumerate(body) if line.startswith(b'{"entry"')].index(
        next(n for n in range(cut, len(body)) if body[n].startswith(b'{"entry"'))
    )
    body[cut:] = other[2 + at : -2]


def _behead(draw: random.Random, body: list[bytes]) -> None:
    """The first entries go, and the header says, in one way or another, that there never were any."""
    entries_at = [n for n, line in enumerate(body) if line.startswith(b'{"entry"')]
    cut = draw.randrange(1, len(entries_at))
    prev = json.loads(body[entries_at[cut] - 1].rstrip(b",\n"))
    old = prev["hash"] if "hash" in prev else prev["checkpoint"]["hash"]
    del body[2 : entries_at[cut]]
    told = draw.choice([{"first": cut + 1}, {"first": cut + 1, "prev": old}, {"prev": old}, {}])
    header = json.loads(body[1].rstrip(b",\n"))
    body[1] = canonical({"bundle": {**header["bundle"], **told}}) + b",\n"


KINDS = {
    "edit": _edit,
    "beginning removed": _behead,
    "delete": lambda draw, body: body.pop(draw.randrange(2, len(body))),
    "insert": lambda draw, body: body.insert(
        draw.randrange(2, len(body) + 1), body[draw.randrange(2, len(body))]
    ),
    "swap": _swap,
    "renumber": _renumber,
    "truncate": lambda draw, body: body.__delitem__(slice(draw.randrange(2, len(body)), None)),
    "fork": _fork,
}


def entries(bundle: bytes) -> list[bytes]:
    """The lines that are entries."""
    return [line for line in bundle.splitlines() if line.startswith(b'{"entry"')]


@pytest.mark.parametrize("kind", KINDS)
def test_no_random_tampering_passes_even_signed_anew(kind: str) -> None:
    bundle, head = signed_chain().bundle(), signed_chain().checkpoints[12][0]
    draw, missed, done = random.Random(kind), 0, 0
    while done < 1200:
        forged = resealed(bundle, lambda body: KINDS[kind](draw, body))
        # Who has the key may leave out or repeat signed heads; what they are of stands there all the same.
        if entries(forged) != entries(bundle):
            missed += isinstance(judged(forged, heads=[head]), Verified)
            done += 1
    assert missed == 0


def test_no_key_swap_and_no_older_state_passes_with_what_was_kept_elsewhere() -> None:
    head, missed = signed_chain().checkpoints[12][0], 0
    for number in range(200):
        swapped = Chain().add(12, f"forged {number}")
        missed += isinstance(judged(swapped.bundle(key=SigningKey.new())), Verified)
        rolled_back = Chain().add(5 + number % 7)
        missed += isinstance(judged(rolled_back.bundle(), heads=[head]), Verified)
    assert missed == 0


def test_canonical_json_is_that_of_the_standard_whatever_spells_it() -> None:
    for value, expected in VECTORS["canonical"]:
        assert canonical(value).decode() == expected
    with pytest.raises(ValueError, match="exceeds safe integer domain"):
        canonical(2**53)
    with pytest.raises(ValueError, match="non-UTF-8"):
        canonical("\ud800")
