"""`incidentd audit`: export the audit log, verify a bundle anywhere, show the public key, erase a person."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from incidentd.cli.common import fail, load_or_fail, operator, with_store
from incidentd.cli.main import config_option

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeVar

    from incidentd.audit.checkpoint import Checkpoint
    from incidentd.audit.judge import Verified
    from incidentd.audit.keys import PublicKey, SigningKey
    from incidentd.config import Config
    from incidentd.store.engine import Store

    T = TypeVar("T")

_FILE = click.Path(dir_okay=False, path_type=Path)


class _Instant(click.ParamType[datetime]):
    """An instant with its offset."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Accepts what RFC 3339 does, and a date alone for its midnight in UTC."""
        from datetime import UTC

        if isinstance(value, datetime):
            return value
        try:
            found = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time; accepted: 2026-11-21 or 2026-11-21T15:00:00Z", param, ctx)
        return found if found.tzinfo else found.replace(tzinfo=UTC)


@click.group()
def audit() -> None:
    """Export the log of who changed what, and prove that nobody altered it."""


@audit.command()
@click.option("--from", "since", type=_Instant(), help="Entries from then on. Without it: from the first.")
@click.option("--to", "until", type=_Instant(), help="Until just before then. Without it: to the newest.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "csv"]),
    default="json",
    show_default=True,
    help="Of the file.",
)
@click.option("--output", required=True, type=_FILE, help="The file to write; it must not exist.")
@config_option
def export(
    since: datetime | None, until: datetime | None, form: str, output: Path, config_path: Path
) -> None:
    """Write a signed bundle. It needs the database and the key; running daemons are not disturbed."""
    config = load_or_fail(config_path).config
    try:
        with output.open("xb") as file:
            count = _run(config, lambda store: _export(store, config, (since, until), form, file.write))
    except FileExistsError:
        fail(f"{output} exists; choose another name, or delete it")
    except OSError as error:
        fail(f"{output} cannot be written: {error}")
    click.echo(f"{output}: {count} entries; check it with: incidentd audit verify {output}")


async def _export(
    store: Store,
    config: Config,
    span: tuple[datetime | None, datetime | None],
    form: str,
    write: Callable[[bytes], object],
) -> int:
    from incidentd.clock import SystemClock
    from incidentd.store import settings
    from incidentd.workflows import audit as workflow
    from incidentd.workflows.audit_export import Wanted, bundle

    key, now, actor = await _key(store, config), SystemClock().now(), operator()
    instance = await store.read(lambda tx: settings.get(tx, "instance") or "")
    made = await store.write(lambda tx: workflow.ask_export(tx, form, span, actor, now))
    wanted = Wanted("csv" if form == "csv" else "json", made.first, made.last, now, *span)
    async for part in bundle(store, key, instance, wanted):
        write(part)
    return made.last - made.first + 1


@audit.command()
@click.argument("file", type=_FILE)
@click.option(
    "--public-key",
    "keys",
    type=_FILE,
    multiple=True,
    help="PEM of a key that may have signed it. Repeat for several.",
)
@click.option(
    "--head", "heads", type=_FILE, multiple=True, help="Heads kept elsewhere (audit.anchor), one JSON a line."
)
def verify(file: Path, keys: tuple[Path, ...], heads: tuple[Path, ...]) -> None:
    """Check a bundle: exit 0, or 1 with the first entry that is broken. Needs neither configuration nor network."""
    from incidentd.audit.judge import BrokenError
    from incidentd.audit.verify import verify as run

    pinned, anchors = [_public(path) for path in keys], [one for path in heads for one in _heads(path)]
    try:
        with file.open("rb") as opened:
            found = run(opened, pinned, anchors)
    except BrokenError as broken:
        where = "" if broken.seq is None else f", entry {broken.seq}"
        fail(f"{file} is BROKEN ({broken.fault.value}{where}): {broken.detail}")
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}")
    _tell(file, found)


def _tell(file: Path, found: Verified) -> None:
    span = f"{found.first} to {found.last}" if found.count else "none"
    click.echo(f"{file} is whole: {found.count} entries ({span}), {found.checkpoints} signed heads")
    click.echo(f"last hash {found.head}")
    click.echo(f"signed by {found.key.algorithm} key {found.key.id}")
    if found.heads:
        click.echo(f"{found.heads} heads kept elsewhere agree")
    if found.unused:
        text = f"{found.unused} heads kept elsewhere are outside of this bundle and prove nothing of it"
        click.echo(f"warning: {text}", err=True)
    if found.unvouched:
        listed = ", ".join(map(str, found.unvouched))
        text = f"entry {listed} introduces a key that the one before has not vouched for: ask who rotated it"
        click.echo(f"warning: {text}", err=True)
    if not found.pinned:
        click.echo(
            "warning: no --public-key was given, so this proves only that the bundle is as its signer wrote it",
            err=True,
        )


