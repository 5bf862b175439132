//! Windows (窗口): what the master and each charger counted between two instants at which all of them were read.

use super::error::EstimationError;
use super::limits::{check, length, too_many};
use super::sessions::Activity;

/// Most windows of one estimate: seven years of 15 minutes.
pub const MAX_WINDOWS: usize = 250_000;

/// Energies by window, not all equally long. Two windows are linked where one ends as the other begins: the reading in
/// between is then the same, and its error moves energy from one to the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Windows {
    chargers: usize,
    pub(super) start_ms: Vec<i64>,
    pub(super) end_ms: Vec<i64>,
    master_kwh: Vec<f64>,
    /// By window, then by charger.
    energy_kwh: Vec<f64>,
    /// By window, then by charger; empty as long as no session is known.
    pub(super) activity: Vec<Activity>,
}

impl Windows {
    /// No windows yet.
    #[must_use]
    pub const fn empty(chargers: usize) -> Self {
        Self {
            chargers,
            start_ms: Vec::new(),
            end_ms: Vec::new(),
            master_kwh: Vec::new(),
            energy_kwh: Vec::new(),
            activity: Vec::new(),
        }
    }

    /// Windows between consecutive boundaries, from the energies in them: `energies_kwh` has one column per charger.
    ///
    /// # Errors
    /// For columns of the wrong length, too many of them, and boundaries that do not rise.
    pub fn from_energies(
        boundaries_ms: &[i64],
        master_kwh: &[f64],
        energies_kwh: &[&[f64]],
    ) -> Result<Self, EstimationError> {
        let count = boundaries_ms.len().saturating_sub(1);
        check(boundaries_ms, energies_kwh.len(), count)?;
        length("master_kwh", count, master_kwh.len())?;
        for column in energies_kwh {
            length("energies_kwh", count, column.len())?;
        }
        let mut windows = Self::empty(energies_kwh.len());
        let pairs = boundaries_ms.iter().zip(boundaries_ms.iter().skip(1));
        for (row, ((start, end), master)) in pairs.zip(master_kwh).enumerate() {
            let cells = energies_kwh.iter().filter_map(|column| column.get(row));
            windows.take(*start, *end, *master, cells.copied());
        }
        Ok(windows)
    }

    /// Windows from cumulative registers in kWh, NaN where there is no reading: a window lies between two consecutive
    /// times at which all registers have one, and what is missing in between makes it longer. Nothing is interpolated.
    /// A charger without any reading does not hold up the others: its energies are 0.
    ///
    /// # Errors
    /// For columns of the wrong length, too many of them, and times that do not rise.
    pub fn from_registers(
        times_ms: &[i64],
        master_kwh: &[f64],
        registers_kwh: &[&[f64]],
    ) -> Result<Self, EstimationError> {
        check(times_ms, registers_kwh.len(), times_ms.len())?;
        length("master_kwh", times_ms.len(), master_kwh.len())?;
        for column in registers_kwh {
            length("registers_kwh", times_ms.len(), column.len())?;
        }
        let absent: Vec<bool> = registers_kwh
            .iter()
            .map(|column| column.iter().all(|value| value.is_nan()))
            .collect();
        let mut windows = Self::empty(registers_kwh.len());
        let mut before: Option<(i64, f64, usize)> = None;
        for (row, (time, master)) in times_ms.iter().zip(master_kwh).enumerate() {
            let at = |row: usize| registers_kwh.iter().map(move |column| column.get(row));
            let whole = at(row)
                .zip(&absent)
                .all(|(value, absent)| *absent || value.is_some_and(|value| !value.is_nan()));
            if master.is_nan() || !whole {
                continue;
            }
            if let Some((start, counted, from)) = before {
                let cells = at(row).zip(at(from)).zip(&absent).map(|((now, then), no)| {
                    let (now, then) = (now.copied().unwrap_or(0.0), then.copied().unwrap_or(0.0));
                    if *no { 0.0 } else { now - then }
                });
                windows.take(start, *time, master - counted, cells);
            }
            before = Some((*time, *master, row));
        }
        Ok(windows)
    }

    pub(super) fn take(
        &mut self,
        start: i64,
        end: i64,
        master: f64,
        cells: impl Iterator<Item = f64>,
    ) {
        self.start_ms.push(start);
        self.end_ms.push(end);
        self.master_kwh.push(master);
        self.energy_kwh.extend(cells);
    }

