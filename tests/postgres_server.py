"""A PostgreSQL of the suite's own: a fresh cluster on a Unix socket, gone after the run.

No port is used, so neither a server of the machine nor a parallel run is in the way.
"""

import contextlib
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests import memory
from tests.programs import missing

HINT = "apt-get install postgresql"
# Distributions keep the server's programs outside PATH, by version.
PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
# What is in here lives as long as the run: nothing has to survive a power cut.
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses=")
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class PostgresServer:
    """A running cluster. `folder` holds its data, its log and its socket."""

    programs: Path
    folder: Path
    user: str | None  # whom to run as; None means as ourselves

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's own programs to its end; its output is part of the error if it fails."""
        done = subprocess.run(
            [str(self.programs / program), *arguments],
            cwd=self.folder,
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            log = self.folder / "log"
            said = done.stdout + done.stderr + (log.read_text()[-2000:] if log.exists() else "")
            raise RuntimeError(f"{program} answered {done.returncode}: {said}")

    def url(self, database: str) -> str:
        """Return the address of a database in the form that `database.url` takes."""
        return f"postgresql+asyncpg://postgres@/{database}?host={self.folder}"

    @cached_property
    def _strategy(self) -> tuple[str, ...]:
        # Copied as files, as before PostgreSQL 15; now the default writes every page of it to the log as well.
        done = subprocess.run(
            [self.programs / "createdb", "--help"], capture_output=True, text=True, check=True
        )
        return ("--strategy", "file_copy") if "--strategy" in done.stdout else ()

    @contextlib.contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """Create a database as `template` is, hand out its address, drop it at the end with whoever is in it."""
        name = f"test_{secrets.token_hex(6)}"
        there = ("--host", str(self.folder), "--username", "postgres")
        self.run("createdb", *there, *self._strategy, "--template", template, name)
        try:
            yield self.url(name)
        finally:
            self.run("dropdb", *there, "--force", name)


def find_programs() -> Path:
    """Return the folder with the newest initdb of this machine; skip or fail the test if there is none."""
    found = [path for place in PLACES for path in Path("/").glob(f"{place[1:]}/initdb")]
    if found:
        return max(found, key=lambda path: (len(path.parts[-3]), path.parts[-3])).parent
    in_path = shutil.which("initdb")
    if in_path is None:
        missing("PostgreSQL", HINT)
    return Path(str(in_path)).resolve().parent


def server_user() -> str | None:
    """Return whom the server has to run as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        missing("the user postgres, needed when the tests run as root", HINT)
        raise


@contextlib.contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Start a cluster (about a second) and stop it, with its files, at the end."""
    programs, user = find_programs(), server_user()
    # Not below pytest's own folder: a socket's path has room for about 100 characters.
    with tempfile.TemporaryDirectory(prefix="pg-", dir=memory.folder(), ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if user is not None:
            shutil.chown(folder, user, user)
        server = PostgresServer(programs, folder, user)
        data = str(folder / "data")
        server.run(
            "initdb", "--pgdata", data, "--username=postgres", "--auth=trust", "--encoding=UTF8",
            "--locale=C", "--no-sync",
        )  # fmt: skip
        options = " ".join(f'-c "{option}"' for option in (*FAST, f"unix_socket_directories={folder}"))
        log = str(folder / "log")
        server.run("pg_ctl", "start", "--wait", "--pgdata", data, "--log", log, "--options", options)
        try:
            yield server
        finally:
            server.run("pg_ctl", "stop", "--wait", "--pgdata", data, "--mode=immediate")
