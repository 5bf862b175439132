"""Order logs of chargers on Modbus: where each order stands, and what its registers say."""

import re
from pathlib import Path
from typing import Any

import pytest

from profiles import ProfileError, load
from profiles.loader import parse
from profiles.modbus.orders import CountBlock, OrderBlock, RegisterOrders
from profiles.model import CodecError, LoggedOrder, OrderLog

ZONE = "Asia/Shanghai"
TEXT = (Path(__file__).parents[3] / "docs" / "profiles.md").read_text("utf-8")
(EXAMPLE,) = re.findall(r"```toml\n(\[orders\].*?)```", TEXT, flags=re.DOTALL)
HEAD = """
[meter]
model = "C1"
manufacturer = "Maker"
protocol = "modbus"
source = "manual 1.0"
[modbus]
function = 3
[points]
energy_forward = { address = 0x10, type = "uint32", unit = "kWh", scale = "0.01" }
"""
# The worked example of docs/profiles.md: order 1042 of the charger, from register 0x2028 on.
ROW = bytes.fromhex(
    "3201 0600 0190 2609 2109 3000 0007 FFFF  2609 2109 3000  2609 2110 1530"
    "0000 04D2  0001 86A0  0001 8B72  0000 05D5  0412  0000"
    "6AAF 4A48 6AAF 4D00 0250 2EE0 0000 0000  0000 0000 0000 0000 0000 0000 0000 0000"
)


def orders_of(text: str) -> OrderLog:
    found = parse(HEAD + text, "c1.toml", "c1").orders
    assert isinstance(found, RegisterOrders)
    return found


def problems(text: str) -> list[str]:
    with pytest.raises(ProfileError) as caught:
        parse(HEAD + text, "c1.toml", "c1")
    return [str(problem) for problem in caught.value.problems]


def read(log: OrderLog, order: int, count: int, registers: dict[int, bytes]) -> LoggedOrder:
    """Return an order read from octets that begin at a register."""
    values: dict[str, int] = {}
    for block in log.order_blocks(order, count, ZONE)[:-1]:
        assert isinstance(block, OrderBlock)
        ((start, octets),) = registers.items()
        offset = 2 * (block.address - start)
        values |= block.decode(octets[offset : offset + 2 * block.count])
    return log.order(values, ZONE)


def test_the_worked_example_of_the_documentation_reads_as_it_says() -> None:
    order = read(orders_of(EXAMPLE), 1042, 1050, {0x2028: ROW})
    assert order.index == 1042
    assert order.texts == {"number": "3201060001902609210930000007"}
    assert order.numbers == {
        "start": 1_789_954_200_000,  # 2026-09-21 09:30 in Shanghai
        "end": 1_789_956_930_000,
        "energy": 12_340_000,
        "start_total": 1_000_000_000,
        "end_total": 1_012_340_000,
        "amount": 149_300,
    }
    (period,) = order.periods
    assert period == {"start": 0x6AAF4A48 * 1000, "end": 0x6AAF4D00 * 1000, "energy": 5_920_000, "price": 1_200_000}
    shown = TEXT.split("Worked example")[1].split("\n## ")[0]
    for told in re.findall(r"`([0-9A-F]{4}(?: [0-9A-F]{4})*)`", shown):
        assert told.replace(" ", "").lower() in ROW.hex(), told
    assert "3201060001902609210930000007" in shown


@pytest.mark.parametrize(
    ("first", "raw", "count"),
    [(1, 0, 0), (1, 1, 1), (1, 65535, 65535), (0, 0, 1), (0, 41, 42), (0, 65535, 0)],
)
def test_a_counter_says_the_number_of_the_newest_order(first: int, raw: int, count: int) -> None:
    block = orders_of(EXAMPLE.replace('type = "uint16"\n', f'type = "uint16"\nfirst = {first}\n', 1)).count_block()
    assert isinstance(block, CountBlock)
    assert (block.function, block.address, block.count) == (3, 0x1FF0, 1)
    assert block.decode(raw.to_bytes(2, "big")) == {"count": count}


def test_a_counter_without_a_value_is_none_yet() -> None:
    log = orders_of(EXAMPLE.replace('type = "uint16"\n', 'type = "uint16"\nfirst = 0\nmissing = 0xFFFF\n', 1))
    assert log.count_block().decode(b"\xff\xff") == {"count": 0}
    assert log.count_block().decode(b"\x00\x00") == {"count": 1}


def address(log: OrderLog, order: int, count: int) -> int:
    block = log.order_blocks(order, count, ZONE)[0]
    assert isinstance(block, OrderBlock)
    return block.address


def test_rows_of_a_ring_go_round_and_those_of_a_stack_move() -> None:
    ring = orders_of(EXAMPLE)
    assert [address(ring, order, 41) for order in (22, 40, 41)] == [0x2000 + 40 * row for row in (1, 19, 0)]
    stack = orders_of(EXAMPLE.replace("rows = 20", 'rows = 20\nplacement = "newest-first"', 1))
    assert [address(stack, order, 41) for order in (22, 40, 41)] == [0x2000 + 40 * row for row in (19, 1, 0)]
    for log in (ring, stack):
        for order in (21, 42):
            with pytest.raises(IndexError, match="not among the last 20 of 41"):
                log.order_blocks(order, 41, ZONE)


