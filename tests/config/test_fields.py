"""The field types that channels and the tree share."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from incidentd.fields import BaseUrl, Duration, EnvReference, HttpUrl, Secret, Size, Slug, env_reference


class Everything(BaseModel):
    secret: Secret | None = None
    duration: Duration = timedelta(minutes=5)
    size: Size = 0
    base_url: BaseUrl = "http://x.example"
    url: HttpUrl = "http://x.example"
    name: Slug = "a"


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        ("duration", "1h30m", timedelta(minutes=90)),
        ("duration", 0, timedelta()),
        ("duration", timedelta(days=1), timedelta(days=1)),
        ("size", 17, 17),
        ("size", "17", 17),
        ("size", "64MiB", 64 * 1024**2),
        ("size", "2 KiB", 2048),
        ("size", "3GB", 3 * 1000**3),
        ("base_url", "https://x.example/", "https://x.example"),
        ("base_url", "https://x.example/api/", "https://x.example/api"),
        ("base_url", "http://[::1]:9093", "http://[::1]:9093"),
        ("url", "https://x.example/hook?a=b", "https://x.example/hook?a=b"),
        ("name", "a", "a"),
        ("name", "ops-slack_2", "ops-slack_2"),
        ("secret", "literal", SecretStr("literal")),
        ("secret", None, None),
    ],
)
def test_what_is_accepted_becomes_a_value(key: str, written: Any, value: Any) -> None:
    assert getattr(Everything.model_validate({key: written}), key) == value


REFUSED: dict[str, list[Any]] = {
    "duration": ["5", "5 m", "m5", "", 5, 5.0, None, [], True, False],
    "size": ["64mb", "-1", -1, 1.5, True, "MiB", "1e3", "", None],
    "base_url": [
        *("x.example", "ftp://x", "http://", "http://x y", "http://x:99999", 1),
        *("http://a:b@x", "http://x?q=1", "http://x#f", "http://[x", "http://x\n"),
    ],
    "url": ["javascript:alert(1)", "http://a@x", "http://x:port", ""],
    "name": ["", "A", "a b", "-a", "a-", "a.b", "ä", "a" * 64, 1, "a\n"],
    "secret": [
        *("", 1, [], {}, {"file": 1}, {"file": "x", "mode": 1}, "x ${A}"),
        # These need a file that is being loaded.
        *("${A}", EnvReference("A"), {"file": "x"}),
    ],
}


@pytest.mark.parametrize(
    ("key", "written"), [(key, bad) for key, all_bad in REFUSED.items() for bad in all_bad]
)
def test_what_is_not_accepted_is_refused(key: str, written: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        Everything.model_validate({key: written})
    assert all(error["loc"][0] == key for error in refused.value.errors())


def test_a_reference_is_the_whole_text() -> None:
    assert env_reference("${A_1}") == EnvReference("A_1")
    for text in ("$A", "${}", "${1A}", "a${A}", "${A}b", "${A}\n", "${A B}"):
        assert env_reference(text) is None


def test_a_duration_is_written_as_it_is_read() -> None:
    assert TypeAdapter(Duration).dump_json(timedelta(minutes=90)) == b'"1h30m"'
