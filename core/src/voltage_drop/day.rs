//! One local day of one group: u(t) and the gains eliminated, and found again.

use std::ops::Range;

use super::drift::{FUNCTIONS, Moments, Turns, WAVES, pairs};
use super::eliminate::Eliminated;
use super::group::{Group, Member};
use crate::estimation::dense::{Square, dot};

/// The equations of a day without u(t) and the gains.
#[derive(Debug)]
pub(super) struct Day {
    gains: Eliminated,
}

/// A meter's part of a day.
struct Part<'a> {
    y: &'a [f64],
    weight: &'a [f64],
    /// The weight over √Σw: products of two are what u(t) takes.
    shared: Vec<f64>,
}

/// What a meter's voltage goes with, on that day; at last the voltages of all.
struct Column<'a> {
    /// The meter's number; None of the voltages.
    member: Option<usize>,
    x: &'a [f64],
    /// w·x over √Σw.
    shared: Vec<f64>,
}

fn of<'a>(values: &'a [f64], rows: &Range<usize>) -> &'a [f64] {
    values.get(rows.clone()).unwrap_or(&[])
}

fn times(left: &[f64], right: &[f64]) -> Vec<f64> {
    left.iter().zip(right).map(|(a, b)| a * b).collect()
}

/// Σ of the weights by quarter.
fn weights(members: &[Member], rows: &Range<usize>) -> Vec<f64> {
    let mut sums = vec![0.0; rows.len()];
    for member in members {
        for (sum, weight) in sums.iter_mut().zip(of(&member.weight, rows)) {
            *sum += weight;
        }
    }
    sums
}

fn parts<'a>(members: &'a [Member], rows: &Range<usize>) -> (Vec<Part<'a>>, Vec<Column<'a>>) {
    let roots = weights(members, rows).into_iter();
    let roots = roots.map(|sum| if sum > 0.0 { 1.0 / sum.sqrt() } else { 0.0 });
    let roots: Vec<f64> = roots.collect();
    let mut voltages = vec![0.0; rows.len()];
    let (mut parts, mut columns) = (Vec::new(), Vec::new());
    for (number, member) in members.iter().enumerate() {
        let weight = of(&member.weight, rows);
        let shared = times(weight, &roots);
        for regressor in &member.regressors {
            let x = of(&regressor.x, rows);
            columns.push(Column {
                member: Some(number),
                x,
                shared: times(&shared, x),
            });
        }
        let y = of(&member.y, rows);
        for (sum, (shared, y)) in voltages.iter_mut().zip(shared.iter().zip(y)) {
            *sum += shared * y;
        }
        parts.push(Part { y, weight, shared });
    }
    columns.push(Column {
        member: None,
        x: &[],
        shared: voltages,
    });
    (parts, columns)
}

/// Where a function of the time stands of a meter: gains first, then the drifts meter by meter.
const fn place(members: usize, member: usize, function: usize) -> usize {
    if function == 0 {
        member
    } else {
        members + member * WAVES + function - 1
    }
}

/// Functions of the time, of a meter beside itself and those after it.
fn add_functions(reduced: &mut Square, turns: &Turns, parts: &[Part], number: usize, own: &Part) {
    let count = parts.len();
    for (other, beside) in parts.iter().enumerate().skip(number) {
        let mut moments = Moments::default();
        if other == number {
            turns.add(&mut moments, 1.0, own.weight, &vec![1.0; own.weight.len()]);
        }
        turns.add(&mut moments, -1.0, &own.shared, &beside.shared);
        for (left, right, value) in pairs(&moments) {
            let here = place(count, number, left);
            reduced.add(here, place(count, other, right), value);
            if other != number && left != right {
                // The later function of the first meter may stand after the other's gain.
                let here = place(count, number, right);
                let there = place(count, other, left);
                reduced.add(here.min(there), here.max(there), value);
            }
        }
    }
}

