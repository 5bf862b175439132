//! The equations of a reconciliation, and their solution.

use super::outcome::{ReconcileError, Which};
use super::{BranchReading, Reading, Readings};
use crate::carbon_flow::elimination::{Arcs, Elimination};
use crate::carbon_flow::grid::Grid;

/// A loss this much below 0, in MW, is rounding.
const ROUNDING: f64 = 1e-9;

/// One measured injection: its node, its sign there, its value and variance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Injection {
    pub(super) which: Which,
    pub(super) node: u32,
    pub(super) sign: f64,
    pub(super) value: f64,
    pub(super) variance: f64,
    pub(super) missing: bool,
}

/// One branch: values and variances at both ends, and the same of its loss.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) ends: [u32; 2],
    pub(super) values: [f64; 2],
    pub(super) variances: [f64; 2],
    pub(super) missing: [bool; 2],
    pub(super) loss: Option<(f64, f64)>,
    /// The loss would come out negative and is held at 0.
    pub(super) held: bool,
}

/// What is known of a branch before the nodes' equations: means and covariance of both ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prior {
    pub(super) means: [f64; 2],
    pub(super) variances: [f64; 2],
    /// What both ends share, as a positive number: the covariance is its negative.
    pub(super) shared: f64,
    /// What each variance has beyond `shared`, computed without subtraction.
    pub(super) own: [f64; 2],
}

/// All measurements, and what was discarded of them.
#[derive(Debug, Clone)]
pub(super) struct System {
    pub(super) nodes: usize,
    pub(super) injections: Vec<Injection>,
    pub(super) lines: Vec<Line>,
    missing_variance: f64,
}

/// A solution: corrected values, and what the residuals' variances need.
#[derive(Debug)]
pub(super) struct Solved {
    pub(super) injections: Vec<f64>,
    pub(super) lines: Vec<[f64; 2]>,
    pub(super) elimination: Elimination,
    /// Nodes whose equation can be met by correcting something.
    pub(super) equations: usize,
    /// What is left at each node.
    pub(super) imbalance: Vec<f64>,
}

impl Line {
    /// The values at both ends, given that of the loss; held at 0 if asked for.
    pub(super) fn prior(&self, held: bool) -> Prior {
        let [first, second] = self.variances;
        let free = Prior {
            means: self.values,
            variances: self.variances,
            shared: 0.0,
            own: self.variances,
        };
        let loss = if held { Some((0.0, 0.0)) } else { self.loss };
        let Some((loss, variance)) = loss else {
            return free;
        };
        let sum = first + second + variance;
        if sum <= 0.0 {
            return free;
        }
        let missing = (loss - self.values[0] - self.values[1]) / sum;
        Prior {
            means: [
                self.values[0] + first * missing,
                self.values[1] + second * missing,
            ],
            variances: [
                first * (second + variance) / sum,
                second * (first + variance) / sum,
            ],
            shared: first * second / sum,
            own: [first * variance / sum, second * variance / sum],
        }
    }
}

impl Prior {
    /// Both ends after the nodes' multipliers are known.
    fn corrected(&self, at: [f64; 2]) -> [f64; 2] {
        [
            self.means[0] + self.variances[0] * at[0] - self.shared * at[1],
            self.means[1] + self.variances[1] * at[1] - self.shared * at[0],
        ]
    }
}

fn taken(reading: &Reading, missing_variance: f64) -> (f64, f64, bool) {
    if reading.present() {
        (reading.megawatts, reading.sigma * reading.sigma, false)
    } else {
        (0.0, missing_variance, true)
    }
}

fn at(values: &[f64], node: u32) -> f64 {
    values.get(node as usize).copied().unwrap_or_default()
}

fn add(values: &mut [f64], node: u32, value: f64) {
    if let Some(sum) = values.get_mut(node as usize) {
        *sum += value;
    }
}

