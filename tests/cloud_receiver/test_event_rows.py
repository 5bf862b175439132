"""Events are found without passing by means of voltage, of which there are four a day and meter."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from receiver_support import DAY_MS, enrol
from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.event import listen, remove

from cloud_receiver import database, event_rows
from cloud_receiver.checks import journals
from cloud_receiver.checks.journals import Journal, Replaced
from cloud_receiver.estimation.load import Reader
from cloud_receiver.schema import event, gateway, journal
from cloud_receiver.validation.load import _clock_events
from wire.records import DetailKey, EventCode


@dataclass
class Store:
    engine: Engine

    def plans(self, work: Callable[[Connection], object]) -> list[str]:
        """Return how the store looks into the table of events for some work."""
        asked: list[tuple[str, Any]] = []

        def note(*told: Any) -> None:
            asked.append((told[2], told[3]))

        listen(self.engine, "before_cursor_execute", note)
        with database.reading(self.engine) as connection:
            work(connection)
        remove(self.engine, "before_cursor_execute", note)
        with database.reading(self.engine) as connection:
            return [
                row.detail
                for statement, parameters in asked
                if "FROM event" in statement
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                if " event " in row.detail
            ]


@pytest.fixture
def store(engine: Engine) -> Store:
    """Return a store with two journals, the second of which names the end of the first."""
    enrol(engine, "gw1")
    with database.writing(engine) as connection:
        number = connection.execute(select(gateway.c.id)).scalar_one()
        connection.execute(
            insert(journal),
            [
                {"id": place, "gateway": number, "context": b"journal%d" % place, "opened_ms": DAY_MS + place}
                for place in (1, 2)
            ],
        )
        named = f'{{"{int(DetailKey.PREVIOUS_CONTEXT)}": "{b"journal1".hex()}", "{int(DetailKey.LAST_SEQUENCE)}": 7}}'
        codes = [(1, EventCode.CONTEXT_OPENED, "{}"), (2, EventCode.CONTEXT_OPENED, named), (2, EventCode.GAP, "{}")]
        codes += [(2, EventCode.VOLTAGE_MEANS, "{}"), (2, EventCode.METER_CLOCK_OFF, "{}")]
        connection.execute(
            insert(event),
            [
                {"station": 1, "time_ms": DAY_MS, "meter": 1, "journal": own, "sequence": place + 1}
                | {"code": int(code), "details": details}
                for place, (own, code, details) in enumerate(codes)
            ],
        )
    return Store(engine)


def test_what_a_journal_names_is_found_by_the_journal(store: Store) -> None:
    former, later = (Journal(place, b"journal%d" % place, DAY_MS + place, 0, has_records=True) for place in (1, 2))
    found: list[Any] = []
    plans = store.plans(lambda at: found.extend(journals.losses(at, Replaced("gw1", later, former))))
    assert plans == ["SEARCH event USING INDEX ix_event_journal_sequence (journal=?)"]
    [loss] = found
    assert (loss.told_to, loss.exact) == (7, True)


@pytest.mark.parametrize(
    "work",
    [
        lambda at: Reader(at.engine, 1, DAY_MS, DAY_MS + 1, inverted=()),
        lambda at: _clock_events(at, 1, DAY_MS + 1),
        lambda at: at.execute(
            select(event.c.time_ms).where(event.c.station == 1, event_rows.told([EventCode.GAP, EventCode.RESET]))
        ).all(),
    ],
    ids=["imported", "clocks", "register"],
)
def test_other_codes_are_found_by_the_code(store: Store, work: Callable[[Connection], object]) -> None:
    plans = store.plans(work)
    assert plans
    told = ("ix_event_station_code_time_ms (station=? AND code=?", "PRIMARY KEY (station=? AND time_ms=?)")
    assert [plan for plan in plans if not any(how in plan for how in told)] == []
    assert told[0] in plans[0]


def test_codes_are_found_and_means_of_voltage_are_not(store: Store) -> None:
    def count(condition: Any) -> int:
        with database.reading(store.engine) as connection:
            return len(connection.execute(select(event.c.sequence).where(condition)).all())

    assert count(event_rows.OPENED) == 2
    assert count(event_rows.MEANS) == 1
    assert count(event_rows.told(EventCode)) == 4
