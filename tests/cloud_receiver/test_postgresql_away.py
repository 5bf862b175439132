"""A PostgreSQL that is away, or no place for a store: told in one line, with no secret, and borne while running."""

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from postgresql_support import Server
from receiver_support import stored_sequences, until
from service_support import REGISTRY_TOML, Field, a_centre, batch, in_the_field, stop, subscribed
from sqlalchemy.exc import SQLAlchemyError

from cloud_receiver import database, postgresql
from cloud_receiver.cli import main
from cloud_receiver.commit import cause

SECRET = "Sesame-open"


@pytest.fixture
def guarded(postgresql_server: Server) -> Iterator[Server]:
    """Let the server ask for the password of a role, and have a database of another encoding."""
    hba = postgresql_server.directory / "data" / "pg_hba.conf"
    before = hba.read_text()
    hba.write_text(f"local all guarded scram-sha-256\n{before}")
    postgresql_server.execute("SELECT pg_reload_conf()")
    postgresql_server.execute(f"CREATE ROLE guarded LOGIN PASSWORD '{SECRET}'")
    postgresql_server.execute(
        "CREATE DATABASE latin TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'"
    )
    yield postgresql_server
    postgresql_server.drop("latin")
    postgresql_server.execute("DROP ROLE guarded")
    hba.write_text(before)
    postgresql_server.execute("SELECT pg_reload_conf()")


@pytest.fixture
def told(tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Callable[[str], str]:
    """Return what a command says of a store that it can't use, and look for secrets in it and in every log."""

    def run(url: str) -> str:
        (tmp_path / "registry.toml").write_text(REGISTRY_TOML)
        config = tmp_path / "receiver.toml"
        config.write_text(f'[centre]\nkey_file = "centre.key"\ndatabase = "{url}"\n')
        with caplog.at_level(logging.DEBUG):
            assert main(["database", "upgrade", "--config", str(config)]) == 1
        output = capsys.readouterr()
        assert "Sesame" not in output.out + output.err + caplog.text
        assert output.err.count("\n") == 1
        return output.err

    return run


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("@127.0.0.1:1/d", r"no connection to database d of role guarded on 127.0.0.1:1: .* Connection refused"),
        ("@/d?host=/nowhere", r"database d of role guarded on /nowhere: .* No such file or directory"),
        ("@/d?host=/nowhere&host=/elsewhere", r"on /nowhere, /elsewhere: .* No such file or directory"),
        ("@127.0.0.1/d?no_such_option=1", r"no connection to .*no_such_option"),
        ("@Sesame@h/d", r"centre\.database: an @ in the password of the URL has to be written as %40"),
        ("@h:Sesame/d", r"centre\.database: expected an SQLAlchemy URL such as"),
    ],
    ids=["port", "socket", "two", "option", "at", "no-number"],
)
def test_a_server_that_is_away_is_told_in_one_line(rest: str, expected: str, told: Callable[[str], str]) -> None:
    assert re.search(expected, told(f"postgresql://guarded:{SECRET}{rest}"))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("guarded:Sesame-shut@/postgres", 'role guarded on .* password authentication failed for user "guarded"'),
        ("guarded@/postgres", "role guarded on .* no password supplied"),
        (f"guarded:{SECRET}@/nothing", 'database nothing of .* database "nothing" does not exist'),
        (f"guarded:{SECRET}@/postgres", "the store failed: .* permission denied for schema public"),
        ("diantan@/latin", r"centre\.database: the database is encoded in SQL_ASCII, expected UTF8: make it anew"),
    ],
    ids=["wrong-password", "no-password", "no-database", "no-rights", "encoding"],
)
def test_what_a_server_refuses_is_told_in_one_line(
    address: str, expected: str, guarded: Server, told: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSFILE", "/dev/null")
    assert re.search(expected, told(f"postgresql://{address}?host={guarded.directory}"))


def test_a_server_that_is_too_old_is_refused(
    postgresql_server: Server, told: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "OLDEST", 99)
    said = told(postgresql_server.address("postgres"))
    assert re.search(r"centre\.database: the server is PostgreSQL \d+, expected 99 or newer", said)


def test_the_password_may_be_in_a_file(guarded: Server, tmp_path: Path) -> None:
    file = tmp_path / "pgpass"
    file.write_text(f"*:*:*:guarded:{SECRET}\n")
    file.chmod(0o600)
    engine = database.open_store(f"postgresql://guarded@/postgres?host={guarded.directory}&passfile={file}", Path())
    with database.reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT current_user").scalar() == "guarded"
    engine.dispose()


def test_a_lost_connection_is_an_error_of_the_store_and_to_be_tried_again(postgresql_server: Server) -> None:
    """The intake goes on trying after those of the database, and a command ends with those of the store."""
    engine = database.open_store("postgresql://u@/d?host=/nowhere", Path())
    for kind in (SQLAlchemyError, database.StoreError):
        with pytest.raises(kind) as failed, database.reading(engine):
            pass
        assert "\n" not in cause(failed.value)


@pytest.mark.mosquitto
def test_a_receiver_outlives_its_server(tmp_path: Path, mosquitto: Any, postgresql_durable: Server) -> None:
    server = postgresql_durable
    if not server.answers():
        server.start()
    with a_centre(tmp_path, mosquitto, "ed25519", server.address(server.create())) as centre:
        process = centre.start(centre.config())
        log = tmp_path / "log.txt"

        async def scenario(field: Field) -> None:
            await subscribed(field)
            await field.send(batch(centre.gateway, 1, 64))
            await until(lambda: field.acknowledged() == 64)
            server.crash()
            await field.send(batch(centre.gateway, 65, 64))
            await until(lambda: "1 messages stay unacknowledged" in log.read_text())
            assert field.acknowledged() == 64
            server.start()
            await until(lambda: field.acknowledged() == 128)

        in_the_field(centre, scenario)
        stop(process)
        engine = centre.store()
        assert stored_sequences(engine) == list(range(1, 129))
        engine.dispose()
        text = log.read_text()
        assert "store works again after" in text
        assert "128 records in 2 batches stored, 0 duplicates dropped" in text
