//! Parameters (4xxx), acquisition (6xxx), security and ports (Fxxx).
//!
//! As two public sources quote annex A; transformer ratios, combination words, settlement days and the power-of-ten
//! of 401C and 401D from one. What the carbon factor 4120 holds is known from one real meter, its scale is not.

use super::classes::{BITS, BYTE, ENUM, OCTETS, PLAIN, Row, TEXT, TIME, member, rows, value};
use super::{Field, Layout};

const MINUTES: &[Field] = &[value("unsigned", 0, "min")];
const RATIO: &[Field] = &[value("double_long_unsigned", -2, "")];

pub(super) const PARAMETERS: &[Row] = rows! {
    0x4001 8 "communication address" "通信地址" Single OCTETS;
    0x4002 8 "meter number" "表号" Single OCTETS;
    0x4003 8 "customer number" "客户编号" Single OCTETS;
    0x4006 8 "clock source" "时钟源" Members &[
        member(("source", "时钟源"), "enum", 0, ""),
        member(("state", "状态"), "enum", 0, ""),
    ];
    0x400c 8 "numbers of schedules" "时区时段数" Members &[
        member(("seasons", "年时区数"), "unsigned", 0, ""),
        member(("day schedules", "日时段表数"), "unsigned", 0, ""),
        member(("periods a day", "日时段数"), "unsigned", 0, ""),
        member(("tariffs", "费率数"), "unsigned", 0, ""),
        member(("holidays", "公共假日数"), "unsigned", 0, ""),
    ];
    0x400d 8 "ladder steps" "阶梯数" Single BYTE;
    0x400e 8 "highest harmonic analysed" "谐波分析次数" Single BYTE;
    0x4010 8 "metering elements" "计量元件数" Single BYTE;
    0x4012 8 "weekend word" "周休日特征字" Single BITS;
    0x401c 8 "current transformer ratio" "电流互感器变比" Single RATIO;
    0x401d 8 "voltage transformer ratio" "电压互感器变比" Single RATIO;
    0x4030 8 "voltage limits" "电压合格率参数" Members &[
        member(("upper limit assessed", "电压考核上限"), "long_unsigned", -1, "V"),
        member(("lower limit assessed", "电压考核下限"), "long_unsigned", -1, "V"),
        member(("upper limit", "电压合格上限"), "long_unsigned", -1, "V"),
        member(("lower limit", "电压合格下限"), "long_unsigned", -1, "V"),
    ];
    0x4100 8 "demand period" "最大需量周期" Single MINUTES;
    0x4101 8 "demand slip time" "滑差时间" Single MINUTES;
    0x4103 8 "asset code" "资产管理编码" Single TEXT;
    0x4104 8 "rated voltage" "额定电压" Single TEXT;
    0x4105 8 "rated current" "额定电流" Single TEXT;
    0x4106 8 "maximum current" "最大电流" Single TEXT;
    0x4107 8 "active accuracy class" "有功准确度等级" Single TEXT;
    0x4108 8 "reactive accuracy class" "无功准确度等级" Single TEXT;
    0x4109 8 "active meter constant" "电能表有功常数" Single &[value("double_long_unsigned", 0, "imp/kWh")];
    0x410a 8 "reactive meter constant" "电能表无功常数" Single &[value("double_long_unsigned", 0, "imp/kvarh")];
    0x410b 8 "meter model" "电能表型号" Single TEXT;
    0x4111 8 "firmware registration number" "软件备案号" Single TEXT;
    0x4112 8 "combined active energy mode" "有功组合方式特征字" Single BITS;
    0x4113 8 "combined reactive energy 1 mode" "无功组合方式1特征字" Single BITS;
    0x4114 8 "combined reactive energy 2 mode" "无功组合方式2特征字" Single BITS;
    0x4116 8 "settlement days" "结算日" Numbered &[
        member(("day", "日"), "unsigned", 0, ""),
        member(("hour", "时"), "unsigned", 0, ""),
    ];
    0x4120 0 "carbon factor" "电碳因子" Members &[
        member(("start", "开始时间"), "date_time_s", 0, ""),
        member(("interval", "间隔"), "ti", 0, ""),
        member(("factors", "因子"), "array", 0, ""),
    ];
    0x6012 10 "task table" "任务配置表" Unknown &[];
    0x6014 11 "acquisition schemes" "普通采集方案集" Unknown &[];
    0xf100 21 "ESAM serial number" "ESAM序列号" Single OCTETS;
    0xf101 8 "security mode" "安全模式选择" Single ENUM;
    0xf200 22 "RS-232 ports" "RS-232" Numbered &[];
    0xf201 22 "RS-485 ports" "RS-485" Numbered &[];
};

/// Those of several attributes.
pub(super) const MORE_PARAMETERS: &[Row] = &[(
    0x4000,
    8,
    ("clock", "日期时间"),
    &[
        (2, PLAIN, Layout::Single, TIME),
        (3, (", time-set mode", "校时模式"), Layout::Single, ENUM),
    ],
)];
