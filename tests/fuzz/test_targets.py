"""Whatever is changed in what strangers send, each parser reads it or refuses it as it is written down."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.targets import TARGETS

PIECES = (
    b"\x00",
    b"\xff",
    b"\xed\xa0\x80",
    b'"',
    b"}",
    b"{",
    b"[" * 40,
    b"\n",
    b"null",
    b"-1",
    b"1e999",
    b"9" * 30,
    b"&a *a",
)


def changed(seed: bytes, draw: random.Random) -> bytes:
    """The seed with a few bytes altered, left out, put in or moved."""
    data = bytearray(seed[:4000])
    for _ in range(draw.randrange(1, 5)):
        place = draw.randrange(len(data) + 1)
        match draw.randrange(4):
            case 0:
                data[place : place + 1] = bytes([draw.randrange(256)])
            case 1:
                del data[place : place + draw.randrange(50)]
            case 2:
                data[place:place] = draw.choice(PIECES)
            case _:
                other = draw.randrange(len(data) + 1)
                data[place:place] = data[other : other + draw.randrange(60)]
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_no_changed_input_breaks_a_parser(name: str) -> None:
    target, draw = TARGETS[name], random.Random(name)
    seeds = list(target.seeds())
    assert seeds
    for seed in seeds:
        target.run(seed)
    for _ in range(40 if name == "configuration" else 200):
        target.run(changed(draw.choice(seeds), draw))
