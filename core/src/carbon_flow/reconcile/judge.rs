//! Which readings are implausible: normalised residuals, and χ² of all.

use std::collections::HashMap;

use super::chi_square::probability_above;
use super::outcome::{Finding, Reconciliation, Which};
use super::system::{Injection, Line, Prior, Solved, System};
use crate::carbon_flow::elimination::Elimination;

/// A reading of whose variance a correction can take less than this share is checked by no other.
const LEAST_SHARE: f64 = 1e-9;

/// Normalised residuals this close, relatively, are one: the readings can't be told apart.
const SAME: f64 = 1e-6;

/// Normalised residuals of all readings, None for what is missing or checked by nothing.
#[derive(Debug)]
pub(super) struct Residuals {
    injections: Vec<Option<f64>>,
    lines: Vec<[Option<f64>; 3]>,
}

/// The entries of the inverse of the nodes' equations wherever their elimination has one (Takahashi 1973).
struct Inverse(HashMap<(u32, u32), f64>);

impl Inverse {
    fn new(elimination: &Elimination) -> Self {
        let mut inverse = Self(HashMap::with_capacity(elimination.steps.len() * 4));
        for step in elimination.steps.iter().rev() {
            let mut own = 1.0 / step.inflow;
            for (other, _) in &step.from {
                let through = step.from.iter();
                let sum: f64 = through
                    .map(|(third, flow)| flow / step.inflow * inverse.entry(*third, *other))
                    .sum();
                inverse.0.insert(key(step.node, *other), sum);
            }
            for (other, flow) in &step.from {
                own += flow / step.inflow * inverse.entry(step.node, *other);
            }
            inverse.0.insert((step.node, step.node), own);
        }
        inverse
    }

    fn entry(&self, first: u32, second: u32) -> f64 {
        self.0.get(&key(first, second)).copied().unwrap_or_default()
    }
}

fn key(first: u32, second: u32) -> (u32, u32) {
    (first.min(second), first.max(second))
}

fn normalised(correction: f64, variance: f64, own: f64) -> Option<f64> {
    (own > 0.0 && variance > LEAST_SHARE * own).then(|| correction.abs() / variance.sqrt())
}

fn of_injection(injection: &Injection, corrected: f64, inverse: &Inverse) -> Option<f64> {
    if injection.missing {
        return None;
    }
    let own = injection.variance;
    let variance = own * own * inverse.entry(injection.node, injection.node);
    normalised(corrected - injection.value, variance, own)
}

/// Of both ends and the loss of a branch.
fn of_line(line: &Line, corrected: [f64; 2], inverse: &Inverse) -> [Option<f64>; 3] {
    let prior: Prior = line.prior(line.held);
    let [from, to] = line.ends;
    let (first, second) = (inverse.entry(from, from), inverse.entry(to, to));
    let between = inverse.entry(from, to);
    // The rows of the covariance of both ends, and their sum: that of the loss.
    let rows = [
        [prior.variances[0], -prior.shared],
        [-prior.shared, prior.variances[1]],
        prior.own,
    ];
    let [by_from, by_to, by_loss] = rows.map(|[a, b]| {
        let through = a * a * first + 2.0 * a * b * between + b * b * second;
        through.max(0.0)
    });
    let end = |at: usize, taken: f64, through: f64| {
        let pick = |pair: [f64; 2]| if at == 0 { pair[0] } else { pair[1] };
        let missing = if at == 0 {
            line.missing[0]
        } else {
            line.missing[1]
        };
        if missing {
            return None;
        }
        let own = pick(line.variances);
        normalised(pick(corrected) - pick(line.values), taken + through, own)
    };
    let by_loss_reading = |own: f64, other: f64, loss: Option<(f64, f64)>| {
        let loss = if line.held { Some((0.0, 0.0)) } else { loss };
        loss.map_or(0.0, |(_, variance)| {
            let sum = own + other + variance;
            if sum > 0.0 { own * own / sum } else { 0.0 }
        })
    };
    let [own_first, own_second] = line.variances;
    let loss = line.loss.filter(|_| !line.held).and_then(|(value, own)| {
        let sum = own_first + own_second + own;
        let taken = if sum > 0.0 { own * own / sum } else { 0.0 };
        normalised(corrected[0] + corrected[1] - value, taken + by_loss, own)
    });
    [
        end(
            0,
            by_loss_reading(own_first, own_second, line.loss),
            by_from,
        ),
        end(1, by_loss_reading(own_second, own_first, line.loss), by_to),
        loss,
    ]
}

