//! What all objects of an interface class (接口类) have in common, and short forms for the tables.

use super::{Field, Layout, Names};

/// An attribute: its number, what it adds to the object's name, layout and fields.
pub(super) type Attribute = (u8, Names, Layout, &'static [Field]);

/// An object: OI, class, names, attributes.
pub(super) type Row = (u16, u8, Names, &'static [Attribute]);

pub(super) const fn value(data_type: &'static str, exponent: i8, unit: &'static str) -> Field {
    member(("", ""), data_type, exponent, unit)
}

pub(super) const fn member(
    names: Names,
    data_type: &'static str,
    exponent: i8,
    unit: &'static str,
) -> Field {
    Field {
        name: names.0,
        chinese: names.1,
        data_type,
        exponent,
        unit,
    }
}

pub(super) const PLAIN: Names = ("", "");
pub(super) const ENUM: &[Field] = &[value("enum", 0, "")];
pub(super) const TIME: &[Field] = &[value("date_time_s", 0, "")];
pub(super) const COUNT: &[Field] = &[value("double_long_unsigned", 0, "")];
pub(super) const BYTE: &[Field] = &[value("unsigned", 0, "")];
pub(super) const OCTETS: &[Field] = &[value("octet_string", 0, "")];
pub(super) const TEXT: &[Field] = &[value("visible_string", 0, "")];
pub(super) const BITS: &[Field] = &[value("bit_string", 0, "")];
const SCALER: &[Field] = &[value("scaler_unit", 0, "")];
const OAD: &[Field] = &[value("oad", 0, "")];

const SCALE: Attribute = (
    3,
    (", scale and unit", "换算及单位"),
    Layout::Single,
    SCALER,
);

/// The attributes of every object of a class, beside those of its row; attribute 1 is every object's.
pub(super) fn shared(class: u8) -> &'static [Attribute] {
    match class {
        1 => {
            const {
                &[
                    SCALE,
                    (
                        5,
                        (", extended precision, scale and unit", "扩展精度换算及单位"),
                        Layout::Single,
                        SCALER,
                    ),
                ]
            }
        }
        2..=4 | 6 => const { &[SCALE] },
        // Freezes: the table, and which attributes make its columns.
        9 => {
            const {
                &[
                    (2, PLAIN, Layout::Records, &[]),
                    (
                        3,
                        (", columns", "关联对象属性表"),
                        Layout::Numbered,
                        &[
                            member(("period", "冻结周期"), "long_unsigned", 0, ""),
                            member(("attribute", "关联对象属性描述符"), "oad", 0, ""),
                            member(("depth", "存储深度"), "long_unsigned", 0, ""),
                        ],
                    ),
                ]
            }
        }
        7 => {
            const {
                &[
                    (2, PLAIN, Layout::Records, &[]),
                    (3, (", columns", "关联对象属性表"), Layout::Numbered, OAD),
                    (
                        4,
                        (", number of records", "当前记录数"),
                        Layout::Single,
                        &[value("long_unsigned", 0, "")],
                    ),
                    (
                        5,
                        (", most records", "最大记录数"),
                        Layout::Single,
                        &[value("long_unsigned", 0, "")],
                    ),
                ]
            }
        }
        // Events of each phase have up to four tables.
        24 => {
            const {
                &[
                    (2, (", columns", "关联对象属性表"), Layout::Numbered, OAD),
                    (6, (", table 1", "事件记录表1"), Layout::Records, &[]),
                    (7, (", table 2", "事件记录表2"), Layout::Records, &[]),
                    (8, (", table 3", "事件记录表3"), Layout::Records, &[]),
                    (9, (", table 4", "事件记录表4"), Layout::Records, &[]),
                ]
            }
        }
        _ => &[],
    }
}

/// Attribute 1 of every object.
pub(super) const LOGICAL_NAME: Attribute =
    (1, (", logical name", "逻辑名"), Layout::Single, OCTETS);

/// Objects of one attribute, number 2: OI, class, names, layout, fields.
macro_rules! rows {
    ($($oi:literal $class:literal $name:literal $chinese:literal $layout:ident $fields:expr;)*) => {
        &[$((
            $oi,
            $class,
            ($name, $chinese),
            &[(2, crate::dlt698::object::classes::PLAIN, Layout::$layout, $fields)],
        ),)*]
    };
}
pub(super) use rows;
