//! Phases beside each other: how each deviates from the mean of the three, which is which, and those of the bus.

use std::ops::Range;

use super::balance::{Away, length};
use super::float;
use super::meter::DropMeter;
use super::series::{Series, median};

/// Up to this share of its highest power a charger idles.
const IDLE: f64 = 0.02;
/// A phase further from the mean of the three is none (ln).
const FAR: f64 = 0.1;
/// The orders of three phases.
const ORDERS: [[usize; 3]; 6] = [
    [0, 1, 2],
    [1, 2, 0],
    [2, 0, 1],
    [0, 2, 1],
    [2, 1, 0],
    [1, 0, 2],
];
/// An order scatters less than any other by at least this factor before it is believed.
const ORDERED: f64 = 0.8;
/// Days that are enough to see it.
const MOST_DAYS: usize = 30;
/// A day's gain comes of at least so many idle quarters.
const LEAST_IDLE: usize = 4;
/// Rounds in which gains and bus are found by turns.
const ROUNDS: usize = 8;
/// From the median length of a vector in two dimensions to its root mean square.
const RMS: f64 = 1.201;

/// ln of each phase less their mean, by quarter.
#[derive(Debug, Clone)]
pub(super) struct Deviations {
    pub(super) cells: Vec<Option<[f64; 3]>>,
    pub(super) idle: Vec<bool>,
}

impl Deviations {
    /// None for a meter with one voltage. `series`: of a charger, whose quarters that aren't believed say nothing here.
    pub(super) fn new(meter: &DropMeter, series: Option<&Series>) -> Option<Self> {
        let [a, b, c] = meter.voltages.as_slice() else {
            return None;
        };
        if series.is_some_and(|series| series.fault.is_some()) {
            return None;
        }
        let phases = a.iter().zip(b).zip(c);
        let mut cells: Vec<Option<[f64; 3]>> =
            phases.map(|((a, b), c)| deviation([*a, *b, *c])).collect();
        let mut idle = vec![true; cells.len()];
        if let Some(series) = series {
            let rows = cells.iter_mut().zip(&mut idle).zip(&series.kw);
            for ((cell, idle), kw) in rows {
                *idle = kw.abs() <= IDLE * series.top;
                if !kw.is_finite() {
                    *cell = None;
                }
            }
        }
        cells
            .iter()
            .any(Option::is_some)
            .then_some(Self { cells, idle })
    }

    fn idle(&self, row: usize) -> Option<[f64; 3]> {
        let idle = self.idle.get(row).copied().unwrap_or(false);
        self.cells.get(row).copied().flatten().filter(|_| idle)
    }

    fn turn(&mut self, order: [usize; 3]) {
        for cell in self.cells.iter_mut().flatten() {
            *cell = turned(cell, order);
        }
    }
}

fn deviation(volts: [f64; 3]) -> Option<[f64; 3]> {
    if volts.iter().any(|volts| volts.is_nan() || *volts <= 0.0) {
        return None;
    }
    let logs = volts.map(f64::ln);
    let middle = logs.iter().sum::<f64>() / 3.0;
    let own = logs.map(|log| log - middle);
    own.iter().all(|one| one.abs() <= FAR).then_some(own)
}

fn turned(own: &[f64; 3], order: [usize; 3]) -> [f64; 3] {
    order.map(|place| own.get(place).copied().unwrap_or(0.0))
}

fn added(left: [f64; 3], right: &[f64; 3], factor: f64) -> [f64; 3] {
    let mut sum = left;
    for (one, more) in sum.iter_mut().zip(right) {
        *one += factor * more;
    }
    sum
}

/// Lay the columns of each charger to those of the master, or of the charger of which most is known; those that
/// can't be laid are taken away.
pub(super) fn laid(
    chargers: &mut [Option<Deviations>],
    master: Option<&Deviations>,
    days: &[Range<usize>],
) {
    let count = |known: &Deviations| known.cells.iter().flatten().count();
    let first = chargers
        .iter()
        .enumerate()
        .filter_map(|(number, known)| known.as_ref().map(|known| (count(known), number)))
        .max_by_key(|(count, number)| (*count, std::cmp::Reverse(*number)));
    let Some((_, first)) = first else { return };
    let reference = match (master, chargers.get(first)) {
        (Some(master), _) => master.clone(),
        (None, Some(Some(own))) => own.clone(),
        _ => return,
    };
    for (number, own) in chargers.iter_mut().enumerate() {
        if master.is_none() && number == first {
            continue;
        }
        let order = own.as_ref().and_then(|own| order(own, &reference, days));
        match (order, own.as_mut()) {
            (Some(order), Some(known)) => known.turn(order),
            _ => *own = None,
        }
    }
}

