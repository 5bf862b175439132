//! Data identifiers that stand for themselves.

use super::item::{Field, Names, Suffix, field};

const COUNT: &[Field] = &[field("XXXXXX", "")];
const TWELVE_DIGITS: &[Field] = &[field("digits:6", "")];
const OFF_ON: &[Field] = &[field("YYMMDDhhmmss", ""), field("YYMMDDhhmmss", "")];
const WORD: &[Field] = &[field("bits:2", "")];
const FLAGS: &[Field] = &[field("bits:1", "")];
const RATING: &[Field] = &[field("ascii:6", "")];
const ACCURACY: &[Field] = &[field("ascii:4", "")];
const LABEL: &[Field] = &[field("ascii:10", "")];

/// Identifiers with names of their own: first, last, names, what the low bytes count, fields, whether they repeat.
pub(super) type Row = (u32, u32, Names, Suffix, &'static [Field], bool);

const fn one(identifier: u32, names: Names, fields: &'static [Field]) -> Row {
    (
        identifier,
        identifier,
        names,
        Suffix::Nothing,
        fields,
        false,
    )
}

const fn run(first: u32, last: u32, names: Names, fields: &'static [Field]) -> Row {
    (first, last, names, Suffix::Numbered, fields, false)
}

pub(super) const ROWS: &[Row] = &[
    one(
        0x0280_0001,
        ("neutral current", "零线电流"),
        &[field("XXX.XXX", "A")],
    ),
    one(
        0x0280_0002,
        ("frequency", "电网频率"),
        &[field("XX.XX", "Hz")],
    ),
    one(
        0x0280_0003,
        ("one-minute mean active power", "一分钟有功总平均功率"),
        &[field("±XX.XXXX", "kW")],
    ),
    one(
        0x0280_0004,
        ("active demand", "当前有功需量"),
        &[field("±XX.XXXX", "kW")],
    ),
    one(
        0x0280_0005,
        ("reactive demand", "当前无功需量"),
        &[field("±XX.XXXX", "kvar")],
    ),
    one(
        0x0280_0006,
        ("apparent demand", "当前视在需量"),
        &[field("XX.XXXX", "kVA")],
    ),
    one(
        0x0280_0007,
        ("temperature inside the meter", "表内温度"),
        &[field("±XXX.X", "°C")],
    ),
    one(
        0x0280_0008,
        ("clock battery voltage", "时钟电池电压"),
        &[field("XX.XX", "V")],
    ),
    one(
        0x0280_0009,
        ("backup battery voltage", "停电抄表电池电压"),
        &[field("XX.XX", "V")],
    ),
    one(
        0x0280_000a,
        ("battery working time", "内部电池工作时间"),
        &[field("XXXXXXXX", "min")],
    ),
    (
        0x0301_0000,
        0x0301_0000,
        ("voltage-loss totals", "失压总次数与累计时间"),
        Suffix::Nothing,
        COUNT,
        true,
    ),
    one(0x0311_0000, ("power-off count", "掉电总次数"), COUNT),
    (
        0x0311_0001,
        0x0311_000a,
        ("power-off start and end", "掉电发生和结束时刻"),
        Suffix::Last,
        OFF_ON,
        false,
    ),
    one(0x0330_0000, ("programming count", "编程总次数"), COUNT),
    one(0x0330_0100, ("meter clear count", "电表清零总次数"), COUNT),
    one(0x0330_0400, ("time-set count", "校时总次数"), COUNT),
    one(0x0330_0d00, ("cover-open count", "开表盖总次数"), COUNT),
    one(
        0x0400_0101,
        ("date and weekday", "日期及星期"),
        &[field("YYMMDDWW", "")],
    ),
    one(0x0400_0102, ("time", "时间"), &[field("hhmmss", "")]),
    one(
        0x0400_0103,
        ("demand period", "最大需量周期"),
        &[field("XX", "min")],
    ),
    one(
        0x0400_010c,
        ("date, weekday and time", "日期时间"),
        &[field("YYMMDDWWhhmmss", "")],
    ),
    one(
        0x0400_0306,
        ("current transformer ratio", "电流互感器变比"),
        COUNT,
    ),
    one(
        0x0400_0307,
        ("voltage transformer ratio", "电压互感器变比"),
        COUNT,
    ),
    one(
        0x0400_0401,
        ("communication address", "通信地址"),
        TWELVE_DIGITS,
    ),
    one(0x0400_0402, ("meter number", "表号"), TWELVE_DIGITS),
    one(
        0x0400_0403,
        ("asset code", "资产管理编码"),
        &[field("ascii:32", "")],
    ),
    one(0x0400_0404, ("rated voltage", "额定电压"), RATING),
    one(0x0400_0405, ("rated current", "额定电流"), RATING),
    one(0x0400_0406, ("maximum current", "最大电流"), RATING),
    one(
        0x0400_0407,
        ("active accuracy class", "有功准确度等级"),
        ACCURACY,
    ),
    one(
        0x0400_0408,
        ("reactive accuracy class", "无功准确度等级"),
        ACCURACY,
    ),
    one(
        0x0400_0409,
        ("active meter constant", "电表有功常数"),
        &[field("XXXXXX", "imp/kWh")],
    ),
    one(
        0x0400_040a,
        ("reactive meter constant", "电表无功常数"),
        &[field("XXXXXX", "imp/kvarh")],
    ),
    one(0x0400_040b, ("meter model", "电表型号"), LABEL),
    one(0x0400_040c, ("date of production", "生产日期"), LABEL),
    one(
        0x0400_040d,
        ("protocol version", "协议版本号"),
        &[field("ascii:16", "")],
    ),
    one(0x0400_040e, ("customer number", "客户编号"), TWELVE_DIGITS),
    run(
        0x0400_0501,
        0x0400_0507,
        ("status word", "电表运行状态字"),
        WORD,
    ),
    (
        0x0400_05ff,
        0x0400_05ff,
        ("status word", "电表运行状态字"),
        Suffix::Numbered,
        WORD,
        true,
    ),
    one(
        0x0400_0601,
        ("combined active energy mode", "有功组合方式特征字"),
        FLAGS,
    ),
    one(
        0x0400_0602,
        ("combined reactive energy 1 mode", "无功组合方式1特征字"),
        FLAGS,
    ),
    one(
        0x0400_0603,
        ("combined reactive energy 2 mode", "无功组合方式2特征字"),
        FLAGS,
    ),
    one(
        0x0400_0701,
        ("infrared baud word", "调制型红外光口通信速率特征字"),
        FLAGS,
    ),
    one(
        0x0400_0702,
        ("contact port baud word", "接触式红外光口通信速率特征字"),
        FLAGS,
    ),
    one(
        0x0400_0703,
        ("RS-485 port 1 baud word", "通信口1通信速率特征字"),
        FLAGS,
    ),
    one(
        0x0400_0704,
        ("RS-485 port 2 baud word", "通信口2通信速率特征字"),
        FLAGS,
    ),
    one(
        0x0400_0705,
        ("port 3 baud word", "通信口3通信速率特征字"),
        FLAGS,
    ),
    run(
        0x0400_0b01,
        0x0400_0b03,
        ("settlement day", "每月结算日"),
        &[field("DDhh", "")],
    ),
    one(
        0x0600_0000,
        ("earliest load record block", "最早负荷记录块"),
        &[field("raw", "")],
    ),
    one(
        0x0600_0001,
        ("load record block at a time", "给定时间负荷记录块"),
        &[field("raw", "")],
    ),
    one(
        0x0600_0002,
        ("latest load record block", "最近负荷记录块"),
        &[field("raw", "")],
    ),
];
