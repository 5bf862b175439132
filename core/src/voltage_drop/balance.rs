//! Whether the load of a charger for three phases stands evenly on them (三相不平衡), and what it loses if it does not.
//!
//! A branch with lines of the resistance R and a neutral of kR, and currents in phase with their voltages. A load P that
//! stands evenly lets each phase fall by bP of itself and loses bP of itself, b = R/3V². Loads pⱼ of the phases let them fall by
//!
//! dⱼ = 3b(pⱼ + 1.5k(pⱼ − P/3)):
//!
//! the neutral's current shifts its potential (中性点位移), so that the phases with less load rise. The mean of the phases
//! still falls by bP, whatever stands on which: it says b. The loss is Σpⱼdⱼ = bP² + 3b(1 + 1.5k)Σ(pⱼ − P/3)²: of a vehicle
//! on one phase, 3(1 + k)bP², six times as much with a neutral like the lines. What phases deviate from their mean by,
//! Dⱼ = dⱼ − bP, tells it in two ways: P·max Dⱼ, where what is on the phases in use is the same on each (one vehicle),
//! whatever k is; and ΣDⱼ²/(3b(1 + 1.5k)) for any load, with k: 1, or more where one phase falls by more than 5bP.
//! The mean of both is taken, and half of their difference is uncertainty.
//!
//! Where chargers idle, their phases are those of the bus, each with a gain that stays for a day. Their columns are laid to
//! those of the master, since installers turn phases from charger to charger.

use std::ops::Range;

use super::float;
use super::meter::DropMeter;
use super::phases::{Deviations, bus, laid};
use super::series::Series;
use crate::estimation::Known;

/// Deviations beyond so many of what an idle charger's scatter are a load's.
const CLEARLY: f64 = 4.0;
/// And beyond this share of what a vehicle on one phase makes, with a neutral like the lines.
const SHARE: f64 = 0.2;
/// Length of (5, −2.5, −2.5): that vehicle's deviations, in bP.
const SINGLE: f64 = 6.123_724;
/// 1 + 1.5k of a neutral like the lines, and one of a third of their section, beyond which nothing is believed.
const NEUTRAL: (f64, f64) = (2.5, 5.5);
/// Nor more loss beyond bP² than of that on one phase, in bP².
const BEYOND: f64 = 2.0 * NEUTRAL.1;
/// What a vehicle on one phase loses beyond bP², in bP².
const MOST_EXCESS: f64 = 5.0;
/// Deviations of a share of the voltage beyond belief.
const MOST: f64 = 0.2;
/// Less beyond the balanced loss is none that can be told, relative.
const LEAST: f64 = 0.03;
/// How far what is told of it is off, relative: as of any drop.
const OWN: f64 = 0.05;
/// It takes so many quarters with a bus to say anything.
const LEAST_QUARTERS: usize = 8;
/// And so much of the charger's energy.
const LEAST_ENERGY: f64 = 0.25;

/// How a charger's load stands on its phases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Balance {
    /// Nobody can say: it shows one voltage, or nothing tells the phases of its bus.
    Unknown,
    /// Evenly, as far as it matters.
    Even,
    /// A part of it doesn't: its branch loses more than the mean of its voltages says.
    Uneven {
        /// What it loses more, of its energy, with the standard uncertainty.
        share: Known,
        /// All that it loses by what it would lose if the same power stood evenly.
        factor: f64,
    },
}

/// What is said of each charger; `losses`: b of each, 1/kW at the usual voltage, None where nothing was measured.
pub(super) fn balances(
    meters: &[&DropMeter],
    series: &[Series],
    losses: &[Option<f64>],
    master: Option<&DropMeter>,
    days: &[Range<usize>],
) -> Vec<Balance> {
    let mut known: Vec<Option<Deviations>> = meters
        .iter()
        .zip(series)
        .map(|(meter, series)| Deviations::new(meter, Some(series)))
        .collect();
    let master = master.and_then(|master| Deviations::new(master, None));
    let known_chargers = known.iter().flatten().count();
    if known_chargers == 0 || (known_chargers == 1 && master.is_none()) {
        return vec![Balance::Unknown; meters.len()];
    }
    laid(&mut known, master.as_ref(), days);
    // The trunk lies between the master and the bus: it is taken for the bus where no other charger tells it.
    let alone = known.iter().flatten().count() == 1;
    let away = bus(&known, master.as_ref().filter(|_| alone), days);
    let each = known.iter().zip(series).zip(losses).zip(&away);
    each.map(|(((known, series), loss), away)| match (known, *loss) {
        (Some(known), Some(loss)) if loss > 0.0 => Sums::new(known, series, loss, away).said(loss),
        _ => Balance::Unknown,
    })
    .collect()
}

/// How the phases of one charger lie off the bus: what its load lets each fall by beyond their mean.
#[derive(Debug, Clone, Default)]
pub(super) struct Away {
    /// By quarter; None where the bus isn't known.
    pub(super) fallen: Vec<Option<[f64; 3]>>,
    /// Scatter while it idles: root mean square of the length.
    pub(super) scatter: f64,
}

