"""The key that vendors know an episode by, made and read back."""

import pytest

from incidentd.domain.vendor_key import Episode, episode_of, vendor_key


def test_a_key_is_read_back_as_what_it_was_made_of() -> None:
    assert vendor_key("ab12cd34", 12, 3) == "incidentd-ab12cd34-12-3"
    assert episode_of(vendor_key("ab12cd34", 12, 3), "ab12cd34") == Episode(12, 3)
    assert episode_of(vendor_key("with-dash", 12, 3), "with-dash") == Episode(12, 3)


@pytest.mark.parametrize(
    "key",
    [
        "incidentd-other-12-3",
        "incidentd-ab12cd34-12",
        "incidentd-ab12cd34-12-3-4",
        "incidentd-ab12cd34-012-3",
        "incidentd-ab12cd34-12-0",
        "incidentd-ab12cd34-\u0661-1",
        f"incidentd-ab12cd34-{'9' * 30}-1",
        "12-3",
        "d3640fbd41094207a1c11e58e46b1662",
        "",
    ],
)
def test_what_others_made_is_not_ours(key: str) -> None:
    assert episode_of(key, "ab12cd34") is None