/// The order of its phases that leaves least between it and the reference while both idle.
fn order(own: &Deviations, reference: &Deviations, days: &[Range<usize>]) -> Option<[usize; 3]> {
    let step = days.len().div_ceil(MOST_DAYS).max(1);
    let mut scatters = ORDERS.map(|order| {
        let mut apart = Vec::new();
        for day in days.iter().step_by(step) {
            let both = day.clone().filter_map(|row| {
                let own = own.idle(row)?;
                Some(added(turned(&own, order), &reference.idle(row)?, -1.0))
            });
            let both: Vec<[f64; 3]> = both.collect();
            let sum = both.iter().fold([0.0; 3], |sum, own| added(sum, own, 1.0));
            let share = 1.0 / float(both.len()).max(1.0);
            apart.extend(both.iter().map(|own| length(&added(*own, &sum, -share))));
        }
        (median(&mut apart).unwrap_or(f64::INFINITY), order)
    });
    scatters.sort_unstable_by(|left, right| left.0.total_cmp(&right.0));
    let [(least, order), (next, _), ..] = scatters;
    (least.is_finite() && least < ORDERED * next).then_some(order)
}

/// How each charger's phases lie off the bus, which the idle ones tell, and `master` where it is taken for the bus.
pub(super) fn bus(
    chargers: &[Option<Deviations>],
    master: Option<&Deviations>,
    days: &[Range<usize>],
) -> Vec<Away> {
    let all: Vec<Option<&Deviations>> = chargers
        .iter()
        .map(Option::as_ref)
        .chain(std::iter::once(master))
        .collect();
    let length = all.iter().flatten().map(|own| own.cells.len()).max();
    let mut away = vec![Away::default(); all.len()];
    for own in &mut away {
        own.fallen = vec![None; length.unwrap_or(0)];
    }
    let mut lengths: Vec<Vec<f64>> = vec![Vec::new(); all.len()];
    for day in days {
        of_day(&all, day, &mut away, &mut lengths);
    }
    for (away, lengths) in away.iter_mut().zip(&mut lengths) {
        away.scatter = median(lengths).map_or(f64::INFINITY, |middle| RMS * middle);
    }
    away.truncate(chargers.len());
    away
}

/// Gains and bus of a day by turns; then what is left.
fn of_day(
    all: &[Option<&Deviations>],
    day: &Range<usize>,
    away: &mut [Away],
    lengths: &mut [Vec<f64>],
) {
    let idle_of = |known: Option<&Deviations>| {
        known.is_some_and(|known| {
            day.clone().filter(|row| known.idle(*row).is_some()).count() >= LEAST_IDLE
        })
    };
    let mut gains: Vec<Option<[f64; 3]>> = all
        .iter()
        .map(|known| idle_of(*known).then_some([0.0; 3]))
        .collect();
    let mut sums = vec![([0.0; 3], 0.0_f64); day.len()];
    for _ in 0..ROUNDS {
        for (sum, row) in sums.iter_mut().zip(day.clone()) {
            *sum = ([0.0; 3], 0.0);
            for (known, gain) in all.iter().zip(&gains) {
                if let (Some(known), Some(gain)) = (known, gain)
                    && let Some(own) = known.idle(row)
                {
                    *sum = (added(added(sum.0, &own, 1.0), gain, -1.0), sum.1 + 1.0);
                }
            }
        }
        for (known, gain) in all.iter().zip(&mut gains) {
            let (Some(known), Some(gain)) = (known, gain) else {
                continue;
            };
            let (mut off, mut count) = ([0.0; 3], 0.0_f64);
            for ((sum, number), row) in sums.iter().zip(day.clone()) {
                if let Some(own) = known.idle(row)
                    && *number > 0.0
                {
                    off = added(added(off, &own, 1.0), sum, -1.0 / number);
                    count += 1.0;
                }
            }
            *gain = off.map(|one| one / count.max(1.0));
        }
    }
    let each = all.iter().zip(&gains).zip(away).zip(lengths);
    for (((known, gain), away), lengths) in each {
        let (Some(known), Some(gain)) = (known, gain) else {
            continue;
        };
        for ((sum, number), row) in sums.iter().zip(day.clone()) {
            let Some(own) = known.cells.get(row).copied().flatten() else {
                continue;
            };
            let own = added(own, gain, -1.0);
            if known.idle(row).is_some() {
                // Less what it says of the bus itself.
                if *number > 1.5 {
                    let others = added(*sum, &own, -1.0).map(|one| one / (number - 1.0));
                    lengths.push(length(&added(own, &others, -1.0)));
                }
            } else if *number > 0.5
                && let Some(cell) = away.fallen.get_mut(row)
            {
                *cell = Some(added(sum.map(|one| one / number), &own, -1.0));
            }
        }
    }
}
