"""Which passwords are good enough."""

import pytest

from incidentd.domain.password import LONGEST, SHORTEST, fault


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "x" * 3 + "Zäßε漢字🦀 !§$%&/()",
        "   leading and trailing blanks   ",
        "k8#mQz!vR2pL9wXt",
        "alice likes 14 strange umbrellas",
    ],
)
def test_long_ones_of_any_characters_are_good(password: str) -> None:
    assert fault(password, "alice") is None


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "too short"),
        ("k8#mQz!vR2pL9w", "too short"),
        ("x" * 257, "too long"),
        ("aaaaaaaaaaaaaaaa", "repeats itself"),
        ("abcabcabcabcabcabc", "repeats itself"),
        ("passwordpassword1234", "easy to guess"),
        ("alice-alice-alice-1", "easy to guess"),
        ("incidentd-admin-2026", "easy to guess"),
        ("qwertyuiop123456789", "easy to guess"),
        ("zyxwvutsrqponmlkji", "easy to guess"),
    ],
)
def test_what_a_guesser_tries_first_is_not(password: str, why: str) -> None:
    assert why in (fault(password, "alice") or "")


def test_the_limits_are_those_of_the_form() -> None:
    assert (SHORTEST, LONGEST) == (15, 256)
