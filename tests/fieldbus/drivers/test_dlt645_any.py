"""Any value that a meter of DL/T 645-2007 may show, and anything it may say."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from dlt645_support import (
    ONE,
    TWO,
    ZONE,
    Site,
    face,
    run,
    served,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from diantan_core import Dlt645Frame, dlt645_build
from fieldbus.exchange import LineError
from firmware_sim.faces.dlt645 import Dlt645Face
from profiles import Point, load
from profiles.dlt645.codec import quantise
from profiles.dlt645.model import ItemPoint
from profiles.model import CodecError
from profiles.points import Quantity


@dataclass
class Shown:
    """A meter that shows what it is told to."""

    shown: dict[str, int | None]

    def values(self, _now_ms: int) -> dict[str, int | None]:
        return self.shown

    def row(self, _table: str, _number: int, _now_ms: int) -> dict[str, int | None]:
        return {}

    def apply(self, _write: str, _fields: dict[str, int | None], _now_ms: int) -> None:
        raise ValueError


MODEL = load("dlt645-three-phase")
PLAN = MODEL.plan(MODEL.points.values(), ZONE)


def shown_by(point: Point) -> st.SearchStrategy[int | None]:
    if point.quantity is Quantity.TIME:
        return st.integers(1_000_000_000_000, 4_000_000_000_000)
    return st.one_of(st.none(), st.integers(-(10**12), 10**12))


@settings(max_examples=40)
@given(st.fixed_dictionaries({name: shown_by(point) for name, point in MODEL.points.items()}))
def test_what_a_meter_shows_is_what_is_read(shown: dict[str, int | None]) -> None:
    """Each value as its field can show it; one that is not there is absent, and no word has no value."""

    async def scenario(site: Site) -> dict[str, int]:
        found: dict[str, int] = {}
        for block in PLAN:
            found |= block.decode(await site.driver.read(ONE, block))
        return found

    found = run(served(Dlt645Face({"m": (ONE, MODEL, Shown(shown))}, ZONE)), scenario)
    for point in MODEL.points.values():
        assert isinstance(point, ItemPoint)
        value = shown[point.name]
        if point.name == "communication_address":
            assert found[point.name] == int(ONE)
        elif value is None and point.name.startswith("status_"):
            assert found[point.name] == 0xFFFF
        else:
            assert found.get(point.name) == (None if value is None else quantise(point, value)), point.name


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([ONE, TWO, "AAAAAAAAAAAA"]),
            st.integers(0, 255),
            st.sampled_from([b"", b"\x00\x00\x01\x00", b"\x00\xff\x01\x00"]),
            st.binary(max_size=24),
        ),
        max_size=4,
    )
)
def test_whatever_a_meter_says_is_a_value_or_an_error_of_the_line(said: list[tuple[str, int, bytes, bytes]]) -> None:
    octets = [Dlt645Frame(address, control, begin + rest).encode() for address, control, begin, rest in said]
    energy = MODEL.points["energy_forward"]
    (block,) = MODEL.plan([energy], ZONE)

    async def scenario(site: Site) -> None:
        for ask in (
            lambda: site.driver.read(ONE, block),
            site.driver.read_address,
            lambda: site.driver.freeze(ONE),
            lambda: site.driver.change_baud(ONE, 9600, 2400, lambda _: None),
        ):
            try:
                reply = await ask()
            except LineError:
                continue
            if isinstance(reply, bytes):
                with suppress(CodecError):
                    assert block.decode(reply)["energy_forward"] % energy.resolution == 0
            elif reply is not None:
                assert reply in (ONE, TWO) or (len(reply) == 12 and reply.isdecimal())

    run(lambda _: octets, scenario)


# What a meter says that it has not


def test_what_a_meter_has_not_is_asked_for_less_and_less_and_found_when_it_comes() -> None:
    """A meter that gets its power back may refuse everything with "other" for a while."""
    subject = served(face(ONE))
    voltages = [MODEL.points[f"voltage_{phase}"] for phase in "abc"]
    (block,) = MODEL.plan(voltages, ZONE)
    awake = False

    def line(data: bytes) -> Sequence[bytes]:
        refusal = dlt645_build(ONE, {"kind": "read", "reply": True, "error": 1}).encode()
        return subject(data) if awake else [refusal]

    async def scenario(site: Site) -> None:
        nonlocal awake

        async def asked_after(seconds: float) -> int:
            before = site.far.asked
            await asyncio.sleep(seconds)
            with suppress(CodecError):
                block.decode(await site.driver.read(ONE, block))
            return site.far.asked - before

        assert [await asked_after(wait) for wait in (0, 59, 2, 60, 61)] == [4, 0, 4, 0, 4]
        for _ in range(10):
            await asked_after(4000)
        assert await asked_after(3500) == 0
        awake = True
        assert await asked_after(200) == 1
        assert len(block.decode(await site.driver.read(ONE, block))) == 3

    run(line, scenario)
