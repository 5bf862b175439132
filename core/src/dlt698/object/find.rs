//! Finds an object in ranges that are regular and in the tables of those that stand for themselves.

use super::classes::{Attribute, LOGICAL_NAME, PLAIN, Row, member, shared, value};
use super::events::EVENTS;
use super::parameters::{MORE_PARAMETERS, PARAMETERS};
use super::quantities::{DEMAND_NAMES, ENERGY_NAMES, LOSSES, MORE_QUANTITIES, QUANTITIES};
use super::{Field, Layout, Names, Oad, Object};

const UNITS: [&str; 3] = ["kWh", "kvarh", "kVAh"];

/// Energies by unit: 32 and 64 bits, signed and not.
macro_rules! energies {
    ($long:literal, $long64:literal) => {
        [
            [
                &[value($long, -2, UNITS[0])],
                &[value($long64, -4, UNITS[0])],
            ],
            [
                &[value($long, -2, UNITS[1])],
                &[value($long64, -4, UNITS[1])],
            ],
            [
                &[value($long, -2, UNITS[2])],
                &[value($long64, -4, UNITS[2])],
            ],
        ]
    };
}

type Energies = [[&'static [Field]; 2]; 3];
const UNSIGNED: Energies = energies!("double_long_unsigned", "long64_unsigned");
const SIGNED: Energies = energies!("double_long", "long64");

/// A maximum demand and when it was.
macro_rules! demand {
    ($data_type:literal, $unit:literal) => {
        &[
            member(("demand", "最大需量值"), $data_type, -4, $unit),
            member(("time", "发生时间"), "date_time_s", 0, ""),
        ]
    };
}

const DEMANDS: [&[Field]; 3] = [
    demand!("double_long_unsigned", "kW"),
    demand!("double_long_unsigned", "kvar"),
    demand!("double_long_unsigned", "kVA"),
];
const DEMAND_SIGNED: &[Field] = demand!("double_long", "kvar");

const PHASES: [Names; 4] = [
    PLAIN,
    ("phase A ", "A相"),
    ("phase B ", "B相"),
    ("phase C ", "C相"),
];

pub(super) fn find(oad: Oad) -> Option<Object> {
    regular(oad).or_else(|| single(oad))
}

/// The energies 0xxx and maximum demands 1xxx: kind in the third digit, phase in the fourth.
fn regular(oad: Oad) -> Option<Object> {
    let object = oad.object();
    let [group, low] = object.to_be_bytes();
    let (kind, phase) = (usize::from(low >> 4), PHASES.get(usize::from(low & 0x0f))?);
    // Active, reactive or apparent; the combined ones (组合) are signed.
    let unit = match kind {
        0..=2 => 0,
        3..=8 => 1,
        _ => 2,
    };
    let signed = matches!(kind, 0 | 3 | 4);
    let (class, base, fields): (u8, Names, [&'static [Field]; 2]) = match (group, kind) {
        // The combined active energy has no phases.
        (0x00, 0) if low != 0 => return None,
        (0x00, _) => {
            let table = if signed { &SIGNED } else { &UNSIGNED };
            (1, *ENERGY_NAMES.get(kind)?, *table.get(unit)?)
        }
        (0x01..=0x05, _) => {
            let (_, base) = LOSSES.iter().find(|(first, _)| *first == object & 0xfff0)?;
            let [active, ..] = UNSIGNED;
            (1, *base, active)
        }
        (0x10 | 0x11, 1..) => {
            let fields = if signed {
                DEMAND_SIGNED
            } else {
                DEMANDS.get(unit)?
            };
            (2, *DEMAND_NAMES.get(kind)?, [fields, &[]])
        }
        _ => return None,
    };
    let [normal, extended] = fields;
    let within = (", within the freeze period", "（冻结周期内）");
    let attribute: Attribute = match oad.attribute() {
        2 if group == 0x11 => (2, within, Layout::Tariffs, normal),
        2 => (2, PLAIN, Layout::Tariffs, normal),
        4 if class == 1 => (
            4,
            (", extended precision", "（扩展精度）"),
            Layout::Tariffs,
            extended,
        ),
        number => *attribute_of(&[], class, number)?,
    };
    Some(made(oad, class, *phase, base, attribute))
}

/// The objects that stand for themselves.
fn single(oad: Oad) -> Option<Object> {
    let tables: [&[Row]; 5] = [
        QUANTITIES,
        MORE_QUANTITIES,
        EVENTS,
        PARAMETERS,
        MORE_PARAMETERS,
    ];
    let rows = tables.into_iter().flatten();
    let (_, class, base, own) = rows
        .into_iter()
        .find(|(object, ..)| *object == oad.object())?;
    let attribute = attribute_of(own, *class, oad.attribute())?;
    Some(made(oad, *class, PLAIN, *base, *attribute))
}

fn attribute_of(own: &'static [Attribute], class: u8, number: u8) -> Option<&'static Attribute> {
    let all = own.iter().chain(shared(class)).chain([&LOGICAL_NAME]);
    all.into_iter().find(|(known, ..)| *known == number)
}

fn made(oad: Oad, class: u8, phase: Names, base: Names, attribute: Attribute) -> Object {
    let (_, attribute, layout, fields) = attribute;
    Object {
        oad,
        class,
        fields,
        layout,
        phase,
        base,
        attribute,
    }
}