/// Functions of the time of a meter beside one of the columns, which stands at `to`.
fn add_beside(
    reduced: &mut Square,
    turns: &Turns,
    (count, number, own): (usize, usize, &Part),
    column: &Column,
    to: usize,
) {
    let mut sums = [0.0; FUNCTIONS];
    match column.member {
        None => turns.add_functions(&mut sums, 1.0, own.weight, own.y),
        Some(owner) if owner == number => {
            turns.add_functions(&mut sums, 1.0, own.weight, column.x);
        }
        Some(_) => (),
    }
    turns.add_functions(&mut sums, -1.0, &own.shared, &column.shared);
    for (function, sum) in sums.into_iter().enumerate() {
        reduced.add(place(count, number, function), to, sum);
    }
}

/// A column of a meter beside another.
fn product(member: usize, own: &Part, column: &Column, other: &Column) -> f64 {
    let weighted = match other.member {
        None => dot(&times(own.weight, column.x), own.y),
        Some(owner) if owner == member => dot(&times(own.weight, column.x), other.x),
        Some(_) => 0.0,
    };
    weighted - dot(&column.shared, &other.shared)
}

impl Day {
    /// `sum`: takes what is left, of the drifts, then of the regressors, then the side.
    pub(super) fn new(group: &Group, turns: &Turns, sum: &mut Square) -> Self {
        let (parts, columns) = parts(&group.members, &turns.rows);
        let count = parts.len();
        let first = count * FUNCTIONS;
        let mut reduced = Square::zero(first + columns.len());
        for (number, own) in parts.iter().enumerate() {
            add_functions(&mut reduced, turns, &parts, number, own);
            for (column, beside) in columns.iter().enumerate() {
                let own = (count, number, own);
                add_beside(&mut reduced, turns, own, beside, first + column);
            }
        }
        for (row, own) in columns.iter().enumerate() {
            let part = own.member.and_then(|member| parts.get(member));
            let (Some(member), Some(part)) = (own.member, part) else {
                continue;
            };
            for (column, other) in columns.iter().enumerate().skip(row) {
                let value = product(member, part, own, other);
                reduced.add(first + row, first + column, value);
            }
        }
        let whole = parts.iter().map(|own| own.weight.iter().sum());
        let whole: Vec<f64> = whole.collect();
        let (gains, left) = Eliminated::new(reduced, &whole);
        for (row, values) in left.rows().enumerate() {
            let cells = sum.row_mut(row).get_mut(row..).unwrap_or(&mut []);
            for (cell, value) in cells.iter_mut().zip(values) {
                *cell += value;
            }
        }
        Self { gains }
    }

    /// Residuals of the day into the members; `found`: the drifts, then what the regressors are multiplied with.
    pub(super) fn resolve(&self, group: &mut Group, turns: &Turns, found: &[f64]) {
        let gains = self.gains.solve(found, 1.0);
        let (drifts, slopes) = found
            .split_at_checked(group.members.len() * WAVES)
            .unwrap_or((found, &[]));
        let sums = weights(&group.members, &turns.rows);
        let mut bus = vec![0.0; sums.len()];
        let mut slopes = slopes.iter();
        let each = group.members.iter_mut().zip(&gains);
        for ((member, gain), drift) in each.zip(drifts.chunks(WAVES)) {
            let mut fitted = turns.course(*gain, drift);
            for (regressor, slope) in member.regressors.iter().zip(&mut slopes) {
                for (fitted, x) in fitted.iter_mut().zip(of(&regressor.x, &turns.rows)) {
                    *fitted += slope * x;
                }
            }
            let residuals = member.residual.get_mut(turns.rows.clone());
            let cells = residuals.unwrap_or(&mut []).iter_mut();
            let cells = cells.zip(of(&member.y, &turns.rows)).zip(&fitted);
            let weights = of(&member.weight, &turns.rows);
            for (((residual, y), fitted), (bus, weight)) in cells.zip(bus.iter_mut().zip(weights)) {
                *residual = y - fitted;
                *bus += weight * *residual;
            }
        }
        for member in &mut group.members {
            let own = member.residual.get_mut(turns.rows.clone());
            let own = own.unwrap_or(&mut []).iter_mut();
            for ((residual, bus), sum) in own.zip(&bus).zip(&sums) {
                if *sum > 0.0 {
                    *residual -= bus / sum;
                }
            }
        }
    }
}
