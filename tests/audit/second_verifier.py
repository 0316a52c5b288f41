"""A verifier of bundles written from docs/audit-format.md alone: it shares no line with incidentd's own."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

COLUMNS = ["record", "seq", "ts", "actor", "action", "object", "hash", "json"]


class Broken(Exception):
    """The file proves nothing."""


def need(holds: object, why: str) -> None:
    if not holds:
        raise Broken(why)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def canonical(value: object) -> bytes:
    """RFC 8785 of values without fractions: members in the order of their UTF-16, only what must be is escaped."""
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
        return b"{" + b",".join([canonical(k) + b":" + canonical(v) for k, v in members]) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join([canonical(each) for each in value]) + b"]"
    need(not isinstance(value, float), "a fraction")
    return json.dumps(value, ensure_ascii=False).encode()


def rotation(found: dict[str, Any], keys: dict[str, bytes], trusted: set[str]) -> None:
    """An entry that introduces a key: `trusted` has it afterwards, if a key in it has signed that."""
    data = found["data"]
    own, after = sha256(bytes.fromhex(data["public"])), data["after"]
    need(found["object"] == f"key:{own}" and own in data["signatures"], "a key that does not say so itself")
    for name, signature in data["signatures"].items():
        der = bytes.fromhex(data["public"]) if name == own else keys[name]
        content = {"v": 1, "key": own, "after": after, "signature": signature}
        need(signed(der, "incidentd audit key v1", content), "a forged key")
    if after in trusted and after in data["signatures"]:
        trusted.add(own)


def signed(key: bytes, purpose: str, content: dict[str, Any]) -> bool:
    rest = {name: value for name, value in content.items() if name != "signature"}
    message = purpose.encode() + b"\n" + canonical(rest)
    signature, public = bytes.fromhex(content["signature"]), load_der_public_key(key)
    need(signature.hex() == content["signature"], "hexadecimal in upper case")
    try:
        if isinstance(public, Ed25519PublicKey):
            public.verify(signature, message)
        elif isinstance(public, RSAPublicKey):
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
            public.verify(signature, message, pss, hashes.SHA256())
        else:
            return False
    except InvalidSignature:
        return False
    return True


def lines(data: bytes) -> list[tuple[bytes, bytes]]:
    """Each record with its line, in order."""
    found = []
    if data.startswith(b"[\n"):
        need(data.endswith(b"\n]\n"), "no end")
        every = data[2:-2].splitlines(keepends=True)
        return [(line.removesuffix(b"\n").removesuffix(b","), line) for line in every]
    for number, row in enumerate(data.decode().split("\r\n")[:-1]):
        cells = next(csv.reader(io.StringIO(row, newline=""), strict=True))
        need(len(cells) == len(COLUMNS), "no row")
        need(number or cells == COLUMNS, "no first row")
        if number:
            found.append((cells[-1].encode(), f"{row}\r\n".encode()))
    need(data.endswith(b"\r\n"), "no end")
    return found


def check(data: bytes, pinned: str) -> int:
    """How many entries the bundle proves, signed by the key `pinned`. Raises `Broken`, or a builtin error."""
    records = lines(data)
    kinds = [json.loads(raw) for raw, _ in records]
    need(all(canonical(kind) == raw for kind, (raw, _) in zip(kinds, records, strict=True)), "not canonical")
    header, end = kinds[0]["bundle"], kinds[-1]["end"]
    keys = {key["id"]: bytes.fromhex(key["public"]) for key in header["keys"]}
    need(header["format"] == "incidentd-audit" and header["v"] == 1, "another format")
    need(all(sha256(der) == known for known, der in keys.items()), "a key with another id")
    need(header["key"] == end["key"], "another key")
    trusted = {pinned}
    seq, head = header["first"] - 1, header["prev"]
    need((seq == 0) == (head == "0" * 64) and (seq == 0 or header["from"]), "no beginning")
    for record in kinds[1:-1]:
        if "checkpoint" in record:
            point = record["checkpoint"]
            need((point["seq"], point["hash"]) == (seq, head), "a checkpoint of something else")
            need(signed(keys[point["key"]], "incidentd audit checkpoint v1", point), "a forged checkpoint")
            continue
        head = entry(record, seq + 1, head)
        seq += 1
        if record["entry"]["action"] == "audit.key":
            rotation(record["entry"], keys, trusted)
    need(end["key"] in trusted, "a key that nobody trusts")
    told = (end["v"], end["count"], end["last"], end["hash"])
    need(
        told == (1, seq + 1 - header["first"], header["last"], head) and seq == header["last"], "another end"
    )
    need(
        records[-1][1] == last_line(records[-1][0], end, table=not data.startswith(b"[")), "another last line"
    )
    need(end["sha256"] == sha256(data[: data.index(records[-1][1])]), "another file")
    need(signed(keys[end["key"]], "incidentd audit bundle v1", end), "a forged end")
    return int(end["count"])


def last_line(raw: bytes, end: dict[str, Any], *, table: bool) -> bytes:
    """The one line that the hash of the file does not reach, as it must be."""
    if not table:
        return raw + b"\n"
    cells = ["end", str(end["last"]), "", "", "", "", end["hash"], raw.decode()]
    return ",".join(['"' + cell.replace('"', '""') + '"' for cell in cells]).encode() + b"\r\n"


def entry(record: dict[str, Any], seq: int, head: str) -> str:
    """Its hash, if it is the entry `seq` behind `head`."""
    found = record["entry"]
    need((found["seq"], found["prev"]) == (seq, head), "another place")
    need(record["hash"] == sha256(bytes.fromhex(head) + canonical(found)), "another entry")
    references = [found["actor"].get("ref"), *found["private"].values()]
    for reference, told in record["open"].items():
        salt = bytes.fromhex(told["salt"])
        need(salt.hex() == told["salt"], "hexadecimal in upper case")
        text = salt + told["value"].encode()
        need(reference in references and sha256(text) == reference, "another text")
    return str(record["hash"])
