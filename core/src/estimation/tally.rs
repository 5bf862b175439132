//! What is counted of the windows on the way: how much there is to judge a charger by.

use super::rows::{Excluded, Maker, Row};
use super::windows::Windows;

/// Counts of one charger.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Counts {
    /// Windows in which it charged, and their energy, since its meter is what it is.
    pub(super) active: u64,
    pub(super) energy_kwh: f64,
    /// Windows left out because of it.
    pub(super) excluded: u64,
    /// Windows and energy with the wrong sign.
    pub(super) negative: u64,
    pub(super) negative_kwh: f64,
}

/// Counts of all windows.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Tally {
    pub(super) chargers: Vec<Counts>,
    pub(super) used: u64,
    /// By [`Excluded`]: no number, decreasing, too much.
    pub(super) excluded: [u64; 3],
    pub(super) hours: f64,
    pub(super) master_kwh: f64,
    pub(super) energy_kwh: f64,
    /// Windows in which the master ran backwards.
    pub(super) master_negative: u64,
    pub(super) first_ms: Option<i64>,
    pub(super) last_ms: Option<i64>,
    /// Sums of variances: all (summed with the equations), of the master's register, of the chargers' registers.
    pub(super) variance: f64,
    pub(super) master_variance: f64,
    pub(super) register_variance: f64,
}

impl Tally {
    pub(super) fn new(chargers: usize) -> Self {
        Self {
            chargers: vec![Counts::default(); chargers],
            ..Self::default()
        }
    }

    pub(super) fn exclude(&mut self, why: Excluded, charger: Option<usize>) {
        let [no_number, decreasing, too_much] = &mut self.excluded;
        match why {
            Excluded::NoNumber => *no_number += 1,
            Excluded::Decreasing => *decreasing += 1,
            Excluded::TooMuch => *too_much += 1,
        }
        if let Some(counts) = charger.and_then(|charger| self.chargers.get_mut(charger)) {
            counts.excluded += 1;
        }
    }

    pub(super) fn take(&mut self, maker: &Maker<'_>, windows: &Windows, window: usize, row: &Row) {
        let start_ms = windows.start_ms.get(window).copied();
        self.used += 1;
        self.first_ms = self.first_ms.or(start_ms);
        self.last_ms = windows.end_ms.get(window).copied();
        self.hours += windows.hours(window);
        self.master_kwh += row.master;
        let step = maker.settings.master_step_kwh;
        self.master_negative += u64::from(row.master < -2.0 * step);
        let master = step * step / 6.0;
        self.master_variance += master;
        self.register_variance += row.start.register + row.end.register - master;
        let energies = windows.energies_kwh(window).iter().zip(maker.chargers);
        for ((energy, charger), counts) in energies.zip(&mut self.chargers) {
            if *energy == 0.0 {
                continue;
            }
            self.energy_kwh += energy;
            if *energy < -2.0 * charger.step_kwh {
                counts.negative += 1;
                counts.negative_kwh -= energy;
            }
            if charger.from_ms.is_some_and(|from| start_ms < Some(from)) {
                continue;
            }
            counts.active += 1;
            counts.energy_kwh += energy;
        }
    }
}
