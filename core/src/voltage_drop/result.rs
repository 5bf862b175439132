//! What is said of each branch.

use super::balance::{Balance, balances};
use super::drift::Turns;
use super::error::DropError;
use super::fit::Fit;
use super::follow::follows;
use super::group::{Group, Who, groups};
use super::meter::{DropMeter, check, days};
use super::series::{Series, logs, median};
use super::trunk::{Flow, flows};
use super::uncertainty::uncertainties;
use crate::estimation::Known;

/// A relative voltage that scatters by more around its own power and the bus follows no bus that is known.
const MOST_SCATTER: f64 = 0.01;
/// What a slope's variance may grow by for what else is fitted; beyond it the slopes can't be told apart.
const MOST_INFLATION: f64 = 100.0;
/// A drop at the charger's highest power beyond this share of the voltage is none of a cable.
const MOST_DROP: f64 = 0.2;
/// Nothing is said where the drop at its highest power is not even known to this share of the voltage.
const LEAST_KNOWN: f64 = 0.1;
/// Below zero by more than so many u.
const BELOW: f64 = 4.0;
/// Power beyond what the master measures by this factor is in another unit.
const OTHER_UNIT: f64 = 20.0;

/// Which voltage of the master a charger follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// The mean of its phases, or the only one there is.
    Mean,
    /// Phase a.
    A,
    /// Phase b.
    B,
    /// Phase c.
    C,
}

impl Follows {
    pub(super) const ALL: [Self; 4] = [Self::Mean, Self::A, Self::B, Self::C];

    /// Number of the phase, from 0; None of the mean.
    #[must_use]
    pub const fn phase(self) -> Option<usize> {
        match self {
            Self::Mean => None,
            Self::A => Some(0),
            Self::B => Some(1),
            Self::C => Some(2),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::A => "a",
            Self::B => "b",
            Self::C => "c",
        }
    }
}

/// Why nothing is said of a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Too few quarters with a believable voltage and power, or too little contrast in them.
    FewQuarters,
    /// Its power hardly changes: it never charged.
    ConstantPower,
    /// Its voltage jumps about by a third and more: a DC side, or a meter that changes its unit.
    Voltage,
    /// Its voltage stands still to the last digit.
    Frozen,
    /// No other meter tells the bus at the same times.
    NoBus,
    /// Its voltage follows no bus: a DC side, another transformer.
    Scatter,
    /// Its power is many times the master's: another unit.
    Power,
    /// Its power can't be told from that of the others, or of the trunk, or goes with the hour of the day and nothing else.
    Collinear,
    /// Its voltage rises with its power: the sign of its power is wrong, or its voltage is another's.
    Negative,
    /// A drop that no cable has.
    Absurd,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::FewQuarters,
        Self::ConstantPower,
        Self::Voltage,
        Self::Frozen,
        Self::NoBus,
        Self::Scatter,
        Self::Power,
        Self::Collinear,
        Self::Negative,
        Self::Absurd,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FewQuarters => "few_quarters",
            Self::ConstantPower => "constant_power",
            Self::Voltage => "voltage",
            Self::Frozen => "frozen",
            Self::NoBus => "no_bus",
            Self::Scatter => "scatter",
            Self::Power => "power",
            Self::Collinear => "collinear",
            Self::Negative => "negative",
            Self::Absurd => "absurd",
        }
    }
}

/// What voltages say of one charger's branch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DropBranch {
    /// Power lost per power squared, 1/kW, of a load that stands evenly on its phases; slightly below 0 where chance has it.
    /// None: see `reason`.
    pub loss: Option<f64>,
    /// Standard uncertainty of that, of statistics alone; infinite where there is no loss.
    pub u: f64,
    /// Which voltage of the master it follows.
    pub follows: Follows,
    /// Quarters in which its own voltage and power are known and other meters tell the bus.
    pub quarters: usize,
    /// Why there is no loss.
    pub reason: Option<Reason>,
    /// How its load stands on its three phases, and what it loses more by that.
    pub balance: Balance,
}

/// What voltages say of a station.
#[derive(Debug, Clone, PartialEq)]
pub struct DropEstimation {
    /// The chargers, in order.
    pub branches: Vec<DropBranch>,
    /// Loss of the trunk between the master and the bus, 1/kW; None where nothing can be said of it.
    pub trunk: Option<Known>,
}