/// Sums over the quarters in which it charges.
#[derive(Debug, Default)]
struct Sums {
    quarters: usize,
    uneven: usize,
    /// Of those, in which the phases lie further apart than any load through this branch could make them.
    absurd: usize,
    /// Of the power in all quarters, and in those with a bus.
    all: f64,
    energy: f64,
    squares: f64,
    /// Loss beyond the balanced one, and times power, of each way to tell it.
    by_load: (f64, f64),
    by_square: (f64, f64),
    /// What could stand on one phase unseen.
    unseen: f64,
}

impl Sums {
    fn new(known: &Deviations, series: &Series, loss: f64, away: &Away) -> Self {
        let mut sums = Self::default();
        let mut odd: Vec<(f64, [f64; 3])> = Vec::new();
        let rows = known.idle.iter().zip(&away.fallen).zip(&series.kw);
        for ((_, fallen), kw) in rows.filter(|((idle, _), kw)| !**idle && kw.is_finite()) {
            sums.all += kw.abs();
            let Some(fallen) = fallen.filter(|fallen| length(fallen) <= MOST) else {
                continue;
            };
            // A vehicle that feeds back lifts what it would let fall.
            let fallen = fallen.map(|one| one * kw.signum());
            sums.quarters += 1;
            sums.energy += kw.abs();
            sums.squares += kw * kw;
            let single = SINGLE * loss * kw.abs();
            if length(&fallen) > (CLEARLY * away.scatter).max(SHARE * single) {
                sums.uneven += 1;
                odd.push((kw.abs(), fallen));
            } else if CLEARLY * away.scatter > single / 2.0 {
                sums.unseen += MOST_EXCESS * loss * kw * kw;
            }
        }
        let neutral = neutral(&odd, loss);
        for (kw, fallen) in odd {
            let most = fallen.iter().fold(0.0_f64, |most, own| most.max(*own));
            let beyond = BEYOND * loss * kw * kw;
            let by_square = length(&fallen).powi(2) / (3.0 * loss * neutral);
            sums.absurd += usize::from(kw * most > beyond);
            let (by_load, by_square) = ((kw * most).min(beyond), by_square.min(beyond));
            sums.by_load = (sums.by_load.0 + by_load, sums.by_load.1 + kw * by_load);
            sums.by_square = (
                sums.by_square.0 + by_square,
                sums.by_square.1 + kw * by_square,
            );
        }
        sums
    }

    fn said(&self, loss: f64) -> Balance {
        if 2 * self.absurd > self.uneven
            || self.quarters < LEAST_QUARTERS
            || self.energy < LEAST_ENERGY * self.all
        {
            return Balance::Unknown;
        }
        let balanced = loss * self.squares;
        let unseen = self.unseen / balanced;
        let excess = f64::midpoint(self.by_load.0, self.by_square.0) / balanced;
        if excess < LEAST {
            // What can't be seen of so small a power is next to nothing, or else nobody can say.
            return if unseen < LEAST {
                Balance::Even
            } else {
                Balance::Unknown
            };
        }
        // Of all its energy. Windows tell more of those with more energy, or less, as the others' power is: as far apart from it
        // as it is when each weighs by its power, either way.
        let value = f64::midpoint(self.by_load.0, self.by_square.0) / self.energy;
        let by_power = f64::midpoint(self.by_load.1, self.by_square.1) / self.squares;
        let parts = [
            value - by_power,
            (self.by_load.0 - self.by_square.0) / 2.0 / self.energy,
            self.unseen / 12.0_f64.sqrt() / self.energy,
            // Quarters without a bus, if they are like any few of those with one.
            (1.0 - self.energy / self.all) * value / float(self.uneven).sqrt().max(1.0),
            OWN * value,
        ];
        let u = parts.iter().map(|part| part * part).sum::<f64>().sqrt();
        Balance::Uneven {
            share: Known { value, u },
            factor: 1.0 + excess,
        }
    }
}

/// 1 + 1.5k: by the phase that falls most, of a vehicle on one phase, where that is more than with a neutral like the lines.
fn neutral(odd: &[(f64, [f64; 3])], loss: f64) -> f64 {
    let ratios = odd.iter().map(|(kw, fallen)| {
        let most = fallen.iter().fold(0.0_f64, |most, own| most.max(*own));
        most / (2.0 * loss * kw)
    });
    let mut ratios: Vec<f64> = ratios.filter(|ratio| ratio.is_finite()).collect();
    let (least, most) = NEUTRAL;
    let place = ratios.len() * 3 / 4;
    if place >= ratios.len() {
        return least;
    }
    let (_, ratio, _) = ratios.select_nth_unstable_by(place, f64::total_cmp);
    ratio.clamp(least, most)
}

/// Length of a vector.
pub(super) fn length(own: &[f64; 3]) -> f64 {
    own.iter().map(|one| one * one).sum::<f64>().sqrt()
}
