"""Late and corrected factors, from the centre's message to the records: each change once, whatever comes in between."""

import random
from collections import defaultdict
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.config import Meter
from agent.factors import SLOT_MS, FactorBook
from agent.journal import Journal
from agent.journal_entry import Append, FactorUpdate, to_row
from agent.metering import Metering
from agent.reading import Reading
from wire import keys, topics
from wire.envelope import KeyRing, Signer
from wire.messages import Factors
from wire.records import AdjustmentRecord, IntervalRecord, Record

START = 1_767_196_800_000
TOPIC = topics.factor("node-1")
CENTRE = keys.generate()


class Gateway:
    """A meter, the factors and a journal, without tasks and sockets."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "journal.db"
        self.ring = KeyRing()
        self.ring.add(CENTRE.public_key(), "centre")
        self.time_ms, self.register = START, 0
        self.start()
        self.read(0)

    def start(self) -> None:
        """Go on from what is stored."""
        self.journal = Journal.open(self.path, now_ms=0, entropy=lambda n: random.Random().randbytes(n))
        self.metering = Metering(Meter(id="m", profile="p"), interval_ms=SLOT_MS // 3, timezone="Asia/Shanghai")
        if state := self.journal.states().get("m", (None, None))[0]:
            self.metering.restore(state)
        self.book = FactorBook(
            "node-1",
            self.journal.factors(),
            self,  # type: ignore[arg-type]  # stands in for the writer
            self.ring,
            now_ms=lambda: self.time_ms,
            default=None,
            hold_ms=SLOT_MS,
        )

    def submit(self, operation: Append | FactorUpdate) -> None:
        """Write at once."""
        self.journal.commit([operation])

    def read(self, energy_mwh: int) -> None:
        """Read the meter at the end of a third of a slot."""
        self.register += energy_mwh
        records = self.metering.feed(Reading("m", self.time_ms, self.register, 0), self.book.schedule)
        self.submit(Append([to_row(record) for record in records], {"m": self.metering.take_state()}))
        self.time_ms += SLOT_MS // 3

    def dispatch(self, first: int, factors: list[int | None], issued: int) -> None:
        """Take a message about slots from `first` on."""
        message = Factors("node-1", b"s", issued, SLOT_MS, START + first * SLOT_MS, tuple(factors))
        assert self.book.message(TOPIC, Signer(CENTRE).sign(message.encode(), TOPIC))


FACTORS = st.lists(st.sampled_from([None, 0, 123_457, 581_000]), min_size=1, max_size=5)
STEPS = st.lists(
    st.one_of(
        st.integers(0, 10**7),
        st.tuples(st.integers(0, 2), FACTORS, st.integers(1, 9)),
        st.just("restart"),
    ),
    min_size=15,
    max_size=40,
)


def check(records: list[Record], said: dict[int, tuple[int, int | None]]) -> None:
    """Follow each interval's factor from the one used to the last one that the centre gave; add up the carbon."""
    changes: dict[int, list[AdjustmentRecord]] = defaultdict(list)
    for record in records:
        if isinstance(record, AdjustmentRecord):
            changes[record.start_ms].append(record)
    exact_ng = told_ug = 0
    for interval in (record for record in records if isinstance(record, IntervalRecord)):
        factor = interval.factor
        for change in changes.pop(interval.start_ms, []):
            assert change.factor_used == factor != change.factor_now
            assert (change.duration_ms, change.forward_mwh) == (interval.duration_ms, interval.forward_mwh)
            factor = change.factor_now
            told_ug += change.carbon_forward_ug
        slot = (interval.start_ms - START) // SLOT_MS
        if slot in said:
            assert factor == said[slot][1]
        exact_ng += interval.forward_mwh * ((factor or 0) - (interval.factor or 0))
    assert not changes
    assert told_ug == exact_ng // 1000


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_each_change_of_a_factor_adjusts_each_interval_once(steps: list[Any], tmp_path_factory: Any) -> None:
    """Messages overlap, repeat, come late, early and out of order; the process restarts between them."""
    gateway = Gateway(tmp_path_factory.mktemp("journal"))
    said: dict[int, tuple[int, int | None]] = {}
    for step in steps:
        if step == "restart":
            gateway.journal.close()
            gateway.start()
        elif isinstance(step, int):
            gateway.read(step)
        else:
            first, factors, issued = step
            gateway.dispatch(first, factors, issued)
            for slot, factor in enumerate(factors, first):
                if issued > said.get(slot, (0, None))[0]:
                    said[slot] = issued, factor
    records = gateway.journal.read(1, 4096).records
    gateway.journal.close()
    check(records, said)


def test_records_of_a_generating_unit_stay_as_they_are(tmp_path: Path) -> None:
    """The factor of the node says nothing of what a unit emits."""
    gateway = Gateway(tmp_path)
    gateway.journal.own_factor = frozenset({"m"})
    gateway.read(1000)
    gateway.dispatch(0, [581_000], 1)
    assert not [record for record in gateway.journal.read(1, 100).records if isinstance(record, AdjustmentRecord)]
    gateway.journal.own_factor = frozenset()
    gateway.dispatch(0, [600_000], 2)
    assert [record for record in gateway.journal.read(1, 100).records if isinstance(record, AdjustmentRecord)]
    gateway.journal.close()
