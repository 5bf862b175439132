"""Data identifiers of DL/T 645-2007 and their exact values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diantan_core import Dlt645Error, Dlt645Value, dlt645_decode, dlt645_encode, dlt645_item

PARTS = ["YY", "MM", "DD", "WW", "hh", "mm", "ss"]
NAMES = dict(zip(PARTS, ["year", "month", "day", "weekday", "hour", "minute", "second"], strict=True))
PRIVATE = 0xDEADBEEF


@st.composite
def fields(draw: st.DrawFn) -> tuple[str, Dlt645Value]:
    """Return a format and a value that it holds."""
    kind = draw(st.sampled_from(["decimal", "signed", "moment", "digits", "ascii", "bits"]))
    size = draw(st.integers(1, 8))
    value: Dlt645Value
    if kind in ("decimal", "signed"):
        decimals = draw(st.integers(0, 2 * size - 1))
        whole = "X" * (2 * size - decimals)
        text = whole + ("." + "X" * decimals if decimals else "")
        if kind == "signed":
            bound = 8 * 10 ** (2 * size - 1) - 1
            return "±" + text, (draw(st.integers(-bound, bound)), -decimals)
        return text, (draw(st.integers(0, 10 ** (2 * size) - 1)), -decimals)
    if kind == "moment":
        parts = draw(st.lists(st.sampled_from(PARTS), min_size=1, max_size=7, unique=True))
        return "".join(parts), {NAMES[part]: draw(st.integers(0, 99)) for part in parts}
    if kind == "digits":
        return f"digits:{size}", draw(st.text("0123456789", min_size=2 * size, max_size=2 * size))
    if kind == "ascii":
        printable = st.characters(min_codepoint=32, max_codepoint=126)
        return f"ascii:{size}", draw(st.text(printable, max_size=size))
    value = draw(st.integers(0, 256**size - 1))
    return f"bits:{size}", value


@given(st.lists(fields(), min_size=1, max_size=5))
def test_values_are_read_as_they_were_written(pairs: list[tuple[str, Dlt645Value]]) -> None:
    formats, values = [text for text, _ in pairs], [value for _, value in pairs]
    data = dlt645_encode(PRIVATE, values, formats)
    assert dlt645_decode(PRIVATE, data, formats) == values
    thrice = dlt645_encode(PRIVATE, values * 3, formats, repeats=True)
    assert thrice == data * 3
    assert dlt645_decode(PRIVATE, thrice, formats, repeats=True) == values * 3


@given(st.lists(fields(), min_size=1, max_size=3), st.binary(max_size=30), st.booleans())
def test_any_bytes_are_read_or_refused(pairs: list[tuple[str, Dlt645Value]], data: bytes, repeats: bool) -> None:
    formats = [text for text, _ in pairs]
    try:
        values = dlt645_decode(PRIVATE, data, formats, repeats=repeats)
    except Dlt645Error:
        return
    assert (
        dlt645_decode(PRIVATE, dlt645_encode(PRIVATE, values, formats, repeats=repeats), formats, repeats=repeats)
        == values
    )


@pytest.mark.parametrize(
    ("di", "data", "values"),
    [
        (0x00010000, "78563412", [(12345678, -2)]),
        (0x00000000, "99999979", [(79999999, -2)]),
        (0x00000000, "99999999", [(-19999999, -2)]),
        (0x00010300, "00000000", [(0, -2)]),
        (0x02020100, "994980", [(-4999, -3)]),
        (0x02030000, "122500", [(2512, -4)]),
        (0x02060000, "0090", [(-1000, -3)]),
        (0x02070100, "2501", [(1_25, -1)]),
        (0x02800002, "0050", [(5000, -2)]),
        (0x02800007, "5280", [(-52, -1)]),
        (0x01010000, "34120030080203 26", [(1234, -4), {"year": 26, "month": 3, "day": 2, "hour": 8, "minute": 30}]),
        (0x04000101, "05201126", [{"year": 26, "month": 11, "day": 20, "weekday": 5}]),
        (0x04000102, "585923", [{"hour": 23, "minute": 59, "second": 58}]),
        (0x04000401, "129078563412", ["123456789012"]),
        (0x04000501, "0180", [0x8001]),
        (0x04000B01, "0001", [{"day": 1, "hour": 0}]),
        (0x05060001, "0000020326", [{"year": 26, "month": 3, "day": 2, "hour": 0, "minute": 0}]),
        (0x06000000, "a0a0ff", [b"\xa0\xa0\xff"]),
    ],
)
def test_known_identifiers_have_their_values(di: int, data: str, values: list[Dlt645Value]) -> None:
    assert dlt645_decode(di, bytes.fromhex(data)) == values
    assert dlt645_encode(di, values) == bytes.fromhex(data)


@pytest.mark.parametrize("tariffs", [0, 1, 4, 12, 62])
@pytest.mark.parametrize("di", [0x0001FF00, 0x0002FF00, 0x0001FF03, 0x05060101, 0x05060201])
def test_a_block_has_as_many_tariffs_as_the_meter(di: int, tariffs: int) -> None:
    values: list[Dlt645Value] = [(number, -2) for number in range(tariffs + 1)]
    data = dlt645_encode(di, values)
    assert len(data) == 4 * (1 + tariffs)
    assert dlt645_decode(di, data) == values
    with pytest.raises(Dlt645Error, match="one or more elements of 4 bytes"):
        dlt645_decode(di, data + b"\x00")
    with pytest.raises(Dlt645Error, match="one or more elements"):
        dlt645_decode(di, b"")


def test_a_demand_block_repeats_value_and_time() -> None:
    time = {"year": 26, "month": 1, "day": 31, "hour": 12, "minute": 15}
    values: list[Dlt645Value] = [(1, -4), time, (799999, -4), time]
    assert dlt645_decode(0x0101FF00, dlt645_encode(0x0101FF00, values)) == values


@pytest.mark.parametrize(
    ("di", "data", "told", "offset"),
    [
        (0x00010000, "0A000000", "got 0AH", 0),
        (0x00010000, "000000A0", "got A0H", 3),
        (0x00010000, "FFFFFFFF", "got FFH", 3),
        (0x02010100, "FFFF", "got FFH", 1),
        # The sign is only in the top bit: what is left has to be decimal.
        (0x02020100, "0000FF", "got FFH", 2),
        (0x0001FF00, "00000000 0000B000", "got B0H", 6),
        (0x04000401, "12907856341A", "got 1AH", 5),
        (0x04000101, "0F201126", "got 0FH", 0),
        (0x04000404, "000041004243", "got 00H", 3),
        (0x04000404, "0000807F4243", "got 7FH", 3),
    ],
)
def test_what_is_not_decimal_is_never_a_value(di: int, data: str, told: str, offset: int) -> None:
    with pytest.raises(Dlt645Error, match=told) as refused:
        dlt645_decode(di, bytes.fromhex(data))
    assert refused.value.offset == offset


@pytest.mark.parametrize(
    ("value", "text", "told"),
    [
        ((10000, -1), "XXX.X", "from 0 to 9999, got 10000"),
        ((-1, -1), "XXX.X", "from 0 to 9999, got -1"),
        ((8000, -1), "±XXX.X", "from -7999 to 7999, got 8000"),
        ((1, -2), "XXX.X", "more than 1 decimals"),
        ((1, 18), "XXX.X", "at most 16 digits"),
        ((1, -(2**31)), "XXX.X", "more than 1 decimals"),
        ((1, 2**31 - 1), "XXX.X", "at most 16 digits"),
        ({"hour": 1}, "hhmm", "exactly the parts"),
        ({"hour": 1, "minute": 2, "second": 3}, "hhmm", "exactly the parts"),
        ({"hour": 100}, "hh", "hour from 0 to 99, got 100"),
        ("123", "digits:2", "twice as many decimal digits"),
        ("12A4", "digits:2", "twice as many decimal digits"),
        ("abc", "ascii:2", "at most, got 3|expected 2 bytes for a text"),
        ("é", "ascii:4", "printable ASCII"),
        (256, "bits:1", "a status word that fits"),
        (1, "XXX.X", "a value of the kind that the format has"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(value: Dlt645Value, text: str, told: str) -> None:
    with pytest.raises(Dlt645Error, match=told):
        dlt645_encode(PRIVATE, [value], [text])


@pytest.mark.parametrize(("mantissa", "exponent"), [(5, 0), (50, -1), (5000, -3)])
def test_a_number_may_come_with_any_exponent_that_is_exact(mantissa: int, exponent: int) -> None:
    assert dlt645_encode(PRIVATE, [(mantissa, exponent)], ["XX.XX"]) == b"\x00\x05"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "X",
        "XXX",
        "XX.",
        ".XX",
        "X.X.X",
        "±",
        "X" * 18,
        "YY YY",
        "YYYY",
        "MMmmMM",
        "digits:0",
        "digits:17",
        "bits:9",
        "ascii:65",
        "ascii:",
        "ascii:-1",
        "float:4",
        "RAW",
        "-XX",
        "XX±",
    ],
)
def test_a_format_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Dlt645Error, match="expected a format such as"):
        dlt645_decode(PRIVATE, b"\x00", [text])


def test_a_private_identifier_needs_formats() -> None:
    # A charger's DC meter: current in 4 bytes of 0.0001 A where the standard has 3 of 0.001 A.
    assert dlt645_item(PRIVATE) is None
    with pytest.raises(Dlt645Error, match="DEADBEEF") as refused:
        dlt645_decode(PRIVATE, b"\x00")
    assert refused.value.offset == 0
    assert dlt645_decode(0x02000100, bytes.fromhex("00505312"), ["XXXX.XXXX"]) == [(12535000, -4)]


def test_raw_takes_what_is_left_but_does_not_repeat() -> None:
    assert dlt645_decode(PRIVATE, b"\x12\x34\x56", ["XX", "raw"]) == [(12, 0), b"\x34\x56"]
    assert dlt645_decode(PRIVATE, b"\x12\x34\x56", ["raw", "XX"]) == [b"\x12\x34", (56, 0)]
    with pytest.raises(Dlt645Error, match="at most one format without a length"):
        dlt645_decode(PRIVATE, b"\x12", ["raw"], repeats=True)
    with pytest.raises(Dlt645Error, match="at most one format without a length"):
        dlt645_encode(PRIVATE, [b"", b""], ["raw", "raw"])


def test_no_float_and_no_bool_is_a_value() -> None:
    for value in (1.5, True, (1.5, 0)):
        with pytest.raises(TypeError):
            dlt645_encode(PRIVATE, [value], ["XX"])  # type: ignore[list-item]  # refusing it is the point


@pytest.mark.parametrize(
    ("di", "name", "chinese", "layout"),
    [
        (0x00000000, "combined active energy total", "当前组合有功电能（总）", ("±XXXXXX.XX", "kWh", False)),
        (0x00010100, "forward active energy tariff 1", "当前正向有功电能（尖）", ("XXXXXX.XX", "kWh", False)),
        (0x0002FF00, "reverse active energy block", "当前反向有功电能数据块", ("XXXXXX.XX", "kWh", True)),
        (0x00030000, "combined reactive energy 1 total", "当前组合无功1电能（总）", ("±XXXXXX.XX", "kvarh", False)),
        (
            0x00290000,
            "phase B forward active energy total",
            "当前B相正向有功电能（总）",
            ("XXXXXX.XX", "kWh", False),
        ),
        (
            0x00440000,
            "phase C quadrant 4 reactive energy total",
            "当前C相第四象限无功电能（总）",
            ("XXXXXX.XX", "kvarh", False),
        ),
        (
            0x00010001,
            "forward active energy total, settlement day 1 back",
            "上1结算日正向有功电能（总）",
            ("XXXXXX.XX", "kWh", False),
        ),
        (0x0201FF00, "voltage block", "电压数据块", ("XXX.X", "V", True)),
        (
            0x05060102,
            "daily freeze: forward active energy, 2 back",
            "上2次日冻结正向有功电能",
            ("XXXXXX.XX", "kWh", True),
        ),
        (0x04000503, "status word 3", "电表运行状态字3", ("bits:2", "", False)),
    ],
)
def test_items_have_names_formats_and_units(di: int, name: str, chinese: str, layout: tuple[str, str, bool]) -> None:
    item = dlt645_item(di)
    assert item is not None
    assert (item.di, item.name, item.name_zh) == (di, name, chinese)
    assert (item.formats, item.units, item.repeats) == ((layout[0],), (layout[1],), layout[2])


@pytest.mark.parametrize(
    "di", [0x00014000, 0x0001000D, 0x000B0000, 0x00150100, 0x02010000, 0x02010101, 0x020A0100, 0x04000508]
)
def test_unknown_identifiers_have_no_item(di: int) -> None:
    assert dlt645_item(di) is None


def test_there_is_no_monthly_freeze() -> None:
    # A trap of the field: months are settlement days (DI0 01 to 0C), not a freeze of their own.
    assert dlt645_item(0x05070101) is None
    assert dlt645_item(0x05010B01) is None


def test_the_variables_of_a_freeze_are_powers() -> None:
    item = dlt645_item(0x05061001)
    assert item is not None
    assert (item.name, item.name_zh) == ("daily freeze: variables, 1 back", "上1次日冻结变量数据")
    assert (item.formats, item.repeats) == (("±XX.XXXX",) * 8, False)
    assert item.units == ("kW",) * 4 + ("kvar",) * 4
    powers = bytes.fromhex("341200 000000 000000 341280" + "000000" * 4)
    assert dlt645_decode(0x05061001, powers)[:4] == [(1234, -4), (0, -4), (0, -4), (-1234, -4)]


def test_the_last_power_off_says_when_it_began_and_ended() -> None:
    item = dlt645_item(0x03110001)
    assert item is not None
    assert (item.name, item.name_zh) == ("power-off start and end, 1 back", "上1次掉电发生和结束时刻")
    began, ended = dlt645_decode(0x03110001, bytes.fromhex("562312250826 001012250826"))
    assert began == {"year": 26, "month": 8, "day": 25, "hour": 12, "minute": 23, "second": 56}
    assert ended == {"year": 26, "month": 8, "day": 25, "hour": 12, "minute": 10, "second": 0}
    assert dlt645_item(0x0311000B) is None
