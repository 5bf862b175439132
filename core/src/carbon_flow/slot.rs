//! What was measured in one slot.

use super::error::{Element, SlotError};
use super::grid::Grid;
use super::storage::Storage;

/// A power beyond this is no measurement: all the world's power stations together deliver less than 10⁷ MW.
pub const MAX_MEGAWATTS: f64 = 1e9;

/// The largest factor that fits 32 bits of mg/kWh, in kg/kWh.
pub const MAX_FACTOR: f64 = 4_294.967_295;

/// Mean power of a slot at both ends of a branch, measured into the branch, in MW.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EndPowers {
    /// Into the branch at its from end.
    pub from_megawatts: f64,
    /// Into the branch at its to end.
    pub to_megawatts: f64,
}

/// Both registers of a slot (正向, 反向) at both ends of a branch, as mean powers in MW, none negative.
///
/// A branch whose flow turned within the slot has both directions: they are two arcs and are never netted.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EndRegisters {
    /// Into the branch at its from end.
    pub from_in_megawatts: f64,
    /// Out of the branch at its from end.
    pub from_out_megawatts: f64,
    /// Into the branch at its to end.
    pub to_in_megawatts: f64,
    /// Out of the branch at its to end.
    pub to_out_megawatts: f64,
}

/// The flows of all branches, in the order of the grid's branches.
#[derive(Debug, Clone, Copy)]
pub enum Flows<'a> {
    /// Net power at each end.
    Net(&'a [EndPowers]),
    /// Both registers at each end.
    Registers(&'a [EndRegisters]),
}

impl Flows<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Net(flows) => flows.len(),
            Self::Registers(flows) => flows.len(),
        }
    }
}

/// What is known of the carbon of a source.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Origin {
    /// Its factor in kg/kWh.
    Factor(f64),
    /// Its emission rate in t/h.
    Emission(f64),
    /// Nothing.
    #[default]
    Unknown,
}

/// A source in a slot. Negative power (a pumping plant, an export) is a load.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Source {
    /// Mean power in MW.
    pub megawatts: f64,
    /// Of what carbon.
    pub origin: Origin,
}

/// A load in a slot. Negative power (a distribution grid that feeds in) is a source and needs a factor.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Load {
    /// Mean power in MW.
    pub megawatts: f64,
    /// The factor in kg/kWh with which it feeds in, if it does.
    pub factor: Option<f64>,
}

impl Load {
    /// The factor, if it is one.
    pub(super) fn usable_factor(&self) -> Option<f64> {
        self.factor
            .filter(|factor| (0.0..=MAX_FACTOR).contains(factor))
    }
}

/// All that was measured in one slot.
#[derive(Debug, Clone, Copy)]
pub struct Slot<'a> {
    /// Of the branches.
    pub flows: Flows<'a>,
    /// Of the sources.
    pub sources: &'a [Source],
    /// Of the loads.
    pub loads: &'a [Load],
    /// Of the storages, with the tanks as they are when the slot begins.
    pub storages: &'a [Storage],
    /// Length of the slot in hours; only the tanks of storages need it.
    pub hours: f64,
}

/// Where a factor begins and ends to mean something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// A node with less through-flow is dead and has no factor; arcs that carry less from such a node are dropped.
    pub dead_below_megawatts: f64,
    /// A node with a larger share of power of unknown origin has no factor; below, the known share stands for all.
    pub max_unknown_share: f64,
}

impl Default for Settings {
    /// 1 W, and one per cent.
    fn default() -> Self {
        Self {
            dead_below_megawatts: 1e-6,
            max_unknown_share: 0.01,
        }
    }
}

pub(super) fn check(grid: &Grid, slot: &Slot<'_>, settings: &Settings) -> Result<(), SlotError> {
    let lengths = [
        (Element::Branch, grid.ends.len(), slot.flows.len()),
        (Element::Source, grid.sources.len(), slot.sources.len()),
        (Element::Load, grid.loads.len(), slot.loads.len()),
        (Element::Storage, grid.storages.len(), slot.storages.len()),
    ];
    for (element, expected, got) in lengths {
        if expected != got {
            return Err(SlotError::Length {
                element,
                expected,
                got,
            });
        }
    }
    let numbers = [
        (
            "dead_below_megawatts",
            settings.dead_below_megawatts,
            f64::MIN_POSITIVE,
            MAX_MEGAWATTS,
            "a positive power",
        ),
        (
            "max_unknown_share",
            settings.max_unknown_share,
            0.0,
            1.0 - f64::EPSILON,
            "0 or more and less than 1",
        ),
        (
            "hours",
            slot.hours,
            f64::MIN_POSITIVE,
            8784.0,
            "more than 0 and at most a year",
        ),
    ];
    for (name, value, low, high, expected) in numbers {
        if !(low..=high).contains(&value) {
            return Err(SlotError::Setting {
                name,
                value,
                expected,
            });
        }
    }
    Ok(())
}

/// A power that can be computed with.
pub(super) fn usable(megawatts: f64) -> bool {
    megawatts.abs() <= MAX_MEGAWATTS
}