/// Losses of branches by voltage drop, of means over quarters that end (or begin) at `times_ms`.
///
/// `utc_offset_minutes`: local time less UTC, for the days within which the gain of a meter is taken to stay.
///
/// # Errors
/// For columns that don't fit together or are too many. What is odd in them is the reason of a branch.
pub fn voltage_drop(
    times_ms: &[i64],
    chargers: &[&DropMeter],
    master: Option<&DropMeter>,
    utc_offset_minutes: i32,
) -> Result<DropEstimation, DropError> {
    check(times_ms, chargers, master, utc_offset_minutes)?;
    let (days, blocks) = days(times_ms, utc_offset_minutes);
    let phases = master;
    let mut series: Vec<Series> = chargers
        .iter()
        .map(|meter| Series::new(&logs(&meter.voltages), &meter.power_kw, &days))
        .collect();
    let voltages: Vec<Series> = master.map_or_else(Vec::new, |master| {
        let power = &master.power_kw;
        let phases = master.voltages.iter().map(std::slice::from_ref);
        let phases = phases.filter(|_| master.voltages.len() > 1);
        let all = std::iter::once(master.voltages.as_slice()).chain(phases);
        all.map(|voltages| Series::new(&logs(voltages), power, &days))
            .collect()
    });
    if let Some(mean) = voltages.first() {
        for series in series.iter_mut().filter(|series| series.fault.is_none()) {
            if other_unit(&series.kw, &mean.kw) {
                series.fault = Some(Reason::Power);
            }
        }
    }
    let own = follows(&series, &voltages, &days);
    let kw = voltages.first().map_or(&[][..], |mean| &mean.kw);
    let flows = flows(kw, &series, &own);
    let master: Vec<_> = voltages.into_iter().zip(flows).collect();
    let turns = days
        .iter()
        .map(|day| Turns::new(times_ms, utc_offset_minutes, day));
    let turns: Vec<Turns> = turns.collect();
    let fit = Fit::new(
        groups(&series, &own, &master),
        &series,
        &master,
        &days,
        &turns,
    );
    let Some(fit) = fit else {
        return Ok(nothing(&series, &own));
    };
    let u = uncertainties(&fit, &turns, &blocks);
    let branches = series.iter().zip(&own).enumerate();
    let branches = branches.map(|(number, (series, follows))| {
        let u = u.get(number).copied().unwrap_or(f64::INFINITY);
        branch(&fit, number, series, *follows, u)
    });
    let mut branches: Vec<DropBranch> = branches.collect();
    let losses: Vec<Option<f64>> = branches
        .iter()
        .zip(&series)
        .map(|(branch, series)| branch.loss.map(|loss| loss / series.factor))
        .collect();
    let balances = balances(chargers, &series, &losses, phases, &days);
    for (branch, balance) in branches.iter_mut().zip(balances) {
        branch.balance = balance;
    }
    Ok(DropEstimation {
        branches,
        trunk: trunk(&fit, series.len(), &u, &master),
    })
}

/// Where the system has no solution at all.
fn nothing(series: &[Series], follows: &[Follows]) -> DropEstimation {
    let branches = series
        .iter()
        .zip(follows)
        .map(|(series, follows)| DropBranch {
            loss: None,
            u: f64::INFINITY,
            follows: *follows,
            quarters: 0,
            reason: series.fault.or(Some(Reason::Collinear)),
            balance: Balance::Unknown,
        });
    DropEstimation {
        branches: branches.collect(),
        trunk: None,
    }
}

/// Whether a charger takes many times what the master measures, while it charges.
fn other_unit(power_kw: &[f64], master_kw: &[f64]) -> bool {
    let finite = power_kw.iter().filter(|kw| kw.is_finite());
    let top = finite.fold(0.0_f64, |top, kw| top.max(*kw));
    let pairs = power_kw.iter().zip(master_kw);
    // A master that feeds in is no measure.
    let active = pairs.filter(|(kw, all)| **kw > 0.5 * top && **all > 0.0 && top > 0.0);
    let mut ratios: Vec<f64> = active.map(|(kw, all)| kw / all).collect();
    median(&mut ratios).is_some_and(|ratio| ratio > OTHER_UNIT)
}

/// Quarters in which a charger is known together with others, and its scatter.
fn seen(groups: &[Group], number: usize) -> (usize, f64) {
    for group in groups {
        let Some(own) = group
            .members
            .iter()
            .find(|member| member.who == Who::Charger(number))
        else {
            continue;
        };
        let rows = own.known.iter().enumerate().filter(|(row, known)| {
            let others = group.members.iter();
            let others = others.filter(|member| member.known.get(*row) == Some(&true));
            **known && others.take(2).count() > 1
        });
        return (rows.count(), own.sigma);
    }
    (0, 0.0)
}

fn branch(fit: &Fit, number: usize, series: &Series, follows: Follows, u: f64) -> DropBranch {
    let (quarters, scatter) = seen(&fit.groups, number);
    let slope = fit.slopes.get(number).copied().unwrap_or(0.0);
    let information = fit.information.get(number).copied().unwrap_or(0.0);
    let inflation = information * fit.inverse.get(number, number);
    let reason = if series.fault.is_some() {
        series.fault
    } else if quarters == 0 {
        Some(Reason::NoBus)
    } else if information <= 0.0 {
        Some(Reason::FewQuarters)
    } else if inflation > MOST_INFLATION {
        Some(Reason::Collinear)
    } else if scatter > MOST_SCATTER {
        Some(Reason::Scatter)
    } else if u.is_nan() || u * series.top > LEAST_KNOWN {
        Some(Reason::FewQuarters)
    } else if slope < -BELOW * u {
        Some(Reason::Negative)
    } else if slope * series.factor * series.top > MOST_DROP {
        Some(Reason::Absurd)
    } else {
        None
    };
    let known = reason.is_none();
    DropBranch {
        loss: known.then_some(slope * series.factor),
        u: if known {
            u * series.factor
        } else {
            f64::INFINITY
        },
        follows,
        quarters,
        reason,
        balance: Balance::Unknown,
    }
}

fn trunk(fit: &Fit, column: usize, u: &[f64], master: &[(Series, Flow)]) -> Option<Known> {
    let (mean, _) = master.first()?;
    let value = *fit.slopes.get(column)?;
    let u = *u.get(column)?;
    let information = *fit.information.get(column)?;
    let inflation = information * fit.inverse.get(column, column);
    let told = information > 0.0 && inflation <= MOST_INFLATION && u > 0.0 && value > -BELOW * u;
    told.then_some(Known {
        value: value * mean.factor,
        u: u * mean.factor,
    })
}
