//! What a reconciliation takes and says.

use thiserror::Error;

use super::Readings;
use crate::carbon_flow::error::{Element, SlotError};
use crate::carbon_flow::grid::Grid;
use crate::carbon_flow::slot::{MAX_MEGAWATTS, usable};

/// A measured power and its standard deviation, in MW. NaN is a reading that is missing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The value.
    pub megawatts: f64,
    /// The standard deviation; 0 for a value that is not to be corrected.
    pub sigma: f64,
}

impl Reading {
    /// Whether there is a value.
    #[must_use]
    pub fn present(&self) -> bool {
        usable(self.megawatts)
    }
}

/// One reading of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Which {
    /// At the from end of a branch.
    From(u32),
    /// At the to end of a branch.
    To(u32),
    /// The loss of a branch.
    Loss(u32),
    /// Of a source.
    Source(u32),
    /// Of a load.
    Load(u32),
    /// Of a storage.
    Storage(u32),
}

/// A reading that can't be right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// Which.
    pub which: Which,
    /// As it was measured, in MW.
    pub measured: f64,
    /// As the others have it, in MW.
    pub corrected: f64,
    /// The correction in units of its own standard deviation.
    pub normalised_residual: f64,
    /// It was left out; false where others are as suspect, or where no more may be left out.
    pub left_out: bool,
}

/// How readings are judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReconcileSettings {
    /// The normalised residual beyond which a reading is bad.
    pub max_normalised_residual: f64,
    /// How many readings may be left out.
    pub max_bad_readings: usize,
    /// Standard deviation in MW of a reading that is missing, about 0.
    pub missing_sigma_megawatts: f64,
    /// How often the losses that are held at 0 may be chosen anew.
    pub max_rounds: usize,
}

impl Default for ReconcileSettings {
    /// 3 standard deviations, up to 10 readings; a missing one is within 10 000 MW; 30 rounds.
    fn default() -> Self {
        Self {
            max_normalised_residual: 3.0,
            max_bad_readings: 10,
            missing_sigma_megawatts: 1e4,
            max_rounds: 30,
        }
    }
}

/// What can't be reconciled.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ReconcileError {
    /// Readings that don't fit the grid, or a setting.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// A standard deviation that is none.
    #[error("standard deviation {sigma} MW of {element} number {index}: expected 0 to 10⁹")]
    Sigma {
        /// Kind of the element.
        element: Element,
        /// Its number.
        index: usize,
        /// As given.
        sigma: f64,
    },
    /// The equations fill up beyond all measure.
    #[error("the grid is too tangled to be reconciled")]
    TooTangled,
}

/// Measurements that balance, and what had to be done to them. Powers in MW.
#[derive(Debug, Clone, Default)]
pub struct Reconciliation {
    /// Corrected power into each branch at its from and its to end.
    pub branches: Vec<[f64; 2]>,
    /// Corrected power of each source, load and storage, as they were given.
    pub sources: Vec<f64>,
    /// Of the loads.
    pub loads: Vec<f64>,
    /// Of the storages.
    pub storages: Vec<f64>,
    /// Normalised residual of both ends of each branch; None where a reading is missing or nothing checks it.
    pub branch_residuals: Vec<[Option<f64>; 2]>,
    /// The same of sources, loads and storages, one after the other.
    pub injection_residuals: Vec<Option<f64>>,
    /// What the measurements left at each node.
    pub imbalance_before: Vec<f64>,
    /// What is left now: rounding, but where nothing may be corrected.
    pub imbalance_after: Vec<f64>,
    /// Σ((x − z)/σ)² of what was not left out.
    pub chi_square: f64,
    /// How many more equations there are than values to find.
    pub degrees_of_freedom: usize,
    /// The probability of a `chi_square` this large if all standard deviations are right.
    pub probability: f64,
    /// Readings that can't be right, in the order in which they were found.
    pub findings: Vec<Finding>,
    /// Several readings are equally suspect: none of them was left out.
    pub ambiguous: bool,
    /// Branches whose loss is held at 0: they would give more than they take.
    pub held: Vec<u32>,
    /// Rounds in which those were chosen.
    pub rounds: usize,
}

pub(super) fn check(
    grid: &Grid,
    readings: &Readings<'_>,
    settings: &ReconcileSettings,
) -> Result<(), ReconcileError> {
    let lengths = [
        (Element::Branch, grid.ends.len(), readings.branches.len()),
        (Element::Source, grid.sources.len(), readings.sources.len()),
        (Element::Load, grid.loads.len(), readings.loads.len()),
        (
            Element::Storage,
            grid.storages.len(),
            readings.storages.len(),
        ),
    ];
    for (element, expected, got) in lengths {
        if expected != got {
            return Err(ReconcileError::Slot(SlotError::Length {
                element,
                expected,
                got,
            }));
        }
    }
    for (name, value) in [
        ("max_normalised_residual", settings.max_normalised_residual),
        ("missing_sigma_megawatts", settings.missing_sigma_megawatts),
    ] {
        if !(f64::MIN_POSITIVE..=MAX_MEGAWATTS).contains(&value) {
            let expected = "a positive number up to 10⁹";
            return Err(ReconcileError::Slot(SlotError::Setting {
                name,
                value,
                expected,
            }));
        }
    }
    let sigma = |element, index, reading: &Reading| {
        if (0.0..=MAX_MEGAWATTS).contains(&reading.sigma) {
            return Ok(());
        }
        Err(ReconcileError::Sigma {
            element,
            index,
            sigma: reading.sigma,
        })
    };
    for (index, branch) in readings.branches.iter().enumerate() {
        for reading in [Some(&branch.from), Some(&branch.to), branch.loss.as_ref()] {
            reading.map_or(Ok(()), |reading| sigma(Element::Branch, index, reading))?;
        }
    }
    for (element, readings) in [
        (Element::Source, readings.sources),
        (Element::Load, readings.loads),
        (Element::Storage, readings.storages),
    ] {
        for (index, reading) in readings.iter().enumerate() {
            sigma(element, index, reading)?;
        }
    }
    Ok(())
}
