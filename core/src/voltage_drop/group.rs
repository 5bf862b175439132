//! Meters that see one bus: chargers that follow the same voltage, and that voltage of the master.

use super::result::Follows;
use super::series::Series;
use super::trunk::Flow;

/// Most chargers of one group: with the bus known to 1/√32 of one meter's scatter, more add nothing to speak of.
pub const GROUP: usize = 32;

/// What a meter's voltage goes with: a column of the system, and its value by quarter.
#[derive(Debug, Clone)]
pub(super) struct Regressor {
    pub(super) column: usize,
    pub(super) x: Vec<f64>,
}

/// Whose voltage it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// A charger's.
    Charger(usize),
    /// The master's: the mean, or a phase from 1.
    Master(usize),
}

/// One meter of a group. Where nothing is known, y and x are 0 and the weight is 0.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) who: Who,
    pub(super) y: Vec<f64>,
    pub(super) regressors: Vec<Regressor>,
    pub(super) known: Vec<bool>,
    pub(super) weight: Vec<f64>,
    pub(super) residual: Vec<f64>,
    /// Scatter of its relative voltage around the model.
    pub(super) sigma: f64,
}

/// A group of meters with one u(t).
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) members: Vec<Member>,
}

/// Share of the voltage beyond which nothing is linearised.
const MOST: f64 = 0.3;
/// Relative scatter that is begun with.
const SIGMA: f64 = 1e-3;

impl Member {
    fn new(who: Who, series: &Series, regressors: Vec<Regressor>) -> Self {
        let mut regressors = regressors;
        let mut known: Vec<bool> = series.y.iter().map(|y| y.is_finite()).collect();
        for regressor in &regressors {
            for (known, x) in known.iter_mut().zip(&regressor.x) {
                *known &= x.is_finite();
            }
        }
        let blank = |values: &mut [f64]| {
            for (value, known) in values.iter_mut().zip(&known) {
                if !known {
                    *value = 0.0;
                }
            }
        };
        let mut y = series.y.clone();
        blank(&mut y);
        for regressor in &mut regressors {
            blank(&mut regressor.x);
        }
        let precision = 1.0 / (SIGMA * SIGMA);
        let weight = known.iter();
        let weight = weight.map(|known| if *known { precision } else { 0.0 });
        Self {
            who,
            weight: weight.collect(),
            residual: vec![0.0; y.len()],
            y,
            regressors,
            known,
            sigma: SIGMA,
        }
    }

    /// Linearise at the slopes found.
    pub(super) fn linearise(
        &mut self,
        chargers: &[Series],
        master: &[(Series, Flow)],
        slopes: &[f64],
    ) {
        match self.who {
            Who::Charger(number) => {
                if let (Some(series), Some(loss)) = (chargers.get(number), slopes.get(number)) {
                    self.linearise_branch(series, *loss);
                }
            }
            Who::Master(voltage) => {
                let trunk = slopes.get(chargers.len()..).unwrap_or(&[]);
                if let (Some((series, flow)), [line, neutral]) = (master.get(voltage), trunk) {
                    self.linearise_trunk(series, flow, (*line, *neutral));
                }
            }
        }
    }

    /// −ln(1 + bP) at a loss b.
    fn linearise_branch(&mut self, series: &Series, loss: f64) {
        let Some(regressor) = self.regressors.first_mut() else {
            return;
        };
        // Half or twice the voltage is no drop: far from the solution the curve is none to follow.
        let top = series.top.max(1e-9);
        let loss = loss.clamp(-MOST / top, MOST / top);
        let cells = self.y.iter_mut().zip(&mut regressor.x);
        let known = self.known.iter().zip(series.y.iter().zip(&series.kw));
        for ((y, x), (known, (voltage, kw))) in cells.zip(known) {
            if *known {
                let share = loss * kw;
                let slope = kw / (1.0 + share);
                *x = -slope;
                *y = voltage + share.ln_1p() - loss * slope;
            }
        }
    }

    /// −ln(1 − s), s what line and neutral take of the voltage.
    fn linearise_trunk(&mut self, series: &Series, flow: &Flow, (line, neutral): (f64, f64)) {
        for (row, known) in self.known.iter().enumerate() {
            let flows =
                [&flow.line_kw, &flow.neutral_kw].map(|kw| kw.get(row).copied().unwrap_or(0.0));
            let [through, beside] = flows;
            let share = (line * through + neutral * beside).clamp(-MOST, MOST);
            let (Some(y), Some(voltage)) = (self.y.get_mut(row), series.y.get(row)) else {
                continue;
            };
            if *known {
                *y = voltage + (-share).ln_1p() + share / (1.0 - share);
                for (regressor, kw) in self.regressors.iter_mut().zip(flows) {
                    if let Some(x) = regressor.x.get_mut(row) {
                        *x = kw / (1.0 - share);
                    }
                }
            }
        }
    }
}

/// All groups. Columns: one per charger, then the trunk's line and neutral. `master`: its voltages with what flows.
pub(super) fn groups(
    chargers: &[Series],
    follows: &[Follows],
    master: &[(Series, Flow)],
) -> Vec<Group> {
    let trunk = chargers.len();
    let mut groups = Vec::new();
    for (voltage, panel) in Follows::ALL.into_iter().enumerate() {
        let numbered = chargers.iter().zip(follows).enumerate();
        let own: Vec<(usize, &Series)> = numbered
            .filter(|(_, (series, follows))| **follows == panel && series.fault.is_none())
            .map(|(number, (series, _))| (number, series))
            .collect();
        let parts = own.len().div_ceil(GROUP);
        for part in 0..parts {
            let chosen = own.iter().skip(part).step_by(parts);
            let mut members: Vec<Member> = chosen
                .map(|(number, series)| {
                    let x = series.kw.iter().map(|kw| -kw).collect();
                    let column = *number;
                    Member::new(Who::Charger(column), series, vec![Regressor { column, x }])
                })
                .collect();
            if let Some((series, flow)) = master.get(voltage) {
                let both = [&flow.line_kw, &flow.neutral_kw];
                let both = both.into_iter().enumerate();
                let regressors = both.filter(|(_, kw)| !kw.is_empty());
                let regressors = regressors.map(|(place, kw)| Regressor {
                    column: trunk + place,
                    x: kw.clone(),
                });
                members.push(Member::new(
                    Who::Master(voltage),
                    series,
                    regressors.collect(),
                ));
            }
            if members.len() > 1 {
                groups.push(Group { members });
            }
        }
    }
    groups
}
