"""A key that follows another: both sign the entry that introduces it, so trust in the old one leads to the new one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from incidentd.audit.chain import VERSION, Value, canonical
from incidentd.audit.keys import KeyRefusedError, PublicKey, SigningKey

ACTION: Final = "audit.key"
_PURPOSE: Final = b"incidentd audit key v1\n"


class ForgedError(ValueError):
    """A signature in the entry is not what it says."""


def _statement(key: str, after: str | None) -> bytes:
    return _PURPOSE + canonical({"v": VERSION, "key": key, "after": after})


def introduced(key: SigningKey, after: str | None, previous: SigningKey | None) -> dict[str, Value]:
    """The `data` of the entry for `key`, which follows the key with the id `after`.

    Signed by `key` itself, and by `previous` if that is the one it follows.
    """
    public, told = key.public, _statement(key.public.id, after)
    signatures: dict[str, Value] = {public.id: key.sign(told).hex()}
    if previous is not None and previous.public.id == after:
        signatures[after] = previous.sign(told).hex()
    return {
        "algorithm": public.algorithm,
        "public": public.der.hex(),
        "after": after,
        "signatures": signatures,
    }


def vouched(what: str, data: Mapping[str, Any], known: Callable[[str], PublicKey | None]) -> tuple[str, bool]:
    """The id of the key that an entry introduces, and whether the one before has signed that too.

    `what`: the entry's object; `known` finds a key by its id. Raises `ForgedError` if a signature is wrong, KeyError,
    TypeError or ValueError if it is no such entry.
    """
    try:
        own = PublicKey.of_der(bytes.fromhex(data["public"]))
    except KeyRefusedError as error:
        raise ForgedError(f"it introduces no key: {error}") from None
    after, signatures = data["after"], data["signatures"]
    if what != f"key:{own.id}" or own.id not in signatures:
        raise ForgedError("the key has not signed that it is introduced")
    for name, signature in signatures.items():
        key = own if name == own.id else known(name)
        if key is None or not key.verifies(bytes.fromhex(signature), _statement(own.id, after)):
            raise ForgedError(f"the signature of the key {name} is wrong")
    return own.id, after is None or after in signatures
