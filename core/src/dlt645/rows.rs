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
const BATTERY: &[Field] = &[field("XX.XX", "V")];
const RAW: &[Field] = &[field("raw", "")];

/// First and last identifier, names, what the low bytes count, fields of an element, whether elements repeat.
pub(super) type Row = (u32, u32, Names, Suffix, &'static [Field], bool);

/// A line each: first and last identifier, what the low bytes count and how many elements there are, names, fields.
macro_rules! rows {
    (@repeats one) => { false };
    (@repeats many) => { true };
    ($($first:literal $last:literal $suffix:ident $count:tt $name:literal $chinese:literal $fields:expr;)*) => {
        &[$((
            $first,
            $last,
            ($name, $chinese),
            Suffix::$suffix,
            $fields,
            rows!(@repeats $count),
        ),)*]
    };
}

pub(super) const ROWS: &[Row] = rows! {
    0x0280_0001 0x0280_0001 Nothing one "neutral current" "零线电流" &[field("XXX.XXX", "A")];
    0x0280_0002 0x0280_0002 Nothing one "frequency" "电网频率" &[field("XX.XX", "Hz")];
    0x0280_0003 0x0280_0003 Nothing one "one-minute mean active power" "一分钟有功总平均功率" &[field("±XX.XXXX", "kW")];
    0x0280_0004 0x0280_0004 Nothing one "active demand" "当前有功需量" &[field("±XX.XXXX", "kW")];
    0x0280_0005 0x0280_0005 Nothing one "reactive demand" "当前无功需量" &[field("±XX.XXXX", "kvar")];
    0x0280_0006 0x0280_0006 Nothing one "apparent demand" "当前视在需量" &[field("XX.XXXX", "kVA")];
    0x0280_0007 0x0280_0007 Nothing one "temperature inside the meter" "表内温度" &[field("±XXX.X", "°C")];
    0x0280_0008 0x0280_0008 Nothing one "clock battery voltage" "时钟电池电压" BATTERY;
    0x0280_0009 0x0280_0009 Nothing one "backup battery voltage" "停电抄表电池电压" BATTERY;
    0x0280_000a 0x0280_000a Nothing one "battery working time" "内部电池工作时间" &[field("XXXXXXXX", "min")];
    0x0301_0000 0x0301_0000 Nothing many "voltage-loss totals" "失压总次数与累计时间" COUNT;
    0x0311_0000 0x0311_0000 Nothing one "power-off count" "掉电总次数" COUNT;
    0x0311_0001 0x0311_000a Last one "power-off start and end" "掉电发生和结束时刻" OFF_ON;
    0x0330_0000 0x0330_0000 Nothing one "programming count" "编程总次数" COUNT;
    0x0330_0100 0x0330_0100 Nothing one "meter clear count" "电表清零总次数" COUNT;
    0x0330_0400 0x0330_0400 Nothing one "time-set count" "校时总次数" COUNT;
    0x0330_0d00 0x0330_0d00 Nothing one "cover-open count" "开表盖总次数" COUNT;
    0x0400_0101 0x0400_0101 Nothing one "date and weekday" "日期及星期" &[field("YYMMDDWW", "")];
    0x0400_0102 0x0400_0102 Nothing one "time" "时间" &[field("hhmmss", "")];
    0x0400_0103 0x0400_0103 Nothing one "demand period" "最大需量周期" &[field("XX", "min")];
    0x0400_010c 0x0400_010c Nothing one "date, weekday and time" "日期时间" &[field("YYMMDDWWhhmmss", "")];
    0x0400_0306 0x0400_0306 Nothing one "current transformer ratio" "电流互感器变比" COUNT;
    0x0400_0307 0x0400_0307 Nothing one "voltage transformer ratio" "电压互感器变比" COUNT;
    0x0400_0401 0x0400_0401 Nothing one "communication address" "通信地址" TWELVE_DIGITS;
    0x0400_0402 0x0400_0402 Nothing one "meter number" "表号" TWELVE_DIGITS;
    0x0400_0403 0x0400_0403 Nothing one "asset code" "资产管理编码" &[field("ascii:32", "")];
    0x0400_0404 0x0400_0404 Nothing one "rated voltage" "额定电压" RATING;
    0x0400_0405 0x0400_0405 Nothing one "rated current" "额定电流" RATING;
    0x0400_0406 0x0400_0406 Nothing one "maximum current" "最大电流" RATING;
    0x0400_0407 0x0400_0407 Nothing one "active accuracy class" "有功准确度等级" ACCURACY;
    0x0400_0408 0x0400_0408 Nothing one "reactive accuracy class" "无功准确度等级" ACCURACY;
    0x0400_0409 0x0400_0409 Nothing one "active meter constant" "电表有功常数" &[field("XXXXXX", "imp/kWh")];
    0x0400_040a 0x0400_040a Nothing one "reactive meter constant" "电表无功常数" &[field("XXXXXX", "imp/kvarh")];
    0x0400_040b 0x0400_040b Nothing one "meter model" "电表型号" LABEL;
    0x0400_040c 0x0400_040c Nothing one "date of production" "生产日期" LABEL;
    0x0400_040d 0x0400_040d Nothing one "protocol version" "协议版本号" &[field("ascii:16", "")];
    0x0400_040e 0x0400_040e Nothing one "customer number" "客户编号" TWELVE_DIGITS;
    0x0400_0501 0x0400_0507 Numbered one "status word" "电表运行状态字" WORD;
    0x0400_05ff 0x0400_05ff Numbered many "status word" "电表运行状态字" WORD;
    0x0400_0601 0x0400_0601 Nothing one "combined active energy mode" "有功组合方式特征字" FLAGS;
    0x0400_0602 0x0400_0602 Nothing one "combined reactive energy 1 mode" "无功组合方式1特征字" FLAGS;
    0x0400_0603 0x0400_0603 Nothing one "combined reactive energy 2 mode" "无功组合方式2特征字" FLAGS;
    0x0400_0701 0x0400_0701 Nothing one "infrared baud word" "调制型红外光口通信速率特征字" FLAGS;
    0x0400_0702 0x0400_0702 Nothing one "contact port baud word" "接触式红外光口通信速率特征字" FLAGS;
    0x0400_0703 0x0400_0703 Nothing one "RS-485 port 1 baud word" "通信口1通信速率特征字" FLAGS;
    0x0400_0704 0x0400_0704 Nothing one "RS-485 port 2 baud word" "通信口2通信速率特征字" FLAGS;
    0x0400_0705 0x0400_0705 Nothing one "port 3 baud word" "通信口3通信速率特征字" FLAGS;
    0x0400_0b01 0x0400_0b03 Numbered one "settlement day" "每月结算日" &[field("DDhh", "")];
    0x0600_0000 0x0600_0000 Nothing one "earliest load record block" "最早负荷记录块" RAW;
    0x0600_0001 0x0600_0001 Nothing one "load record block at a time" "给定时间负荷记录块" RAW;
    0x0600_0002 0x0600_0002 Nothing one "latest load record block" "最近负荷记录块" RAW;
};
