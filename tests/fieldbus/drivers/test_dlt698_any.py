"""Anything that a meter of DL/T 698.45 may say: a value, or an error of the line."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from dlt698_support import NOW, ONE, ZONE, Meters, Site, apdu, by_hand, carbon, reply_to, run
from hypothesis import given, settings
from hypothesis import strategies as st

from diantan_core import Dlt698EncodeError, Dlt698Frame
from fieldbus.drivers.base import ScanLimitError
from fieldbus.exchange import LineError
from profiles import Block
from profiles.dlt698.plan import RecordBlock
from profiles.model import CodecError

PLAIN = Meters()
CARBON = carbon(factor_values=24)
READ = PLAIN.block("frequency", "power", "voltage_a", "voltage_b", "demand_forward", "device_time", "status_1")
(ROW,) = PLAIN.profile.plan_row("daily_freezes", 1, ZONE)
assert isinstance(ROW, RecordBlock)
FACTOR = CARBON.profile.command("factor", {"time": NOW - NOW % 900_000, "carbon_factor": 500_000}, ZONE)
OADS = sorted({*READ.oads, *(item.oad for item in ROW.wanted), ROW.table.oad, 0x4120_0200, 0x4001_0200})

octet = st.integers(0, 255)
oad = st.sampled_from(OADS) | st.integers(0, (1 << 32) - 1)
moment = st.fixed_dictionaries(
    {name: st.sampled_from([0, 1, 12, 60, 255]) for name in ("month", "day", "hour", "minute", "second")}
    | {"year": st.sampled_from([0, 2025, 0xFFFF])}
)
single = st.one_of(
    st.just(("null", None)),
    st.tuples(st.just("double_long"), st.integers(-(1 << 31), (1 << 31) - 1)),
    st.tuples(st.just("long_unsigned"), st.integers(0, 0xFFFF)),
    st.tuples(st.just("long64_unsigned"), st.integers(0, (1 << 64) - 1)),
    st.tuples(st.just("float32"), st.sampled_from([0.0, float("inf"), float("nan"), -1.5])),
    st.tuples(st.just("octet_string"), st.binary(max_size=8)),
    st.tuples(st.just("visible_string"), st.text("A0 \0", max_size=8)),
    st.tuples(st.just("bit_string"), st.text("01", max_size=20)),
    st.tuples(st.just("date_time_s"), moment),
    st.tuples(st.just("ti"), st.fixed_dictionaries({"unit": st.just(1), "interval": st.just(15)})),
)
data = st.recursive(
    single, lambda inner: st.tuples(st.sampled_from(["array", "structure"]), st.lists(inner, max_size=5)), max_leaves=8
)
result = st.tuples(st.just("data"), data) | st.tuples(st.just("dar"), octet)
column = st.one_of(
    st.tuples(st.just("oad"), oad),
    st.tuples(st.just("road"), st.fixed_dictionaries({"oad": oad, "columns": st.lists(oad, max_size=2)})),
)


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    columns = draw(st.lists(column, max_size=4) | st.just([("oad", item.oad) for item in ROW.wanted]))
    cells = st.lists(data, min_size=len(columns), max_size=len(columns))
    rows = st.tuples(st.just("rows"), st.lists(cells, max_size=2))
    return {
        "oad": draw(oad),
        "columns": columns,
        "result": draw(rows | st.tuples(st.just("dar"), octet)),
    }


value = st.fixed_dictionaries({"oad": oad, "result": result})


@st.composite
def replies(draw: st.DrawFn) -> tuple[str, str, dict[str, Any]]:
    """Return service, choice and content of a reply that may be right in all but its content."""
    asked = [{"oad": item, "result": draw(result)} for item in READ.oads]
    values = draw(st.lists(value, max_size=4)) if draw(st.booleans()) else asked
    many = st.lists(records(), max_size=3)
    blocks = st.tuples(st.just("normal_list"), st.just(values)) | st.tuples(st.just("record_list"), many)
    got: st.SearchStrategy[tuple[str, str, dict[str, Any]]] = st.one_of(
        value.map(lambda body: ("get_response", "normal", body)),
        st.just(("get_response", "normal_list", {"results": values})),
        records().map(lambda body: ("get_response", "record", {"record": body})),
        st.fixed_dictionaries(
            {"last": st.booleans(), "block": st.integers(0, 2), "result": blocks | st.tuples(st.just("dar"), octet)}
        ).map(lambda body: ("get_response", "next", body)),
        st.fixed_dictionaries({"oad": oad, "dar": octet}).map(lambda body: ("set_response", "normal", body)),
        st.fixed_dictionaries({"error": octet}).map(lambda body: ("error_response", "", body)),
        st.fixed_dictionaries({"result": octet}).map(lambda body: ("release_response", "", body)),
    )
    return draw(got)


async def ask(site: Site, block: Block) -> None:
    with suppress(LineError, CodecError):
        for item, number in block.decode(await site.driver.read(ONE, block)).items():
            point = next(point for point in block.points if point.name == item)
            assert number % point.resolution == 0


@settings(max_examples=100)
@given(st.lists(replies(), min_size=1, max_size=4))
def test_whatever_a_meter_says_is_a_value_or_an_error_of_the_line(said: list[tuple[str, str, dict[str, Any]]]) -> None:
    asked = 0

    def answer(frame: Dlt698Frame, _: str, content: Any) -> Sequence[bytes]:
        nonlocal asked
        asked += 1
        name, choice, body = said[asked % len(said)]
        request = content[1] if isinstance(content, tuple) else content
        try:
            return [reply_to(frame, apdu(name, choice, **{"piid_acd": request["piid"] | 0x80, **body}))]
        except Dlt698EncodeError:
            return []

    async def scenario(site: Site) -> None:
        for block in (READ, ROW):
            await ask(site, block)
        with suppress(LineError):
            await site.driver.write(ONE, FACTOR)
        with suppress(LineError):
            await site.driver.time_sync(ONE, NOW, ZONE)
        with suppress(ScanLimitError):
            assert len([found async for found in site.driver.scan(most_requests=5)]) <= 1
        assert asked < 100

    run(by_hand(answer), scenario)
