//! Energies (0xxx), maximum demands (1xxx) and variables (2xxx).
//!
//! Types, scales and units are those of annex A as two public sources quote it independently of each other: the
//! object table of the `dlt698` package and meter firmware. One source has the wallet, the prices, the ampere-hours
//! and the unbalance. Those of the carbon objects 2080 and 2090 are published nowhere.

use super::classes::{BITS, COUNT, PLAIN, Row, TIME, member, rows, value};
use super::{Field, Layout, Names};

/// By the third digit of 00x0.
pub(super) const ENERGY_NAMES: [Names; 11] = [
    ("combined active energy", "组合有功电能"),
    ("forward active energy", "正向有功电能"),
    ("reverse active energy", "反向有功电能"),
    ("combined reactive energy 1", "组合无功1电能"),
    ("combined reactive energy 2", "组合无功2电能"),
    ("quadrant 1 reactive energy", "第一象限无功电能"),
    ("quadrant 2 reactive energy", "第二象限无功电能"),
    ("quadrant 3 reactive energy", "第三象限无功电能"),
    ("quadrant 4 reactive energy", "第四象限无功电能"),
    ("forward apparent energy", "正向视在电能"),
    ("reverse apparent energy", "反向视在电能"),
];

/// By the third digit of 10x0 and 11x0.
pub(super) const DEMAND_NAMES: [Names; 11] = [
    PLAIN,
    ("forward active maximum demand", "正向有功最大需量"),
    ("reverse active maximum demand", "反向有功最大需量"),
    ("combined reactive 1 maximum demand", "组合无功1最大需量"),
    ("combined reactive 2 maximum demand", "组合无功2最大需量"),
    ("quadrant 1 reactive maximum demand", "第一象限最大需量"),
    ("quadrant 2 reactive maximum demand", "第二象限最大需量"),
    ("quadrant 3 reactive maximum demand", "第三象限最大需量"),
    ("quadrant 4 reactive maximum demand", "第四象限最大需量"),
    ("forward apparent maximum demand", "正向视在最大需量"),
    ("reverse apparent maximum demand", "反向视在最大需量"),
];

/// Further active energies, by their OI.
pub(super) const LOSSES: [(u16, Names); 7] = [
    (
        0x0110,
        ("forward active fundamental energy", "正向有功基波电能"),
    ),
    (
        0x0120,
        ("reverse active fundamental energy", "反向有功基波电能"),
    ),
    (
        0x0210,
        ("forward active harmonic energy", "正向有功谐波电能"),
    ),
    (
        0x0220,
        ("reverse active harmonic energy", "反向有功谐波电能"),
    ),
    (0x0300, ("copper loss energy", "铜损有功电能补偿量")),
    (0x0400, ("iron loss energy", "铁损有功电能补偿量")),
    (0x0500, ("associated energy", "关联电能")),
];

const PERCENT: &[Field] = &[value("long", -2, "%")];
const RATE: &[Field] = &[value("long_unsigned", -2, "%")];
const ANGLE: &[Field] = &[value("long_unsigned", -1, "°")];
const POWER: &[Field] = &[value("double_long", -1, "W")];
const REACTIVE: &[Field] = &[value("double_long", -1, "var")];
const APPARENT: &[Field] = &[value("double_long", -1, "VA")];
const CURRENT: &[Field] = &[value("double_long", -3, "A")];
const BATTERY: &[Field] = &[value("long_unsigned", -2, "V")];
const PRICE: &[Field] = &[value("double_long_unsigned", -4, "CNY/kWh")];
const MONEY: &[Field] = &[value("double_long_unsigned", -2, "CNY")];
const USED: &[Field] = &[value("double_long_unsigned", -2, "kWh")];

