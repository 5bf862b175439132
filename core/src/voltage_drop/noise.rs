//! How far each meter scatters, and what each quarter and day of it weighs.

use std::ops::Range;

use super::float;
use super::group::{Group, Member, Who};
use super::series::median;

/// Residuals beyond so many standard deviations weigh less (Huber).
const HUBER: f64 = 2.5;
/// Mean square of a normal variable that is cut off there.
const CUT: f64 = 0.9776;
/// Rounds towards the scatter at which the cut-off residuals have that mean square.
const ROUNDS: usize = 4;
/// No meter is believed to scatter less than this share of what the middle one does: its residuals would vanish in u(t).
const LEAST_SHARE: f64 = 0.2;
/// Nor less than this.
const LEAST: f64 = 1e-7;
/// Days of a charger whose own slope lies further off than so many times what its days usually do weigh less.
const ODD_DAY: f64 = 4.0;
/// It takes so many days to say what is usual.
const LEAST_DAYS: usize = 5;

/// Weights by the residuals: scatter by meter, then quarters and days.
pub(super) fn weigh(group: &mut Group, days: &[Range<usize>]) {
    let scaled = scaled(group, days);
    for (member, scaled) in group.members.iter_mut().zip(&scaled) {
        let squares: Vec<f64> = scaled.iter().flatten().map(|value| value * value).collect();
        if squares.is_empty() {
            continue;
        }
        let mut variance = squares.iter().sum::<f64>() / float(squares.len());
        for _ in 0..ROUNDS {
            let most = HUBER * HUBER * variance;
            let cut: f64 = squares.iter().map(|square| square.min(most)).sum();
            variance = cut / float(squares.len()) / CUT;
        }
        member.sigma = variance.sqrt();
    }
    let mut sigmas: Vec<f64> = group.members.iter().map(|member| member.sigma).collect();
    let least = LEAST_SHARE * median(&mut sigmas).unwrap_or(0.0);
    for (member, scaled) in group.members.iter_mut().zip(&scaled) {
        member.sigma = member.sigma.max(least).max(LEAST);
        let sigma = member.sigma;
        let precision = 1.0 / (sigma * sigma);
        for (weight, scaled) in member.weight.iter_mut().zip(scaled) {
            if let Some(scaled) = scaled {
                *weight = precision * (HUBER * sigma / scaled.abs()).min(1.0);
            } else if *weight > 0.0 {
                *weight = precision;
            }
        }
        odd_days(member, days);
    }
}

/// Residuals over what u(t) and the gain leave of them; None where the quarter says nothing of this meter.
fn scaled(group: &Group, days: &[Range<usize>]) -> Vec<Vec<Option<f64>>> {
    let mut all = Vec::with_capacity(group.members.len());
    let length = group.members.first().map_or(0, |member| member.y.len());
    let mut sums = vec![0.0; length];
    for member in &group.members {
        for (sum, weight) in sums.iter_mut().zip(&member.weight) {
            *sum += weight;
        }
    }
    for member in &group.members {
        let mut own = vec![None; length];
        for day in days {
            let weights = member.weight.get(day.clone()).unwrap_or(&[]);
            let there = weights.iter().filter(|weight| **weight > 0.0).count();
            if there < 2 {
                continue;
            }
            let gain = 1.0 - 1.0 / float(there);
            let residuals = member.residual.get(day.clone()).unwrap_or(&[]);
            let sums = sums.get(day.clone()).unwrap_or(&[]);
            let cells = own.get_mut(day.clone()).unwrap_or(&mut []).iter_mut();
            for (cell, ((weight, sum), residual)) in
                cells.zip(weights.iter().zip(sums).zip(residuals))
            {
                let left = 1.0 - weight / sum;
                if *weight > 0.0 && left > 1e-6 {
                    *cell = Some(residual / (left * gain).sqrt());
                }
            }
        }
        all.push(own);
    }
    all
}

/// Days that contradict all others: two meters taken for each other, or a branch that was another for a day.
fn odd_days(member: &mut Member, days: &[Range<usize>]) {
    let (Who::Charger(_), Some(regressor)) = (member.who, member.regressors.first()) else {
        return;
    };
    let mut scores = Vec::with_capacity(days.len());
    for day in days {
        let weights = member.weight.get(day.clone()).unwrap_or(&[]);
        let x = regressor.x.get(day.clone()).unwrap_or(&[]);
        let residuals = member.residual.get(day.clone()).unwrap_or(&[]);
        let (score, information) = contrast(weights, x, residuals);
        scores.push((score, information));
    }
    let most = scores.iter().fold(0.0_f64, |most, (_, own)| most.max(*own));
    let known = scores.iter().filter(|(_, own)| *own > 1e-3 * most);
    let mut sizes: Vec<f64> = known.map(|(score, own)| score.abs() / own.sqrt()).collect();
    if sizes.len() < LEAST_DAYS {
        return;
    }
    let usual = (1.4826 * median(&mut sizes).unwrap_or(0.0)).max(1.0);
    for (day, (score, information)) in days.iter().zip(&scores) {
        let size = score.abs() / information.sqrt();
        if size > ODD_DAY * usual {
            let share = ODD_DAY * usual / size;
            for weight in member.weight.get_mut(day.clone()).unwrap_or(&mut []) {
                *weight *= share;
            }
        }
    }
}

/// What residuals say of a slope, and how much: Σw(x − x̄)r and Σw(x − x̄)².
pub(super) fn contrast(weights: &[f64], x: &[f64], residuals: &[f64]) -> (f64, f64) {
    let middle = centre(weights, x);
    let cells = weights.iter().zip(x).zip(residuals);
    cells.fold(
        (0.0, 0.0),
        |(score, information), ((weight, x), residual)| {
            let apart = x - middle;
            (
                score + weight * apart * residual,
                information + weight * apart * apart,
            )
        },
    )
}

/// The weighted mean.
pub(super) fn centre(weights: &[f64], x: &[f64]) -> f64 {
    let total: f64 = weights.iter().sum();
    let sum: f64 = weights.iter().zip(x).map(|(weight, x)| weight * x).sum();
    if total > 0.0 { sum / total } else { 0.0 }
}
