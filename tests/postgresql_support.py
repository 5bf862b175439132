"""A real PostgreSQL for tests: a cluster of its own, gone when they end however they end, a database for each store.

The cluster's own order of text is a language's and not that of bytes: a test that needs the latter fails without it.
"""

import contextlib
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
from sqlalchemy import Engine

from cloud_receiver import database

_WAIT_S = 60
OLDEST = 15
"""Version of the server below which the receiver refuses it."""
# One shell keeps a cluster from its first file to its last. The tests tell it through a pipe what to do; when their end
# is closed, be it by a kill, the server goes and everything of it: its directory, and the piece of shared memory that
# a server that was killed leaves behind (the seventh line of its file names it).
_KEEPER = """
directory=$1; programs=$2; segment_mb=$3; shift 3
data=$directory/data
"$programs/initdb" --pgdata="$data" --no-sync --no-instructions --wal-segsize="$segment_mb" --auth=trust \
    --username=diantan --encoding=UTF8 --locale=C.UTF-8 --locale-provider=icu --icu-locale=en ||
    { rm -rf "$directory"; exit 1; }
server=
while read -r word; do
    case $word in
    start) "$programs/postgres" -D "$data" -k "$directory" "$@" & server=$! ;;
    bury) wait "$server" ;;
    esac
done
if [ -n "$server" ]; then
    kill -QUIT "$server" 2>/dev/null
    wait "$server"
fi
segment=$(sed -n '7s/.* //p' "$data/postmaster.pid" 2>/dev/null)
[ -z "$segment" ] || ipcrm -m "$segment"
rm -rf "$directory"
"""
_FAST = (
    *("fsync=off", "full_page_writes=off", "autovacuum=off", "shared_buffers=32MB", "max_connections=40"),
    *("wal_level=minimal", "max_wal_senders=0"),
)
_DURABLE = ("fsync=on", "full_page_writes=on", "synchronous_commit=on")


def find_programs() -> Path | None:
    """Return the directory of initdb and postgres: of the newest version of Debian's packages, else of the path."""
    found = sorted((int(path.parts[-3]), path.parent) for path in Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if found and found[-1][0] >= OLDEST:
        return found[-1][1]
    program = shutil.which("postgres")
    return Path(program).resolve().parent if program else None


class Server:
    """A cluster in a directory of its own, which listens on a socket there and nowhere else."""

    def __init__(self, programs: Path, *, durable: bool = False) -> None:
        """Let a cluster be made; `durable`: it has the settings of one in operation."""
        self.directory = Path(tempfile.mkdtemp(prefix="diantan-pg-"))
        self._numbers = itertools.count(1)
        account: dict[str, Any] = {}
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            users = {user.pw_name: user for user in pwd.getpwall()}
            user = users.get("postgres") or users["nobody"]
            os.chown(self.directory, user.pw_uid, user.pw_gid)
            account = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        settings = [
            part for setting in ("listen_addresses=", *(_DURABLE if durable else _FAST)) for part in ("-c", setting)
        ]
        segment_mb = "16" if durable else "1"  # of the log: the less, the sooner the cluster is made
        with self._log.open("ab") as output:
            self._keeper = subprocess.Popen(
                ["/bin/sh", "-c", _KEEPER, "sh", str(self.directory), str(programs), segment_mb, *settings],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=self.directory,
                start_new_session=True,  # Ctrl-C is for the tests, which then let it go
                **account,
            )

    @property
    def _log(self) -> Path:
        return self.directory / "log"

    def _tell(self, word: str) -> None:
        assert self._keeper.stdin is not None
        self._keeper.stdin.write(f"{word}\n".encode())
        self._keeper.stdin.flush()

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        with contextlib.suppress(BrokenPipeError):  # told below
            self._tell("start")
        end = time.monotonic() + _WAIT_S
        while not self.answers():
            if self._keeper.poll() is not None or time.monotonic() > end:
                told = self._log.read_text()[-2000:] if self._log.exists() else "initdb failed"
                raise RuntimeError(f"PostgreSQL does not answer: {told}")
            time.sleep(0.02)

    def answers(self) -> bool:
        """Return whether the server takes connections."""
        try:
            psycopg.connect(self.address("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def processes(self) -> list[psutil.Process]:
        """Return the server's processes."""
        return psutil.Process(self._keeper.pid).children(recursive=True)

    def crash(self) -> None:
        """Kill every process of the server at once, as a failing machine would; its data stay."""
        processes = self.processes()
        for process in processes:
            process.suspend()  # none shall finish anything once the first is gone
        for process in processes:
            process.kill()
        self._tell("bury")
        end = time.monotonic() + _WAIT_S
        while any(_lives(process) for process in processes):
            if time.monotonic() > end:
                raise RuntimeError("processes of PostgreSQL outlive a kill")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop the server and remove its data."""
        self._keeper.communicate(timeout=_WAIT_S)

    def address(self, name: str) -> str:
        """Return a database's address as the driver takes it."""
        return f"postgresql://diantan@/{name}?host={self.directory}"

    def execute(self, statement: str) -> None:
        """Execute a statement outside of any transaction."""
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def create(self, *, template: str = "template0") -> str:
        """Make a database; return its name."""
        name = f"store{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever uses it."""
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Stores:
    """Databases that stand for the SQLite files that a test names; each has the newest schema from the start."""

    def __init__(self, server: Server, template: str) -> None:
        self._server = server
        self._template = template
        self._open_store = database.open_store
        self._names: dict[Path, str] = {}
        self._engines: list[Engine] = []

    def address(self, file: Path) -> str:
        """Return the address of the database that stands for a file."""
        name = self._names.get(file)
        if name is None:
            name = self._names[file] = self._server.create(template=self._template)
        return self._server.address(name)

    def open_store(self, url: str, directory: Path) -> Engine:
        """Stand for `database.open_store`."""
        prefix, _, file = url.partition(":///")
        address = self.address((directory / file).resolve()) if prefix == "sqlite" else url
        engine = self._open_store(address, directory)
        self._engines.append(engine)
        return engine

    def close(self) -> None:
        """Remove the databases."""
        for engine in self._engines:
            engine.dispose()
        for name in self._names.values():
            self._server.drop(name)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def make_template(server: Server) -> str:
    """Make a database with the newest schema; return its name."""
    name = server.create()
    engine = database.open_store(server.address(name), Path())
    database.upgrade(engine)
    engine.dispose()
    return name


@contextmanager
def running(programs: Path, *, durable: bool = False) -> Iterator[Server]:
    """Run a server."""
    server = Server(programs, durable=durable)
    try:
        server.start()
        yield server
    finally:
        server.stop()