impl System {
    pub(super) fn new(grid: &Grid, readings: &Readings<'_>, missing_sigma: f64) -> Self {
        let missing_variance = missing_sigma * missing_sigma;
        let mut injections = Vec::new();
        let mut inject = |places: &[u32], readings: &[Reading], sign, which: fn(u32) -> Which| {
            for (index, (node, reading)) in (0..).zip(places.iter().zip(readings)) {
                let (value, variance, missing) = taken(reading, missing_variance);
                injections.push(Injection {
                    which: which(index),
                    node: *node,
                    sign,
                    value,
                    variance,
                    missing,
                });
            }
        };
        inject(&grid.sources, readings.sources, 1.0, Which::Source);
        inject(&grid.loads, readings.loads, -1.0, Which::Load);
        inject(&grid.storages, readings.storages, -1.0, Which::Storage);
        let line = |(ends, reading): (&[u32; 2], &BranchReading)| {
            let from = taken(&reading.from, missing_variance);
            let to = taken(&reading.to, missing_variance);
            let loss = reading.loss.filter(Reading::present);
            Line {
                ends: *ends,
                values: [from.0, to.0],
                variances: [from.1, to.1],
                missing: [from.2, to.2],
                loss: loss.map(|loss| (loss.megawatts, loss.sigma * loss.sigma)),
                held: false,
            }
        };
        Self {
            nodes: grid.nodes(),
            lines: grid.ends.iter().zip(readings.branches).map(line).collect(),
            injections,
            missing_variance,
        }
    }

    /// Treat a reading as missing.
    pub(super) fn discard(&mut self, which: Which) {
        let variance = self.missing_variance;
        let end = |lines: &mut [Line], branch: u32, end: usize| {
            if let Some(line) = lines.get_mut(branch as usize)
                && let (Some(value), Some(own), Some(missing)) = (
                    line.values.get_mut(end),
                    line.variances.get_mut(end),
                    line.missing.get_mut(end),
                )
            {
                (*value, *own, *missing) = (0.0, variance, true);
            }
        };
        match which {
            Which::From(branch) => end(&mut self.lines, branch, 0),
            Which::To(branch) => end(&mut self.lines, branch, 1),
            Which::Loss(branch) => {
                if let Some(line) = self.lines.get_mut(branch as usize) {
                    line.loss = None;
                }
            }
            other => {
                for injection in &mut self.injections {
                    if injection.which == other {
                        (injection.value, injection.variance) = (0.0, variance);
                        injection.missing = true;
                    }
                }
            }
        }
    }

    fn imbalance(&self, injections: &[f64], lines: &[[f64; 2]]) -> Vec<f64> {
        let mut left = vec![0.0; self.nodes];
        for (injection, value) in self.injections.iter().zip(injections) {
            add(&mut left, injection.node, injection.sign * value);
        }
        for (line, values) in self.lines.iter().zip(lines) {
            add(&mut left, line.ends[0], -values[0]);
            add(&mut left, line.ends[1], -values[1]);
        }
        left
    }

    /// What the measurements leave at each node, a missing one taken for 0.
    pub(super) fn measured_imbalance(&self) -> Vec<f64> {
        let injections: Vec<f64> = self.injections.iter().map(|one| one.value).collect();
        let lines: Vec<[f64; 2]> = self.lines.iter().map(|line| line.values).collect();
        self.imbalance(&injections, &lines)
    }

    /// Solve, with losses held at 0 where they would be negative; returns how many rounds that took.
    pub(super) fn solve(&mut self, max_rounds: usize) -> Result<(usize, Solved), ReconcileError> {
        for line in &mut self.lines {
            line.held = false;
        }
        let mut round = 1;
        loop {
            let (solved, multipliers) = self.solve_once()?;
            if round >= max_rounds {
                return Ok((round, solved));
            }
            let mut changed = false;
            for (line, values) in self.lines.iter_mut().zip(&solved.lines) {
                let lambda = line.ends.map(|node| at(&multipliers, node));
                if line.held {
                    let [from, to] = line.prior(false).corrected(lambda);
                    if from + to > ROUNDING {
                        line.held = false;
                        changed = true;
                    }
                } else if values[0] + values[1] < -ROUNDING
                    && line.variances[0] + line.variances[1] > 0.0
                {
                    line.held = true;
                    changed = true;
                }
            }
            if !changed {
                return Ok((round, solved));
            }
            round += 1;
        }
    }

