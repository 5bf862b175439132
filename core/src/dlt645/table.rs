//! The data identifiers (数据标识) of DL/T 645-2007, annex A, as far as their formats are known.
//!
//! Where the sources do not say whether a variable is signed, the power variables that can flow both ways are.
//! Blocks (FF) have as many elements as the meter has tariffs or phases; their number is never assumed.

use super::item::{Field, Item, Names, Suffix, field};
use super::kinds::{ENERGY_SIGNED, KINDS, TIME};
use super::rows::ROWS;

/// Variables by phase: DI2, whether there is a total, names, fields.
const PHASED: &[(u8, bool, Names, &[Field])] = &[
    (1, false, ("voltage", "电压"), &[field("XXX.X", "V")]),
    (2, false, ("current", "电流"), &[field("±XXX.XXX", "A")]),
    (
        3,
        true,
        ("active power", "瞬时有功功率"),
        &[field("±XX.XXXX", "kW")],
    ),
    (
        4,
        true,
        ("reactive power", "瞬时无功功率"),
        &[field("±XX.XXXX", "kvar")],
    ),
    (
        5,
        true,
        ("apparent power", "瞬时视在功率"),
        &[field("XX.XXXX", "kVA")],
    ),
    (
        6,
        true,
        ("power factor", "功率因数"),
        &[field("±X.XXX", "")],
    ),
    (7, false, ("phase angle", "相角"), &[field("XXX.X", "°")]),
    (
        8,
        false,
        ("voltage waveform distortion", "电压波形失真度"),
        &[field("XX.XX", "%")],
    ),
    (
        9,
        false,
        ("current waveform distortion", "电流波形失真度"),
        &[field("XX.XX", "%")],
    ),
];

/// Freezes: DI2 and names.
const FREEZES: &[(u8, Names)] = &[
    (0, ("timed freeze: ", "定时冻结")),
    (1, ("instant freeze: ", "瞬时冻结")),
    (2, ("zone-switch freeze: ", "时区表切换冻结")),
    (3, ("period-switch freeze: ", "日时段表切换冻结")),
    (4, ("hourly freeze: ", "整点冻结")),
    (6, ("daily freeze: ", "日冻结")),
];

const POWER: Field = field("±XX.XXXX", "kW");
const REACTIVE: Field = field("±XX.XXXX", "kvar");
/// Variables of a freeze: active, then reactive power, each the total and the phases A, B, C.
const FREEZE_VARIABLES: &[Field] = &[
    POWER, POWER, POWER, POWER, REACTIVE, REACTIVE, REACTIVE, REACTIVE,
];

const COMBINED: Names = ("combined active energy", "组合有功电能");
const PLAIN: Names = ("", "");

/// The item of an identifier.
pub(super) fn find(identifier: u32) -> Option<Item> {
    let [day, tariff, kind, group] = identifier.to_le_bytes();
    let item = |prefix, base, suffix, fields, repeats| Item {
        identifier,
        fields,
        repeats,
        prefix,
        base,
        suffix,
    };
    match group {
        0 | 1 => {
            let block = tariff == 0xff || day == 0xff;
            let known = matches!(tariff, 0..=0x3f | 0xff) && matches!(day, 0..=0x0c | 0xff);
            if !known {
                return None;
            }
            if (group, kind) == (0, 0) {
                return Some(item(PLAIN, COMBINED, Suffix::Tariff, ENERGY_SIGNED, block));
            }
            let (prefix, index) = match kind {
                0x01..=0x0a => (PLAIN, kind - 0x01),
                0x15..=0x1e if tariff == 0 => (("phase A ", "A相"), kind - 0x15),
                0x29..=0x32 if tariff == 0 => (("phase B ", "B相"), kind - 0x29),
                0x3d..=0x46 if tariff == 0 => (("phase C ", "C相"), kind - 0x3d),
                _ => return None,
            };
            let kind = KINDS.get(usize::from(index))?;
            let (base, fields) = match group {
                0 => (kind.energy, kind.energy_fields),
                _ => (kind.demand, kind.demand_fields),
            };
            Some(item(prefix, base, Suffix::Tariff, fields, block))
        }
        2 if kind != 0x80 => {
            let (_, total, base, fields) = PHASED.iter().find(|(di2, ..)| *di2 == kind)?;
            let known = day == 0 && (matches!(tariff, 1..=3 | 0xff) || (tariff == 0 && *total));
            known.then(|| item(PLAIN, *base, Suffix::Phase, fields, tariff == 0xff))
        }
        5 => {
            let (_, prefix) = FREEZES.iter().find(|(di2, _)| *di2 == kind)?;
            let (base, fields): (Names, &'static [Field]) = match tariff {
                _ if matches!(day, 0 | 0xff) => return None,
                0 => (("time", "时间"), &[TIME]),
                0x10 => (("variables", "变量数据"), FREEZE_VARIABLES),
                // Demands come with two codes of their own, behind all energies but the apparent ones.
                0x09 | 0x0a => {
                    let kind = KINDS.get(usize::from(tariff) - 9)?;
                    (kind.demand, kind.demand_fields)
                }
                code => {
                    let kind = KINDS.get(usize::from(code) - 1)?;
                    (kind.energy, kind.energy_fields)
                }
            };
            Some(item(
                *prefix,
                base,
                Suffix::Last,
                fields,
                !matches!(tariff, 0 | 0x10),
            ))
        }
        _ => ROWS
            .iter()
            .find(|(first, last, ..)| (*first..=*last).contains(&identifier))
            .map(|(_, _, base, suffix, fields, repeats)| {
                item(PLAIN, *base, *suffix, fields, *repeats)
            }),
    }
}