def test_a_counter_that_went_round_leads_to_the_rows_before_it() -> None:
    ring = orders_of(EXAMPLE)
    assert ring.wraps_at == 65536
    assert address(ring, 65535, 3) == 0x2000 + 40 * (65534 % 20)
    assert address(ring, 2, 3) == 0x2000 + 40


def test_a_row_is_read_in_as_few_requests_as_fit_and_no_field_is_cut() -> None:
    blocks = load("sim-charger").orders
    assert blocks is not None
    found = blocks.order_blocks(33, 40, ZONE)
    assert [(block.address, block.count) for block in found if isinstance(block, OrderBlock)] == [
        (0x5010, 124),
        (0x5010 + 124, 52),
    ]
    assert isinstance(found[-1], CountBlock)  # so that a row read while the counter moved is found out


def test_a_charger_that_answers_for_named_registers_only_is_asked_for_no_other() -> None:
    log = parse(HEAD.replace("function = 3", "function = 3\ngap_cost = 0") + EXAMPLE, "c1.toml", "c1").orders
    assert log is not None
    asked = [
        (block.address - 0x2000, block.count) for block in log.order_blocks(1, 1, ZONE) if type(block) is OrderBlock
    ]
    assert asked == [(0, 23), (24, 6), (32, 6)]


FIELD = 'number        = { offset = 0, registers = 8, text = "bcd" }'


def number_of(field: str, octets: bytes) -> Any:
    log = orders_of(EXAMPLE.replace(FIELD, f"number = {{ offset = 0, {field} }}"))
    return read(log, 1, 1, {0x2000: octets + ROW[16:]}).texts.get("number")


@pytest.mark.parametrize(
    ("field", "octets", "text"),
    [
        ('registers = 8, text = "bcd"', bytes(16), None),
        ('registers = 8, text = "bcd"', b"\xff" * 16, None),
        (
            'registers = 8, text = "bcd"',
            bytes.fromhex("00120000000000000000000000000034"),
            "00120000000000000000000000000034",
        ),
        ('registers = 8, text = "bcd", word_order = "BADC"', bytes.fromhex("34127856FFFF") + b"\xff" * 10, "12345678"),
        ('registers = 8, text = "ascii"', b"ORDER-7\0garbage!", "ORDER-7"),
        ('registers = 8, text = "ascii"', b"ORDER-7         ", "ORDER-7"),
        ('registers = 8, text = "ascii"', b"ORDER-7" + b"\xff" * 9, "ORDER-7"),
        ('registers = 8, text = "ascii"', bytes(16), None),
        ('registers = 8, text = "ascii"', b" " * 16, None),
        ('registers = 8, text = "ascii", word_order = "BADC"', b"ROED-R\x007" + bytes(8), "ORDER-7"),
        ('registers = 8, text = "utf-8"', "单-7".encode().ljust(16, b"\0"), "单-7"),
        ('registers = 8, text = "gb18030"', "单-7".encode("gb18030").ljust(16, b"\0"), "单-7"),
        ('type = "uint64"', (10**18).to_bytes(8, "big") + bytes(8), str(10**18)),
    ],
)
def test_the_number_of_an_order_is_read_in_every_encoding(field: str, octets: bytes, text: str | None) -> None:
    assert number_of(field, octets) == text


@pytest.mark.parametrize(
    ("field", "octets", "said"),
    [
        ('registers = 8, text = "bcd"', bytes.fromhex("12A4") + bytes(14), "number: expected decimal digits, got 12a4"),
        ('registers = 8, text = "ascii"', b"\x80" * 16, "number: expected ascii, got 8080"),
        ('registers = 8, text = "utf-8"', b"\xe5\x8d" + b"\xff" * 14, "number: expected utf-8"),
    ],
)
def test_octets_that_are_no_text_are_an_error(field: str, octets: bytes, said: str) -> None:
    with pytest.raises(CodecError, match=said):
        number_of(field, octets)


@pytest.mark.parametrize(
    ("bcd", "octets", "time_ms"),
    [
        ("YYMMDDhhmmss", "2609 2109 3000", 1_789_954_200_000),
        ("YYYYMMDDhhmmss00", "2026 0921 0930 0000", 1_789_954_200_000),
        ("ssmmhhDDMMYY", "0030 0921 0926", 1_789_954_200_000),
        ("YYMMDDhhmmss", "0000 0000 0000", None),
        ("YYMMDDhhmmss", "FFFF FFFF FFFF", None),
    ],
)
def test_times_in_bcd_are_local_times_of_the_station(bcd: str, octets: str, time_ms: int | None) -> None:
    text = EXAMPLE.replace(
        'start         = { offset = 8, bcd = "YYMMDDhhmmss" }', f'start = {{ offset = 30, bcd = "{bcd}" }}'
    )
    text = text.split("[orders.periods]")[0]
    registers = ROW[:60] + bytes.fromhex(octets) + bytes(20)
    assert read(orders_of(text), 1, 1, {0x2000: registers}).numbers.get("start") == time_ms