    fn solve_once(&self) -> Result<(Solved, Vec<f64>), ReconcileError> {
        let priors: Vec<Prior> = self
            .lines
            .iter()
            .map(|line| line.prior(line.held))
            .collect();
        let mut supply = vec![0.0; self.nodes];
        let mut flows = Vec::new();
        for injection in &self.injections {
            add(&mut supply, injection.node, injection.variance);
        }
        for (line, prior) in self.lines.iter().zip(&priors) {
            let [from, to] = line.ends;
            add(&mut supply, from, prior.own[0]);
            add(&mut supply, to, prior.own[1]);
            if prior.shared > 0.0 {
                flows.push((from, to, prior.shared));
                flows.push((to, from, prior.shared));
            }
        }
        let equations = self.nodes - pin(&mut supply, &flows);
        let elimination = Elimination::new(&supply, Arcs::new(self.nodes, flows))
            .ok_or(ReconcileError::TooTangled)?;
        let mut injections: Vec<f64> = self.injections.iter().map(|one| one.value).collect();
        let mut lines: Vec<[f64; 2]> = priors.iter().map(|prior| prior.means).collect();
        let mut multipliers = vec![0.0; self.nodes];
        // The second pass takes what rounding left of the first.
        for _ in 0..2 {
            let left = self.imbalance(&injections, &lines);
            let mut sides: Vec<[f64; 1]> = left.iter().map(|value| [*value]).collect();
            elimination.solve(&mut sides);
            for (sum, side) in multipliers.iter_mut().zip(&sides) {
                *sum += side[0];
            }
            for (injection, value) in self.injections.iter().zip(&mut injections) {
                let lambda = at(&multipliers, injection.node);
                *value = injection.value - injection.sign * injection.variance * lambda;
            }
            for ((line, prior), values) in self.lines.iter().zip(&priors).zip(&mut lines) {
                *values = prior.corrected(line.ends.map(|node| at(&multipliers, node)));
            }
        }
        let imbalance = self.imbalance(&injections, &lines);
        let solved = Solved {
            injections,
            lines,
            elimination,
            equations,
            imbalance,
        };
        Ok((solved, multipliers))
    }
}

/// Where nothing in a connected part of the equations can take up its sum, that sum stays as it is: hold one of its
/// nodes, so that the others can be solved. Returns how many were held.
fn pin(supply: &mut [f64], flows: &[(u32, u32, f64)]) -> usize {
    let mut parent: Vec<u32> = (0..).take(supply.len()).collect();
    for (from, to, _) in flows {
        let (first, second) = (root(&mut parent, *from), root(&mut parent, *to));
        if let Some(above) = parent.get_mut(first as usize) {
            *above = second;
        }
    }
    let mut sums = vec![0.0; supply.len()];
    let mut largest = vec![0.0_f64; supply.len()];
    for (node, own) in (0..).zip(supply.iter()) {
        add(&mut sums, root(&mut parent, node), *own);
    }
    for (from, _, flow) in flows {
        let top = root(&mut parent, *from);
        if let Some(most) = largest.get_mut(top as usize) {
            *most = most.max(*flow);
        }
    }
    let mut held = 0;
    for node in (0..).take(supply.len()) {
        if root(&mut parent, node) == node && at(&sums, node) <= 0.0 {
            held += 1;
            let flow = at(&largest, node);
            add(supply, node, if flow > 0.0 { flow } else { 1.0 });
        }
    }
    held
}

fn root(parent: &mut [u32], node: u32) -> u32 {
    let mut here = node;
    loop {
        let above = parent.get(here as usize).copied().unwrap_or(here);
        if above == here {
            return here;
        }
        let next = parent.get(above as usize).copied().unwrap_or(above);
        if let Some(entry) = parent.get_mut(here as usize) {
            *entry = next;
        }
        here = next;
    }
}