    /// Add one window of a state.
    pub(super) fn restore(
        &mut self,
        (start, end): (i64, i64),
        master: f64,
        energies: &[f64],
        activities: &[Activity],
    ) -> Result<(), EstimationError> {
        if end <= start || self.end_ms.last().is_some_and(|last| start < *last) {
            return Err(EstimationError::State("its windows are out of order"));
        }
        self.take(start, end, master, energies.iter().copied());
        self.activity.extend_from_slice(activities);
        Ok(())
    }

    /// Add what came later.
    ///
    /// # Errors
    /// For another number of chargers, windows that begin before the last one ends, and more than [`MAX_WINDOWS`].
    pub fn append(&mut self, later: &Self) -> Result<(), EstimationError> {
        length("chargers", self.chargers, later.chargers)?;
        if let (Some(end), Some(start)) = (self.end_ms.last(), later.start_ms.first())
            && start < end
        {
            return Err(EstimationError::Order {
                name: "window",
                row: 0,
                before_ms: *end,
                ms: *start,
            });
        }
        let count = self.len() + later.len();
        too_many("windows", count, MAX_WINDOWS)?;
        if self.activity.is_empty() != later.activity.is_empty() {
            self.activity
                .resize(self.energy_kwh.len(), Activity::default());
        }
        self.start_ms.extend_from_slice(&later.start_ms);
        self.end_ms.extend_from_slice(&later.end_ms);
        self.master_kwh.extend_from_slice(&later.master_kwh);
        self.energy_kwh.extend_from_slice(&later.energy_kwh);
        self.activity.extend_from_slice(&later.activity);
        if !self.activity.is_empty() {
            self.activity
                .resize(self.energy_kwh.len(), Activity::default());
        }
        Ok(())
    }

    /// Forget the first windows.
    pub(super) fn forget(&mut self, count: usize) {
        let count = count.min(self.len());
        self.start_ms.drain(..count);
        self.end_ms.drain(..count);
        self.master_kwh.drain(..count);
        self.energy_kwh.drain(..count * self.chargers);
        if !self.activity.is_empty() {
            self.activity.drain(..count * self.chargers);
        }
    }

    /// Number of windows.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.start_ms.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.start_ms.is_empty()
    }

    /// Number of chargers.
    #[must_use]
    pub const fn chargers(&self) -> usize {
        self.chargers
    }

    /// When the windows begin, ms.
    #[must_use]
    pub fn starts_ms(&self) -> &[i64] {
        &self.start_ms
    }

    /// When they end, ms.
    #[must_use]
    pub fn ends_ms(&self) -> &[i64] {
        &self.end_ms
    }

    /// Energies of the master, kWh.
    #[must_use]
    pub fn master_kwh(&self) -> &[f64] {
        &self.master_kwh
    }

    /// Energies of all chargers in one window, kWh.
    #[must_use]
    pub fn energies_kwh(&self, window: usize) -> &[f64] {
        let start = window.saturating_mul(self.chargers);
        let cells = self.energy_kwh.get(start..);
        cells
            .and_then(|cells| cells.get(..self.chargers))
            .unwrap_or(&[])
    }

    /// Energies of all windows by charger, kWh; what is not known of a window counts for nothing.
    #[must_use]
    pub fn sums_kwh(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.chargers];
        for window in 0..self.len() {
            for (sum, energy) in sums.iter_mut().zip(self.energies_kwh(window)) {
                *sum += if energy.is_nan() { 0.0 } else { *energy };
            }
        }
        sums
    }

    pub(super) fn energy(&self, window: usize, charger: usize) -> f64 {
        let cell = self.energies_kwh(window).get(charger);
        cell.copied().unwrap_or(0.0)
    }

    /// Length of a window, h.
    pub(super) fn hours(&self, window: usize) -> f64 {
        let ends = (self.start_ms.get(window), self.end_ms.get(window));
        let (Some(start), Some(end)) = ends else {
            return 0.0;
        };
        hours(*start, *end)
    }

    /// Whether a window begins as the one before ends.
    pub(super) fn linked(&self, window: usize) -> bool {
        let before = window.checked_sub(1).and_then(|row| self.end_ms.get(row));
        before.is_some() && before == self.start_ms.get(window)
    }
}

/// Milliseconds to hours; windows are far shorter than the 2⁵³ ms a float counts exactly.
#[allow(
    clippy::cast_precision_loss,
    reason = "bounded by the years of a calendar"
)]
pub(super) fn hours(start_ms: i64, end_ms: i64) -> f64 {
    end_ms.saturating_sub(start_ms) as f64 / 3.6e6
}