pub(super) const QUANTITIES: &[Row] = rows! {
    0x2000 3 "voltage" "电压" Phases &[value("long_unsigned", -1, "V")];
    0x2002 3 "voltage angle" "电压相角" Phases ANGLE;
    0x2003 3 "phase angle" "电压电流相角" Phases ANGLE;
    0x2004 4 "active power" "有功功率" TotalPhases POWER;
    0x2005 4 "reactive power" "无功功率" TotalPhases REACTIVE;
    0x2006 4 "apparent power" "视在功率" TotalPhases APPARENT;
    0x2007 4 "one-minute mean active power" "一分钟平均有功功率" TotalPhases POWER;
    0x2008 4 "one-minute mean reactive power" "一分钟平均无功功率" TotalPhases REACTIVE;
    0x2009 4 "one-minute mean apparent power" "一分钟平均视在功率" TotalPhases APPARENT;
    0x200a 4 "power factor" "功率因数" TotalPhases &[value("long", -3, "")];
    0x200b 3 "voltage waveform distortion" "电压波形失真度" Phases PERCENT;
    0x200c 3 "current waveform distortion" "电流波形失真度" Phases PERCENT;
    0x200f 6 "frequency" "电网频率" Single &[value("long_unsigned", -2, "Hz")];
    0x2010 6 "temperature inside the meter" "表内温度" Single &[value("long", -1, "°C")];
    0x2011 6 "clock battery voltage" "时钟电池电压" Single BATTERY;
    0x2012 6 "backup battery voltage" "停电抄表电池电压" Single BATTERY;
    0x2013 6 "clock battery working time" "时钟电池工作时间" Single &[value("double_long_unsigned", 0, "min")];
    0x2014 6 "status words" "电能表运行状态字" Numbered BITS;
    0x2015 6 "follow-report status word" "电能表跟随上报状态字" Single BITS;
    0x2017 6 "active demand" "当前有功需量" Single &[value("double_long", -4, "kW")];
    0x2018 6 "reactive demand" "当前无功需量" Single &[value("double_long", -4, "kvar")];
    0x2019 6 "apparent demand" "当前视在需量" Single &[value("double_long", -4, "kVA")];
    0x201a 6 "price" "当前电价" Single PRICE;
    0x201b 6 "tariff price" "当前费率电价" Single PRICE;
    0x201c 6 "ladder price" "当前阶梯电价" Single PRICE;
    0x201e 8 "event start time" "事件发生时间" Single TIME;
    0x2020 8 "event end time" "事件结束时间" Single TIME;
    0x2021 8 "freeze time" "数据冻结时间" Single TIME;
    0x2022 8 "event record number" "事件记录序号" Single COUNT;
    0x2023 8 "freeze record number" "冻结记录序号" Single COUNT;
    0x2024 8 "event source" "事件发生源" Unknown &[];
    0x2025 8 "event totals" "事件当前值" Members &[
        member(("count", "事件发生次数"), "double_long_unsigned", 0, ""),
        member(("duration", "事件累计时间"), "double_long_unsigned", 0, "s"),
    ];
    0x2026 6 "voltage unbalance" "电压不平衡率" Single RATE;
    0x2027 6 "current unbalance" "电流不平衡率" Single RATE;
    0x2028 6 "load rate" "负载率" Single RATE;
    0x2029 6 "ampere-hours" "安时值" Numbered &[value("double_long_unsigned", -2, "Ah")];
    0x202a 8 "target server address" "目标服务器地址" Single &[value("tsa", 0, "")];
    0x202c 8 "wallet" "（当前）钱包文件" Members &[
        member(("purchases", "购电次数"), "double_long_unsigned", 0, ""),
    ];
    0x202d 6 "overdraft" "（当前）透支金额" Single MONEY;
    0x202e 6 "amount purchased" "累计购电金额" Single MONEY;
    0x2031 6 "energy used this month" "月度用电量" Single USED;
    0x2032 6 "energy used on the ladder" "阶梯结算用电量" Single USED;
    0x2040 6 "control execution status" "控制命令执行状态字" Single BITS;
    0x2041 6 "control error status" "控制命令错误状态字" Single BITS;
    // Read from one real meter through a gateway; what attribute 2 holds there is not published.
    0x2080 0 "forward carbon emission" "正向碳排放量" Unknown &[];
    0x2090 0 "reverse carbon emission" "反向碳排放量" Unknown &[];
};

/// Those of several attributes.
pub(super) const MORE_QUANTITIES: &[Row] = &[
    (
        0x2001,
        3,
        ("current", "电流"),
        &[
            (2, PLAIN, Layout::Phases, CURRENT),
            (4, (", neutral", "（零线）"), Layout::Single, CURRENT),
        ],
    ),
    harmonics(0x200d, ("voltage harmonics", "电压谐波含有量")),
    harmonics(0x200e, ("current harmonics", "电流谐波含有量")),
];

const fn harmonics(object: u16, names: Names) -> Row {
    (
        object,
        5,
        names,
        &[
            (2, (", phase A", "（A相）"), Layout::Harmonics, PERCENT),
            (3, (", phase B", "（B相）"), Layout::Harmonics, PERCENT),
            (4, (", phase C", "（C相）"), Layout::Harmonics, PERCENT),
        ],
    )
}
