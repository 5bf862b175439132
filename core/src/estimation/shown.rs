//! What windows show by themselves, before anything is estimated.
//!
//! Sums are taken from the first value to the last, so that they are the same on every machine.

use super::windows::Windows;

/// How a charger's power in windows compares with a limit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Powers {
    /// Windows in which it counted anything.
    pub used: usize,
    /// Those of them in which it was beyond the limit.
    pub beyond: usize,
    /// The largest power, kW.
    pub largest_kw: f64,
}

impl Windows {
    /// Some of the windows, by their places; what follows in none of them is not linked. None for places that don't rise
    /// or that there are none of.
    #[must_use]
    pub fn part(&self, places: &[usize]) -> Option<Self> {
        let rise = places.iter().zip(places.iter().skip(1));
        if rise.into_iter().any(|(one, next)| one >= next) {
            return None;
        }
        let mut found = Self::empty(self.chargers());
        for place in places {
            let (start, end) = (self.start_ms.get(*place)?, self.end_ms.get(*place)?);
            let master = self.master_kwh().get(*place)?;
            let cells = self.energies_kwh(*place).iter().copied();
            found.take(*start, *end, *master, cells);
            if self.has_sessions() {
                let first = place.saturating_mul(self.chargers());
                let cells = self.activity.get(first..)?.get(..self.chargers())?;
                found.activity.extend_from_slice(cells);
            }
        }
        Some(found)
    }

    /// Energies of one charger, kWh, by window.
    pub fn column_kwh(&self, charger: usize) -> impl Iterator<Item = f64> {
        (0..self.len()).map(move |window| self.energy(window, charger))
    }

    /// Energies of all chargers together by window, kWh, each times the weight of its charger.
    #[must_use]
    pub fn weighted_kwh(&self, weights: &[f64]) -> Vec<f64> {
        (0..self.len())
            .map(|window| {
                let cells = self.energies_kwh(window).iter().zip(weights);
                cells.fold(0.0, |sum, (energy, weight)| sum + energy * weight)
            })
            .collect()
    }

    /// How the power of a charger compares with a limit, kW.
    #[must_use]
    pub fn powers(&self, charger: usize, limit_kw: f64) -> Powers {
        let mut found = Powers::default();
        for (window, energy) in self.column_kwh(charger).enumerate() {
            if energy == 0.0 {
                continue;
            }
            let kw = energy.abs() / self.hours(window);
            found.largest_kw = if found.used == 0 || kw > found.largest_kw {
                kw
            } else {
                found.largest_kw
            };
            found.used += 1;
            found.beyond += usize::from(limit_kw < kw);
        }
        found
    }

    /// In how many windows a charger counts anything while it doesn't charge: it counts less than a share of its largest
    /// energy, and so it does in the windows before and after.
    #[must_use]
    pub fn quiet(&self, charger: usize, share: f64) -> usize {
        let largest = self.column_kwh(charger).reduce(
            |most, energy| {
                if energy > most { energy } else { most }
            },
        );
        let limit = share * largest.unwrap_or(0.0);
        let low = |window: usize| {
            if window < self.len() {
                self.energy(window, charger) < limit
            } else {
                limit > 0.0
            }
        };
        (0..self.len())
            .filter(|window| {
                let before = window.checked_sub(1).map_or(limit > 0.0, low);
                before && low(*window) && low(*window + 1)
            })
            .filter(|window| self.energy(*window, charger) > 0.0)
            .count()
    }
}