pub(super) fn correlate(system: &System, solved: &Solved) -> Residuals {
    let inverse = Inverse::new(&solved.elimination);
    let injections = system.injections.iter().zip(&solved.injections);
    let lines = system.lines.iter().zip(&solved.lines);
    Residuals {
        injections: injections
            .map(|(one, corrected)| of_injection(one, *corrected, &inverse))
            .collect(),
        lines: lines
            .map(|(line, corrected)| of_line(line, *corrected, &inverse))
            .collect(),
    }
}

/// The reading with the largest normalised residual beyond the limit, and those that can't be told from it.
pub(super) fn judge(
    system: &System,
    solved: &Solved,
    residuals: &Residuals,
    limit: f64,
) -> Vec<Finding> {
    let mut suspects = Vec::new();
    let mut consider = |which, measured, corrected, residual: Option<f64>| {
        if let Some(normalised_residual) = residual.filter(|residual| *residual > limit) {
            suspects.push(Finding {
                which,
                measured,
                corrected,
                normalised_residual,
                left_out: false,
            });
        }
    };
    let injections = system.injections.iter().zip(&solved.injections);
    for ((one, corrected), residual) in injections.zip(&residuals.injections) {
        consider(one.which, one.value, *corrected, *residual);
    }
    let lines = system.lines.iter().zip(&solved.lines).zip(&residuals.lines);
    for (branch, ((line, [from, to]), residuals)) in (0..).zip(lines) {
        consider(Which::From(branch), line.values[0], *from, residuals[0]);
        consider(Which::To(branch), line.values[1], *to, residuals[1]);
        let loss = line.loss.map_or(0.0, |(value, _)| value);
        consider(Which::Loss(branch), loss, from + to, residuals[2]);
    }
    let worst = suspects
        .iter()
        .map(|one| one.normalised_residual)
        .fold(0.0, f64::max);
    suspects.retain(|one| one.normalised_residual >= worst * (1.0 - SAME));
    suspects
}

/// Σ((x − z)/σ)², and how many more equations there are than values to find.
fn chi_square(system: &System, solved: &Solved) -> (f64, usize) {
    let mut sum = 0.0;
    let mut equations = solved.equations;
    let mut unknowns = 0;
    let mut take = |missing: bool, difference: f64, variance: f64| {
        if missing {
            unknowns += 1;
        } else if variance > 0.0 {
            sum += difference * difference / variance;
        }
    };
    for (one, corrected) in system.injections.iter().zip(&solved.injections) {
        take(one.missing, corrected - one.value, one.variance);
    }
    for (line, [from, to]) in system.lines.iter().zip(&solved.lines) {
        take(line.missing[0], from - line.values[0], line.variances[0]);
        take(line.missing[1], to - line.values[1], line.variances[1]);
        equations += usize::from(line.held);
        if let Some((loss, variance)) = line.loss {
            equations += 1;
            take(false, from + to - loss, variance);
        }
    }
    (sum, equations.saturating_sub(unknowns))
}

pub(super) fn conclude(
    system: &System,
    solved: &Solved,
    residuals: Residuals,
    findings: Vec<Finding>,
    imbalance_before: Vec<f64>,
    rounds: usize,
) -> Reconciliation {
    let (chi_square, degrees_of_freedom) = chi_square(system, solved);
    #[expect(clippy::cast_precision_loss, reason = "far below 2⁵³")]
    let probability = probability_above(chi_square, degrees_of_freedom as f64);
    let corrected = |kind: fn(&Which) -> bool| {
        let injections = system.injections.iter().zip(&solved.injections);
        injections
            .filter(|(one, _)| kind(&one.which))
            .map(|(_, value)| *value)
            .collect()
    };
    let held = (0..).zip(&system.lines).filter(|(_, line)| line.held);
    Reconciliation {
        branches: solved.lines.clone(),
        sources: corrected(|which| matches!(which, Which::Source(_))),
        loads: corrected(|which| matches!(which, Which::Load(_))),
        storages: corrected(|which| matches!(which, Which::Storage(_))),
        branch_residuals: residuals
            .lines
            .iter()
            .map(|[from, to, _]| [*from, *to])
            .collect(),
        injection_residuals: residuals.injections,
        imbalance_before,
        imbalance_after: solved.imbalance.clone(),
        chi_square,
        degrees_of_freedom,
        probability,
        ambiguous: findings.iter().filter(|one| !one.left_out).count() > 1,
        findings,
        held: held.map(|(branch, _)| branch).collect(),
        rounds,
    }
}