@pytest.mark.parametrize("octets", ["2613 2109 3000", "2609 3109 3000", "2609 2125 3000", "26A9 2109 3000"])
def test_digits_that_are_no_time_are_an_error(octets: str) -> None:
    registers = ROW[:16] + bytes.fromhex(octets) + ROW[22:]
    with pytest.raises(CodecError, match=r"start: expected (YYMMDDhhmmss|decimal digits), got"):
        read(orders_of(EXAMPLE), 1, 1, {0x2000: registers})


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (FIELD, "", "orders.fields.number: expected a field of every order log, found nothing"),
        (FIELD, FIELD.replace("bcd", "ebcdic"), "orders.fields.number.text: expected one of ascii"),
        (FIELD, FIELD.replace("registers = 8, ", ""), "orders.fields.number.registers: expected an integer 1..128"),
        (FIELD, FIELD.replace("}", ", zzz = 1 }"), "orders.fields.number.zzz: expected one of the known keys"),
        (
            FIELD,
            'number = { offset = 0, type = "float32", resolution = 1 }',
            "number.type: expected a text, or an integer",
        ),
        ("YYMMDDhhmmss", "YYMMDDhhmm", "orders.fields.start.bcd: expected YY or YYYY, MM DD"),
        ("YYMMDDhhmmss", "YYYYMMDDhhmmss", "orders.fields.start.bcd: expected YY or YYYY, MM DD"),
        (
            "offset = 8,",
            "offset = 7,",
            "orders.fields.start.offset: expected registers of its own: orders.fields.number",
        ),
        ("offset = 22,", "offset = 40,", "orders.fields.index.offset: expected registers within the stride of 40"),
        ("address = 0x2000", "address = 0x10", "orders.address: expected registers of its own: points.energy_forward"),
        ("address = 0x1FF0", "address = 0x2005", "orders.counter.address: expected registers of its own: orders takes"),
        ("rows = 20", "rows = 2000", "orders.rows: expected registers up to 65535"),
        ("rows = 2\n", "rows = 3\n", "orders.periods.rows: expected registers within the stride of 40"),
        ('type = "uint16"\n', 'type = "int16"\n', "orders.counter.type: expected an unsigned integer of scale 1"),
        ("stride = 40", 'stride = 40\nplacement = "heap"', "orders.placement: expected one of ring, newest-first"),
        ("stride = 40", "stride = 40\nzzz = 1", "orders.zzz: expected one of the known keys"),
        ("[orders.fields]", "[orders.fields]\nprice = {}", "orders.fields.price: expected one of the standard names"),
    ],
)
def test_mistakes_are_named_with_their_key(old: str, new: str, said: str) -> None:
    assert old in EXAMPLE
    found = problems(EXAMPLE.replace(old, new, 1))
    assert any(said in line for line in found), found


@pytest.mark.parametrize("table", ["[orders]", "[orders.counter]", "[orders.periods]"])
def test_every_key_is_explained(table: str) -> None:
    (line,) = [line for line in problems(EXAMPLE.replace(table, f"{table}\nzzz = 1", 1)) if "zzz" in line]
    known = line.split("known keys ")[1].split(", found")[0].split(", ")
    section = TEXT.split("## Order log")[1].split("\n## ")[0] + TEXT.split("| key of `[modbus]`")[1]
    assert [key for key in known if f"`{key}`" not in section] == []


def test_a_meter_without_the_section_has_no_order_log() -> None:
    assert load("sim-carbon-meter").orders is None
    assert load("dlt645-dc-charger").orders is None


def bcd(date: str, time: str) -> bytes:
    return bytes.fromhex((date + time).replace("-", "").replace(":", ""))


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("01:00:00", "02:30:00", 1.5),  # nothing says that it is the second time: the first
        ("01:00:00", "03:30:00", 3.5),
        ("02:50:00", "02:20:00", 0.5),
        ("02:20:00", "02:20:00", 0.0),
        ("03:30:00", "03:10:00", -20 / 60),  # no hour that came twice: the gateway tells that it is none
    ],
)
def test_an_order_over_the_hour_that_came_twice(start: str, end: str, hours: float) -> None:
    # In Oslo 03:00 on 25 October 2026 was 02:00 once more.
    log = orders_of(EXAMPLE)
    row = ROW[:16] + bcd("26-10-25", start) + bcd("26-10-25", end) + ROW[28:]
    values: dict[str, int] = {}
    for block in log.order_blocks(1042, 1050, "Europe/Oslo")[:-1]:
        offset = 2 * (block.address - 0x2028)
        values |= block.decode(row[offset : offset + 2 * block.count])
    numbers = log.order(values, "Europe/Oslo").numbers
    assert numbers["end"] - numbers["start"] == round(hours * 3_600_000)
