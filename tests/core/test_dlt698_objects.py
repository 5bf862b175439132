"""What object attribute descriptors of DL/T 698.45 stand for."""

import pytest

from diantan_core import dlt698_decode_data, dlt698_object

VALUES = [
    (0x00000200, "combined active energy", "组合有功电能", "double_long", -2, "kWh", "tariffs"),
    (0x00100200, "forward active energy", "正向有功电能", "double_long_unsigned", -2, "kWh", "tariffs"),
    (0x00100201, "forward active energy, total", "正向有功电能（总）", "double_long_unsigned", -2, "kWh", "tariffs"),
    (0x00200202, "reverse active energy, tariff 1", "反向有功电能（尖）", "double_long_unsigned", -2, "kWh", "tariffs"),
    (
        0x00100207,
        "forward active energy, tariff 6",
        "正向有功电能（费率6）",
        "double_long_unsigned",
        -2,
        "kWh",
        "tariffs",
    ),
    (
        0x00110401,
        "phase A forward active energy, extended precision, total",
        "A相正向有功电能（扩展精度）（总）",
        "long64_unsigned",
        -4,
        "kWh",
        "tariffs",
    ),
    (
        0x00300400,
        "combined reactive energy 1, extended precision",
        "组合无功1电能（扩展精度）",
        "long64",
        -4,
        "kvarh",
        "tariffs",
    ),
    (
        0x00830200,
        "phase C quadrant 4 reactive energy",
        "C相第四象限无功电能",
        "double_long_unsigned",
        -2,
        "kvarh",
        "tariffs",
    ),
    (0x00A00200, "reverse apparent energy", "反向视在电能", "double_long_unsigned", -2, "kVAh", "tariffs"),
    (0x20000202, "voltage, phase B", "电压（B相）", "long_unsigned", -1, "V", "phases"),
    (0x20010400, "current, neutral", "电流（零线）", "double_long", -3, "A", "single"),
    (0x20040201, "active power, total", "有功功率（总）", "double_long", -1, "W", "total_phases"),
    (0x20050204, "reactive power, phase C", "无功功率（C相）", "double_long", -1, "var", "total_phases"),
    (0x200A0200, "power factor", "功率因数", "long", -3, "", "total_phases"),
    (
        0x200D0303,
        "voltage harmonics, phase B, harmonic 3",
        "电压谐波含有量（B相）（3次）",
        "long",
        -2,
        "%",
        "harmonics",
    ),
    (0x200F0200, "frequency", "电网频率", "long_unsigned", -2, "Hz", "single"),
    (0x20100200, "temperature inside the meter", "表内温度", "long", -1, "°C", "single"),
    (0x20170200, "active demand", "当前有功需量", "double_long", -4, "kW", "single"),
    (0x20140203, "status words, 3", "电能表运行状态字（3）", "bit_string", 0, "", "numbered"),
    (0x20210200, "freeze time", "数据冻结时间", "date_time_s", 0, "", "single"),
    (0x40000200, "clock", "日期时间", "date_time_s", 0, "", "single"),
    (0x40010200, "communication address", "通信地址", "octet_string", 0, "", "single"),
    (0x400C0204, "numbers of schedules, tariffs", "时区时段数（费率数）", "unsigned", 0, "", "members"),
    (0x41090200, "active meter constant", "电能表有功常数", "double_long_unsigned", 0, "imp/kWh", "single"),
    (0x00100300, "forward active energy, scale and unit", "正向有功电能换算及单位", "scaler_unit", 0, "", "single"),
    (0x00100100, "forward active energy, logical name", "正向有功电能逻辑名", "octet_string", 0, "", "single"),
]


@pytest.mark.parametrize("expected", VALUES)
def test_values_have_names_types_scales_and_units(expected: tuple[int, str, str, str, int, str, str]) -> None:
    found = dlt698_object(expected[0])
    assert found is not None
    assert (
        found.oad,
        found.name,
        found.name_zh,
        found.data_type,
        found.exponent,
        found.unit,
        found.layout,
    ) == expected
    assert found.array is (found.layout not in ("single", "members"))
    assert found.fields == ()


def test_a_descriptor_comes_apart() -> None:
    found = dlt698_object(0x00108201)  # as in the columns of an event: at its end
    assert found is not None
    assert (found.oi, found.attribute, found.feature, found.index) == (0x0010, 2, 4, 1)
    assert found.interface_class == 1
    assert found.name == "forward active energy, total"


