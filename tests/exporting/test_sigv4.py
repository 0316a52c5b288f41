"""Signature version 4 against the examples that Amazon publishes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from incidentd.exporting.sigv4 import Signer, host_of

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
S3_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
S3_AT = datetime(2013, 5, 24, tzinfo=UTC)


def signature(headers: dict[str, str]) -> str:
    return headers["Authorization"].rpartition("Signature=")[2]


@pytest.mark.parametrize(
    ("method", "url", "expected"),
    [
        # get-vanilla, get-vanilla-query-order-key-case and post-vanilla of the published test suite
        ("GET", "https://example.amazonaws.com/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            "GET",
            "https://example.amazonaws.com/?Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        ("POST", "https://example.amazonaws.com/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ],
)  # fmt: skip
def test_requests_of_the_published_suite_get_the_published_signature(
    method: str, url: str, expected: str
) -> None:
    signer = Signer("AKIDEXAMPLE", SECRET, "us-east-1", service="service")
    headers = signer.headers(method, url, {}, b"", AT)
    assert signature(headers) == expected
    assert headers["Authorization"].startswith(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
    )


def test_s3_s_own_examples_get_the_published_signature() -> None:
    signer = Signer("AKIAIOSFODNN7EXAMPLE", S3_SECRET, "us-east-1")
    host = "https://examplebucket.s3.amazonaws.com"
    got = signer.headers("GET", f"{host}/test.txt", {"Range": "bytes=0-9"}, b"", S3_AT)
    assert signature(got) == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    given = {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"}
    put = signer.headers("PUT", f"{host}/test%24file.text", given, b"Welcome to Amazon S3.", S3_AT)
    assert signature(put) == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    listed = signer.headers("GET", f"{host}/?max-keys=2&prefix=J", {}, b"", S3_AT)
    assert signature(listed) == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"


def test_a_session_token_is_signed_and_no_secret_is_shown() -> None:
    signer = Signer("AKIDEXAMPLE", SECRET, "us-east-1", session_token="tok")
    headers = signer.headers("PUT", "http://127.0.0.1:9000/b/k", {}, b"x", AT)
    assert "x-amz-security-token" in headers["Authorization"]
    assert SECRET not in repr(signer) + str(headers)
    assert "tok" not in repr(signer)


def test_the_host_is_what_a_client_sends() -> None:
    assert [
        host_of(url) for url in ("https://a.example:443/x", "http://[::1]:9000/", "http://b.example")
    ] == [
        "a.example",
        "[::1]:9000",
        "b.example",
    ]
