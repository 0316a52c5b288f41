"""What people do about being told: ask, confirm, choose, leave; and what operators do for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from incidentd.domain.status_page.layout import MAIN, Layout
from incidentd.domain.status_page.subscriber import (
    CONFIRM_WITHIN,
    Kind,
    Rules,
    Standing,
    Subscriber,
    SubscribeRefusedError,
    chosen,
)
from incidentd.store import announcements, subscribers
from incidentd.store.engine import Tx
from incidentd.workflows import audit
from incidentd.workflows.respond import NotFoundError

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asked for."""

    kind: Kind
    address: str
    contact: str
    components: Sequence[str] = ()
    """Ids; none: everything."""


def ask(tx: Tx, rules: Rules, layout: Layout, wish: Wish, code: str, now: datetime) -> None:
    """Write down a wish and the question to confirm it. Raises `SubscribeRefusedError`.

    Nothing tells whether the address is known: an answer that did would tell anybody who reads here.
    """
    if rules.channel is None:
        raise SubscribeRefusedError("this page takes no subscriptions")
    components = chosen(wish.components, _known(layout))
    if announcements.asked_since(tx, now - _MINUTE) >= rules.asks_per_minute:
        raise SubscribeRefusedError("too many ask at the moment; please come again", 60)
    known = subscribers.by_address(tx, wish.kind, wish.address)
    if known is not None:
        again = known.asked_again(now, components)
        # Whoever confirmed it first keeps the webhook: the question goes to that mailbox alone.
        if again is not None:
            announcements.ask(tx, subscribers.save(tx, again), now)
        return
    if subscribers.count(tx) >= rules.most:
        raise SubscribeRefusedError("this page takes no more subscriptions at the moment", 3600)
    new = _new(wish, code, components, now, Standing.PENDING)
    announcements.ask(tx, subscribers.save(tx, new), now)


def _new(
    wish: Wish, code: str, components: tuple[str, ...] | None, now: datetime, standing: Standing
) -> Subscriber:
    return Subscriber(
        id=0,
        code=code,
        kind=wish.kind,
        address=wish.address,
        contact=wish.contact,
        standing=standing,
        components=components,
        created_at=now,
        asked_at=now,
        confirmed_at=now if standing is Standing.ACTIVE else None,
    )


def _known(layout: Layout) -> list[str]:
    """What can be asked for: the components of the page itself, not those of other pages alone."""
    return [part.id for part in layout.parts if part.on(MAIN)]


def find(tx: Tx, code: str) -> Subscriber:
    """One. Raises `NotFoundError`."""
    found = subscribers.by_code(tx, code)
    if found is None:
        raise NotFoundError("there is no such subscription: it has ended, or was not confirmed in time")
    return found


def confirm(tx: Tx, code: str, now: datetime) -> Subscriber:
    """The holder of its link wants it. Raises `NotFoundError`."""
    known = find(tx, code)
    if known.standing is Standing.ACTIVE:
        return known
    return subscribers.save(tx, known.confirmed(now))


def choose(tx: Tx, layout: Layout, code: str, components: Sequence[str]) -> Subscriber:
    """The holder of its link wants to hear of these components; of none: everything. Raises as the others do."""
    known = find(tx, code)
    return subscribers.save(tx, replace(known, components=chosen(components, _known(layout))))


def leave(tx: Tx, layout: Layout, code: str, component: str | None = None) -> Subscriber | None:
    """It ends, or what it tells of one component does; None once nothing is left. Leaving twice is the same."""
    known = subscribers.by_code(tx, code)
    if known is None:
        return None
    left = None if component is None else known.without(component, _known(layout))
    if left is None:
        subscribers.forget(tx, known.id)
        return None
    return subscribers.save(tx, left)


def add(tx: Tx, layout: Layout, wish: Wish, code: str, actor: str, now: datetime) -> Subscriber:
    """An operator has a webhook told, without a question. Raises `SubscribeRefusedError`."""
    if subscribers.by_address(tx, wish.kind, wish.address) is not None:
        raise SubscribeRefusedError("that address is subscribed, or waits to be confirmed; remove it first")
    components = chosen(wish.components, _known(layout))
    made = subscribers.save(tx, _new(wish, code, components, now, Standing.ACTIVE))
    # Not the address: there may be a token in it.
    audit.note(tx, now, actor, "status.subscriber_added", f"subscriber:{code}", {"kind": wish.kind.value})
    return made


def remove(tx: Tx, code: str, actor: str, now: datetime) -> None:
    """An operator ends a subscription. Raises `NotFoundError`."""
    subscribers.forget(tx, find(tx, code).id)
    audit.note(tx, now, actor, "status.subscriber_removed", f"subscriber:{code}")


def forget(tx: Tx, now: datetime, batch: int) -> int:
    """Forget up to `batch` that were not confirmed in time; how many."""
    return subscribers.forget_unconfirmed(tx, now - CONFIRM_WITHIN, batch)