def _public(path: Path) -> PublicKey:
    from incidentd.audit.keys import KeyRefusedError, PublicKey

    try:
        return PublicKey.of_pem(path.read_bytes())
    except (OSError, KeyRefusedError) as error:
        raise click.BadParameter(f"{path}: {error}", param_hint="--public-key") from None


def _heads(path: Path) -> list[Checkpoint]:
    import orjson

    from incidentd.audit.judge import BrokenError, checkpoint_of

    try:
        return [
            checkpoint_of(orjson.loads(line), 0) for line in path.read_bytes().splitlines() if line.strip()
        ]
    except (OSError, ValueError, BrokenError) as error:
        raise click.BadParameter(f"{path} holds no heads: {error}", param_hint="--head") from None


@audit.command("public-key")
@config_option
def public_key(config_path: Path) -> None:
    """Print the public key that signs the log now. Keep it elsewhere: `verify --public-key` wants it."""
    config = load_or_fail(config_path).config

    async def show(store: Store) -> str:
        return (await _key(store, config)).public.pem

    sys.stdout.write(_run(config, show))


@audit.command()
@click.option(
    "--reason", required=True, help="Why the log is another one than was signed, for the log itself."
)
@config_option
def accept(reason: str, config_path: Path) -> None:
    """Have a log signed again that does not pass through what was signed before, as after a backup was restored.

    The log says that, and why; a bundle still shows every broken link, and heads kept elsewhere what was lost. It needs
    the database and the key. Running daemons go on within seconds.
    """
    config = load_or_fail(config_path).config
    found = _run(config, lambda store: _accepted(store, config, reason))
    if found is None:
        fail("nothing is wrong: the log passes through the newest head that was signed")
    click.echo(f"accepted: the log goes on from entry {found.seq}. What was wrong: {found.problem}")


@dataclass(frozen=True, slots=True)
class _Accepted:
    seq: int
    problem: str


async def _accepted(store: Store, config: Config, reason: str) -> _Accepted | None:
    from incidentd.audit.head_file import HeadFile, HeadUnreadableError
    from incidentd.clock import SystemClock
    from incidentd.workflows import audit_sound
    from incidentd.workflows.audit_export import head_path

    key, clock, actor = await _key(store, config), SystemClock(), operator()
    file, lost, problem = HeadFile(head_path(config, store.path)), None, ""
    try:
        lost = file.read()
    except HeadUnreadableError as error:
        problem = str(error)
    if not problem:
        found = await store.read(lambda tx: audit_sound.examine(tx, key.public, lost))
        # Without a head here nothing can be compared; a daemon elsewhere may know one.
        problem = found.problem or ("" if lost else f"not known here: there is no {file.path}")
        if not problem:
            return None
    told = (actor, reason)
    # Not before what it takes the place of, whichever clock that was signed by.
    now = clock.now() if lost is None else max(clock.now(), datetime.fromisoformat(lost.ts))
    await store.write(lambda tx: audit_sound.note_acceptance(tx, problem, lost, told, now))
    head = await store.write(lambda tx: audit_sound.accept(tx, key, now))
    try:
        file.write(head, back=True)
    except OSError as error:
        fail(f"{file.path} cannot be written: {error}; daemons will write theirs, but check audit.head_file")
    return _Accepted(head.seq, problem)


@audit.command()
@click.argument("name")
@config_option
def erase(name: str, config_path: Path) -> None:
    """Erase who NAME is: from the log with the texts of what they did, and from incidents, shifts and the rest.

    Rows and chain stay, `erased` stands in the place of the name. This cannot be undone.
    """
    from incidentd.clock import SystemClock
    from incidentd.workflows import audit as workflow

    now, actor = SystemClock().now(), operator()

    async def work(store: Store) -> int:
        return await store.write(lambda tx: workflow.erase(tx, name, actor, now))

    if not _run(load_or_fail(config_path).config, work):
        fail(f"nobody called {name} is known")
    click.echo(
        f"{name} is erased. Journal, alerts and addresses that messages went to are kept as long as `retention` and "
        "`journal.keep` say; the configuration and bundles that were exported are yours to clear"
    )


async def _key(store: Store, config: Config) -> SigningKey:
    from incidentd.workflows.audit_export import open_key

    return await open_key(config, store.path, make=False)


def _run(config: Config, use: Callable[[Store], Awaitable[T]]) -> T:
    from incidentd.lifecycle import StartError
    from incidentd.store.errors import StoreUnavailableError

    try:
        return asyncio.run(with_store(config, use))
    except (StartError, StoreUnavailableError) as error:
        fail(str(error))
