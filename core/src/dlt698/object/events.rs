//! Events (3xxx) and freezes (5xxx).
//!
//! Names and classes as two public sources list them; the columns of a table are the meter's own, so they are read
//! from it (attribute 3 of a freeze). Class 24 has a table for each phase.

use super::classes::Row;

macro_rules! rows {
    ($($oi:literal $class:literal $name:literal $chinese:literal,)*) => {
        &[$(($oi, $class, ($name, $chinese), &[]),)*]
    };
}

pub(super) const EVENTS: &[Row] = rows! {
    0x3000 24 "voltage loss event" "电能表失压事件",
    0x3001 24 "undervoltage event" "电能表欠压事件",
    0x3002 24 "overvoltage event" "电能表过压事件",
    0x3003 24 "phase failure event" "电能表断相事件",
    0x3004 24 "current loss event" "电能表失流事件",
    0x3005 24 "overcurrent event" "电能表过流事件",
    0x3006 24 "current interruption event" "电能表断流事件",
    0x3007 24 "power reversal event" "电能表功率反向事件",
    0x3008 24 "overload event" "电能表过载事件",
    0x3009 7 "forward active demand limit event" "电能表正向有功需量超限事件",
    0x300a 7 "reverse active demand limit event" "电能表反向有功需量超限事件",
    0x300b 24 "reactive demand limit event" "电能表无功需量超限事件",
    0x300c 7 "low power factor event" "电能表功率因数超下限事件",
    0x300d 7 "loss of all voltages event" "电能表全失压事件",
    0x300e 7 "auxiliary supply failure event" "电能表辅助电源掉电事件",
    0x300f 7 "voltage phase sequence event" "电能表电压逆相序事件",
    0x3010 7 "current phase sequence event" "电能表电流逆相序事件",
    0x3011 7 "meter power-off event" "电能表掉电事件",
    0x3012 7 "programming event" "电能表编程事件",
    0x3013 7 "meter clear event" "电能表清零事件",
    0x3014 7 "demand clear event" "电能表需量清零事件",
    0x3015 7 "event clear event" "电能表事件清零事件",
    0x3016 7 "time-set event" "电能表校时事件",
    0x3017 7 "day schedule programming event" "电能表时段表编程事件",
    0x3018 7 "season schedule programming event" "电能表时区表编程事件",
    0x3019 7 "weekend programming event" "电能表周休日编程事件",
    0x301a 7 "settlement day programming event" "电能表结算日编程事件",
    0x301b 7 "cover-open event" "电能表开盖事件",
    0x301c 7 "terminal-cover-open event" "电能表开端钮盒事件",
    0x301d 7 "voltage unbalance event" "电能表电压不平衡事件",
    0x301e 7 "current unbalance event" "电能表电流不平衡事件",
    0x301f 7 "relay open event" "电能表跳闸事件",
    0x3020 7 "relay close event" "电能表合闸事件",
    0x3021 7 "holiday programming event" "电能表节假日编程事件",
    0x3022 7 "active combination programming event" "电能表有功组合方式编程事件",
    0x3023 7 "reactive combination programming event" "电能表无功组合方式编程事件",
    0x3024 7 "tariff programming event" "电能表费率参数表编程事件",
    0x3025 7 "ladder programming event" "电能表阶梯表编程事件",
    0x3026 7 "key update event" "电能表密钥更新事件",
    0x302a 7 "magnetic interference event" "电能表恒定磁场干扰事件",
    0x302b 7 "relay malfunction event" "电能表负荷开关误动作事件",
    0x302c 7 "meter supply fault event" "电能表电源异常事件",
    0x302d 7 "severe current unbalance event" "电能表电流严重不平衡事件",
    0x302e 7 "meter clock fault event" "电能表时钟故障事件",
    0x302f 7 "metering chip fault event" "电能表计量芯片故障事件",
    0x3030 7 "communication module change event" "通信模块变更事件",
    0x3100 7 "terminal initialisation event" "终端初始化事件",
    0x3105 7 "meter clock deviation event" "电能表时钟超差事件",
    0x3106 7 "terminal power-off event" "终端停/上电事件",
    0x5000 9 "instant freeze" "瞬时冻结",
    0x5001 9 "second freeze" "秒冻结",
    0x5002 9 "minute freeze" "分钟冻结",
    0x5003 9 "hourly freeze" "小时冻结",
    0x5004 9 "daily freeze" "日冻结",
    0x5005 9 "settlement day freeze" "结算日冻结",
    0x5006 9 "monthly freeze" "月冻结",
    0x5007 9 "yearly freeze" "年冻结",
    0x5008 9 "season schedule switch freeze" "时区表切换冻结",
    0x5009 9 "day schedule switch freeze" "日时段表切换冻结",
    0x500a 9 "tariff price switch freeze" "费率电价切换冻结",
    0x500b 9 "ladder switch freeze" "阶梯切换冻结",
    0x5011 9 "ladder settlement freeze" "阶梯结算冻结",
};
