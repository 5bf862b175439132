//! Which voltage of the master a charger follows: the mean of three phases, or one of them.

use std::ops::Range;

use super::float;
use super::result::Follows;
use super::series::{Series, median};
use super::trunk::by_phase;
use crate::estimation::dense::{Cholesky, Square};

/// A phase scatters less than the mean by at least this factor before it is believed.
const CLEARLY: f64 = 0.9;
/// The drop of the trunk by phase is known better once it is known who takes from which: so many times over.
const ROUNDS: usize = 3;
/// So many days are enough to see it.
const MOST_DAYS: usize = 30;
/// What a difference of two voltages is regressed on: the own power, the master's, and what was taken from each phase.
const REGRESSORS: usize = 5;

/// Of each charger the one of the master's voltages that leaves the least scatter. `master`: the mean, and the phases where
/// there are three.
pub(super) fn follows(
    chargers: &[Series],
    master: &[Series],
    days: &[Range<usize>],
) -> Vec<Follows> {
    let mut all = vec![Follows::Mean; chargers.len()];
    if master.len() < 2 {
        return all;
    }
    let length = master.first().map_or(0, |mean| mean.y.len());
    let step = days.len().div_ceil(MOST_DAYS).max(1);
    let days: Vec<Range<usize>> = days.iter().step_by(step).cloned().collect();
    for round in 0..ROUNDS {
        let phases = by_phase(length, chargers, &all);
        let clearly = if round + 1 == ROUNDS { CLEARLY } else { 1.0 };
        for (charger, own) in chargers.iter().zip(&mut all) {
            if charger.fault.is_none() {
                *own = follow(charger, master, &phases, &days, clearly);
            }
        }
        if all.iter().all(|follows| *follows == Follows::Mean) {
            break;
        }
    }
    all
}

fn follow(
    charger: &Series,
    master: &[Series],
    phases: &[Vec<f64>; 3],
    days: &[Range<usize>],
    clearly: f64,
) -> Follows {
    let mut best = (f64::INFINITY, Follows::Mean);
    for (voltage, follows) in master.iter().zip(Follows::ALL) {
        let Some(scatter) = scatter(charger, voltage, phases, days) else {
            continue;
        };
        let scatter = match follows {
            Follows::Mean => clearly * scatter,
            _ => scatter,
        };
        if scatter < best.0 {
            best = (scatter, follows);
        }
    }
    best.1
}

/// Median absolute residual of the difference of two voltages, regressed on powers within days.
fn scatter(
    charger: &Series,
    master: &Series,
    phases: &[Vec<f64>; 3],
    days: &[Range<usize>],
) -> Option<f64> {
    let [a, b, c] = phases;
    // The difference comes last.
    let mut rows: Vec<[f64; REGRESSORS + 1]> = Vec::new();
    for day in days {
        let first = rows.len();
        let mut sums = [0.0_f64; REGRESSORS + 1];
        for row in day.clone() {
            let difference = charger.y.get(row)? - master.y.get(row)?;
            let powers = [charger.kw.get(row)?, master.kw.get(row)?];
            let [own, all] = powers;
            let values = [
                *own,
                *all,
                *a.get(row)?,
                *b.get(row)?,
                *c.get(row)?,
                difference,
            ];
            if values.iter().all(|value| value.is_finite()) {
                rows.push(values);
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += value;
                }
            }
        }
        let own = rows.get_mut(first..)?;
        let count = float(own.len()).max(1.0);
        for values in own {
            for (value, sum) in values.iter_mut().zip(sums) {
                *value -= sum / count;
            }
        }
    }
    let mut products = [[0.0_f64; REGRESSORS + 1]; REGRESSORS];
    for values in &rows {
        for (left, products) in values.iter().zip(&mut products) {
            for (product, right) in products.iter_mut().zip(values) {
                *product += left * right;
            }
        }
    }
    let mut matrix = Square::zero(REGRESSORS);
    let mut side = [0.0_f64; REGRESSORS];
    for (row, ([powers @ .., last], side)) in products.iter().zip(&mut side).enumerate() {
        *side = *last;
        for (column, product) in powers.iter().enumerate() {
            // The same power twice is no error here.
            let more = if row == column {
                1e-9 * product + 1e-9
            } else {
                0.0
            };
            matrix.add(row, column, product + more);
        }
    }
    let slopes = Cholesky::new(&matrix)?.solve(&side);
    let residuals = rows.iter().map(|[powers @ .., difference]| {
        let fitted = powers.iter().zip(&slopes).map(|(kw, slope)| kw * slope);
        (difference - fitted.sum::<f64>()).abs()
    });
    let mut residuals: Vec<f64> = residuals.collect();
    median(&mut residuals)
}
