"""What the intake's store takes: the same verified batches into durable SQLite and into a durable PostgreSQL.

Both get each group of batches in turn, in one transaction as the intake stores it and in one process, so that what
else the machine does troubles both alike. PostgreSQL runs on this machine with the settings it comes with, behind a
socket, and flushes its log at each commit as SQLite does. Network, broker and signatures are not in it
(`receiver_intake`). `RECORDS` in the environment changes the size.
"""

import os
import tempfile
import time
from pathlib import Path

from sqlalchemy import Engine, func, select

from bench.receiver_intake import BATCH, enrol, make_payloads
from cloud_receiver import database, schema
from cloud_receiver.commit import Committer
from cloud_receiver.counters import Counters
from cloud_receiver.enrolment import enrolled
from cloud_receiver.quarantine import Quarantine
from cloud_receiver.verify import Verified, verify
from tests import postgresql_support  # the tests' own server
from wire import topics
from wire.envelope import Signer

RECORDS = int(os.environ.get("RECORDS", "300000"))
GROUPS = (256, 16)
"""Batches a transaction: what the intake takes under load (`intake.commit_batches`), and what it takes at ease."""
START_MS = 1_782_835_200_000
TARGET = 0.5


class Store:
    """A store with the gateways enrolled, and the seconds it took."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.committer = Committer(engine, Quarantine(60, 1000), Counters())
        self.seconds = 0.0
        self.own = 0.0

    def take(self, group: list[Verified]) -> None:
        """Store a group."""
        begin, own = time.perf_counter(), time.process_time()
        self.committer.commit(group, (), START_MS)
        self.seconds += time.perf_counter() - begin
        self.own += time.process_time() - own

    def count(self) -> int:
        """Return the intervals that are there."""
        with database.reading(self.engine) as connection:
            return connection.execute(select(func.count()).select_from(schema.interval)).scalar_one()


def run() -> list[str]:
    """Measure and return the lines to print."""
    programs = postgresql_support.find_programs()
    if programs is None:
        return ["store: PostgreSQL is not installed, nothing measured"]
    lines = []
    with postgresql_support.running(programs, durable=True) as server:
        for group in GROUPS:
            lines += _measure(server, group)
    return lines


def _measure(server: postgresql_support.Server, group: int) -> list[str]:
    payloads, private = make_payloads(RECORDS)
    with tempfile.TemporaryDirectory(prefix="diantan-bench-") as name:
        directory = Path(name)
        urls = {"SQLite": "sqlite:///store.sqlite", "PostgreSQL": server.address(server.create())}
        stores = {kind: Store(database.open_store(url, directory)) for kind, url in urls.items()}
        for store in stores.values():
            enrol(store.engine, directory, private)
        with database.reading(stores["SQLite"].engine) as connection:
            known = enrolled(connection)
        signers = {gateway: Signer(key) for gateway, key in private.items()}
        before = _served(server)
        for first in range(0, len(payloads), group):
            batches = []
            for gateway, payload in payloads[first : first + group]:
                topic = topics.records(gateway)
                batches.append(verify(topic, signers[gateway].sign(payload, topic), known))
            for store in stores.values():
                store.take(batches)
        served = _served(server) - before
        total = BATCH * len(payloads)
        for kind, store in stores.items():
            if store.count() != total:
                raise RuntimeError(f"{kind} holds {store.count()} of {total} records")
            store.engine.dispose()
    lines = [f"{group} batches of {BATCH} records a transaction, {total:,} records:"]
    for kind, store in stores.items():
        work = f"{store.own / total * 1e6:.1f} µs of the receiver's CPU a record"
        if kind == "PostgreSQL":
            work += f", {served / total * 1e6:.1f} µs of the server's"
        lines.append(f"  {kind}: {total / store.seconds:,.0f} records/s; {work}")
    ratio = stores["SQLite"].seconds / stores["PostgreSQL"].seconds
    return [*lines, f"  PostgreSQL takes {ratio:.2f} of what SQLite does (target {TARGET} under load)"]


def _served(server: postgresql_support.Server) -> float:
    """Return the CPU seconds of the server's processes."""
    return sum(sum(process.cpu_times()[:2]) for process in server.processes() if process.is_running())


if __name__ == "__main__":
    print("\n".join(run()))
