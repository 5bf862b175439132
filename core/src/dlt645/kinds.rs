//! The kinds of energy, and their demands.

use super::item::{Field, Names, field};

const ENERGY: &[Field] = &[field("XXXXXX.XX", "kWh")];
pub(super) const ENERGY_SIGNED: &[Field] = &[field("±XXXXXX.XX", "kWh")];
const REACTIVE: &[Field] = &[field("XXXXXX.XX", "kvarh")];
const REACTIVE_SIGNED: &[Field] = &[field("±XXXXXX.XX", "kvarh")];
const APPARENT: &[Field] = &[field("XXXXXX.XX", "kVAh")];
pub(super) const TIME: Field = field("YYMMDDhhmm", "");
const DEMAND: &[Field] = &[field("XX.XXXX", "kW"), TIME];
const DEMAND_REACTIVE: &[Field] = &[field("XX.XXXX", "kvar"), TIME];
const DEMAND_REACTIVE_SIGNED: &[Field] = &[field("±XX.XXXX", "kvar"), TIME];
const DEMAND_APPARENT: &[Field] = &[field("XX.XXXX", "kVA"), TIME];

/// A kind of energy with its demand; in this order from DI2 01, 15 (phase A), 29 (B) and 3D (C) on.
pub(super) struct Kind {
    pub(super) energy: Names,
    pub(super) demand: Names,
    pub(super) energy_fields: &'static [Field],
    pub(super) demand_fields: &'static [Field],
}

const fn kind(
    energy: Names,
    demand: Names,
    energy_fields: &'static [Field],
    demand_fields: &'static [Field],
) -> Kind {
    Kind {
        energy,
        demand,
        energy_fields,
        demand_fields,
    }
}

pub(super) const KINDS: [Kind; 10] = [
    kind(
        ("forward active energy", "正向有功电能"),
        ("forward active maximum demand", "正向有功最大需量"),
        ENERGY,
        DEMAND,
    ),
    kind(
        ("reverse active energy", "反向有功电能"),
        ("reverse active maximum demand", "反向有功最大需量"),
        ENERGY,
        DEMAND,
    ),
    kind(
        ("combined reactive energy 1", "组合无功1电能"),
        ("combined reactive 1 maximum demand", "组合无功1最大需量"),
        REACTIVE_SIGNED,
        DEMAND_REACTIVE_SIGNED,
    ),
    kind(
        ("combined reactive energy 2", "组合无功2电能"),
        ("combined reactive 2 maximum demand", "组合无功2最大需量"),
        REACTIVE_SIGNED,
        DEMAND_REACTIVE_SIGNED,
    ),
    kind(
        ("quadrant 1 reactive energy", "第一象限无功电能"),
        ("quadrant 1 reactive maximum demand", "第一象限最大需量"),
        REACTIVE,
        DEMAND_REACTIVE,
    ),
    kind(
        ("quadrant 2 reactive energy", "第二象限无功电能"),
        ("quadrant 2 reactive maximum demand", "第二象限最大需量"),
        REACTIVE,
        DEMAND_REACTIVE,
    ),
    kind(
        ("quadrant 3 reactive energy", "第三象限无功电能"),
        ("quadrant 3 reactive maximum demand", "第三象限最大需量"),
        REACTIVE,
        DEMAND_REACTIVE,
    ),
    kind(
        ("quadrant 4 reactive energy", "第四象限无功电能"),
        ("quadrant 4 reactive maximum demand", "第四象限最大需量"),
        REACTIVE,
        DEMAND_REACTIVE,
    ),
    kind(
        ("forward apparent energy", "正向视在电能"),
        ("forward apparent maximum demand", "正向视在最大需量"),
        APPARENT,
        DEMAND_APPARENT,
    ),
    kind(
        ("reverse apparent energy", "反向视在电能"),
        ("reverse apparent maximum demand", "反向视在最大需量"),
        APPARENT,
        DEMAND_APPARENT,
    ),
];