@pytest.mark.parametrize(
    ("oad", "unit", "data_type"),
    [
        (0x10100200, "kW", "double_long_unsigned"),
        (0x10230201, "kW", "double_long_unsigned"),
        (0x10300200, "kvar", "double_long"),
        (0x11900200, "kVA", "double_long_unsigned"),
    ],
)
def test_a_maximum_demand_is_a_structure(oad: int, unit: str, data_type: str) -> None:
    found = dlt698_object(oad)
    assert found is not None
    assert (found.data_type, found.exponent, found.unit, found.array) == ("structure", None, None, True)
    demand, time = found.fields
    assert (demand.name, demand.data_type, demand.exponent, demand.unit) == ("demand", data_type, -4, unit)
    assert (time.name, time.name_zh, time.data_type) == ("time", "发生时间", "date_time_s")


@pytest.mark.parametrize(
    ("oad", "name", "chinese"),
    [
        (0x50000200, "instant freeze", "瞬时冻结"),
        (0x50040200, "daily freeze", "日冻结"),
        (0x50040202, "daily freeze, 2 back", "日冻结（上2次）"),
        (0x50060200, "monthly freeze", "月冻结"),
        (0x50110200, "ladder settlement freeze", "阶梯结算冻结"),
        (0x30110200, "meter power-off event", "电能表掉电事件"),
        (0x30000700, "voltage loss event, table 2", "电能表失压事件事件记录表2"),
    ],
)
def test_freezes_and_events_are_tables_of_records(oad: int, name: str, chinese: str) -> None:
    found = dlt698_object(oad)
    assert found is not None
    assert (found.name, found.name_zh) == (name, chinese)
    assert (found.layout, found.array, found.data_type, found.fields) == ("records", True, None, ())


def test_the_columns_of_a_freeze_are_read_from_the_meter() -> None:
    found = dlt698_object(0x50040300)
    assert found is not None
    assert [field.data_type for field in found.fields] == ["long_unsigned", "oad", "long_unsigned"]


@pytest.mark.parametrize("oad", [0x20800200, 0x20900200])
def test_what_a_carbon_object_holds_is_not_known(oad: int) -> None:
    found = dlt698_object(oad)
    assert found is not None
    assert "碳排放量" in found.name_zh
    assert (found.data_type, found.exponent, found.unit, found.array) == (None, None, None, None)


@pytest.mark.parametrize(
    ("oad", "total", "second"),
    [
        (0x00100200, ("total", "总"), ("tariff 1", "尖")),
        (0x20000200, ("phase A", "A相"), ("phase B", "B相")),
        (0x20040200, ("total", "总"), ("phase A", "A相")),
        (0x200D0200, ("total", "总"), ("harmonic 2", "2次")),
        (0x40000200, ("", ""), ("", "")),
    ],
)
def test_elements_have_names(oad: int, total: tuple[str, str], second: tuple[str, str]) -> None:
    found = dlt698_object(oad)
    assert found is not None
    assert (found.element(0), found.element(1), found.element(2)) == (("", ""), total, second)


@pytest.mark.parametrize(
    "oad",
    [
        0x00010200,  # the combined active energy has no phases
        0x00140200,  # there are three phases
        0x00B00200,
        0x10000200,
        0x00100600,
        0x00100241,  # 63 tariffs and the total
        0x20000204,
        0x20040205,
        0x40010201,
        0x400C0206,
        0xDEAD0200,
    ],
)
def test_other_descriptors_are_not_known(oad: int) -> None:
    assert dlt698_object(oad) is None


def test_the_types_are_those_of_the_codec() -> None:
    # A tag alone is refused for want of content, an unknown one for itself: every name here has a tag.
    names = set()
    for oi in range(0x10000):
        for attribute in (1, 2, 3, 4, 5):
            found = dlt698_object(oi << 16 | attribute << 8)
            if found is not None:
                names |= {found.data_type, *(field.data_type for field in found.fields)}
    samples = {
        "array": "0100", "bit_string": "0400", "date_time_s": "1c07e20c1b000000", "double_long": "0500000000",
        "double_long_unsigned": "0600000000", "enum": "1600", "long": "100000", "long64": "140000000000000000",
        "long64_unsigned": "150000000000000000", "long_unsigned": "120000", "oad": "5100000000",
        "octet_string": "0900", "scaler_unit": "59fe21", "ti": "54010001", "tsa": "5500", "unsigned": "1100",
        "visible_string": "0a00", "structure": "0200",
    }  # fmt: skip
    assert names - {None} == samples.keys()
    for name, octets in samples.items():
        assert dlt698_decode_data(bytes.fromhex(octets))[0] == name
