//! Day by day: what was read is summed up and never read again.

use super::chain::{BLOCK, Chain, Noisy, Residual, Room};
use super::error::EstimationError;
use super::layout::Layout;
use super::posterior::{Effort, Posterior};
use super::reference::Reference;
use super::result::Estimation;
use super::rows::Maker;
use super::settings::{Charger, Settings};
use super::shape::CONTEXT;
use super::table::Table;
use super::tally::Tally;
use super::windows::Windows;

/// Sums over windows, with one reference for all of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sums {
    pub(super) chain: Chain,
    pub(super) tally: Tally,
}

/// The rows of some windows. They hang on offsets, not on solution or noise: as long as no clock is put right anew, the
/// same rows serve another pass.
#[derive(Debug)]
pub(super) struct Rows {
    made: Vec<Noisy>,
    /// Window of each row in use; the vector above may have more, to be used again.
    places: Vec<usize>,
    /// Number of rows at the end of each block.
    ends: Vec<usize>,
    /// Counts of these windows, but for what hangs on noise.
    tally: Tally,
    table: Table,
}

impl Rows {
    pub(super) fn new(layout: &Layout) -> Self {
        Self {
            made: Vec::new(),
            places: Vec::new(),
            ends: Vec::new(),
            tally: Tally::new(layout.chargers),
            table: Table::default(),
        }
    }

    /// Make the rows of windows `from` to `until` block by block; `from` begins one. `tally` is what is counted so far.
    pub(super) fn fill(
        &mut self,
        maker: &Maker<'_>,
        windows: &Windows,
        (from, until): (usize, usize),
        tally: &Tally,
    ) {
        let around = from.saturating_sub(CONTEXT);
        let mask: Vec<bool> = (around..(until + CONTEXT).min(windows.len()))
            .map(|window| maker.screen(windows, window).is_ok())
            .collect();
        let usable = |window: usize| {
            let place = window.checked_sub(around).and_then(|place| mask.get(place));
            place.copied().unwrap_or(false)
        };
        self.places.clear();
        self.ends.clear();
        self.tally.clone_from(tally);
        let mut start = from;
        while start < until {
            let end = (start + BLOCK).min(until);
            self.table
                .fill(windows, maker.reference, &usable, (start, end));
            for window in start..end {
                if !usable(window) {
                    if let Err((why, charger)) = maker.screen(windows, window) {
                        self.tally.exclude(why, charger);
                    }
                    continue;
                }
                if self.made.len() == self.places.len() {
                    self.made.push(Noisy::default());
                }
                if let Some(noisy) = self.made.get_mut(self.places.len()) {
                    maker.row(windows, window, &self.table, &mut noisy.row);
                    self.tally.take(maker, windows, window, &noisy.row);
                }
                self.places.push(window);
            }
            self.ends.push(self.places.len());
            start = end;
        }
    }
}

impl Sums {
    pub(super) fn new(layout: &Layout) -> Self {
        Self {
            chain: Chain::new(layout.data),
            tally: Tally::new(layout.chargers),
        }
    }

    /// Add rows that were made to follow what is summed up.
    pub(super) fn add(
        &mut self,
        maker: &Maker<'_>,
        rows: &mut Rows,
        room: &mut Room,
        mut tell: impl FnMut(usize, &Noisy, Residual),
    ) {
        let reference = maker.reference;
        let limit = maker.settings.huber * reference.scale;
        let variance = self.tally.variance;
        self.tally.clone_from(&rows.tally);
        self.tally.variance = variance;
        let mut first = 0;
        for end in &rows.ends {
            let block = rows.made.get_mut(first..*end).unwrap_or(&mut []);
            for noisy in block.iter_mut() {
                (noisy.variance, noisy.covariance) = noisy.row.noise(reference.noise);
                self.tally.variance += noisy.variance;
            }
            let places = rows.places.get(first..*end).unwrap_or(&[]);
            self.chain.take(
                block,
                &reference.solution,
                limit,
                room,
                |place, noisy, residual| {
                    tell(places.get(place).copied().unwrap_or(0), noisy, residual);
                },
            );
            first = *end;
        }
    }
}

/// The normal equations of all windows so far, for one [`Reference`].
///
/// Weights and realignment of a window follow from the reference alone, so windows added day by day give the same sums,
/// to the bit, as all at once, and the same estimate as [`super::estimate`] that the reference comes from. A new
/// reference (a clock that drifted, other noise) needs the windows again.
#[derive(Debug, Clone, PartialEq)]
pub struct Accumulator {
    pub(super) settings: Settings,
    pub(super) chargers: Vec<Charger>,
    pub(super) layout: Layout,
    pub(super) reference: Reference,
    pub(super) sums: Sums,
    /// Windows whose rows are not summed up yet, because the block is not full or what follows not known, and the last
    /// ones before them.
    pub(super) waiting: Windows,
    /// How many of `waiting` are summed up.
    pub(super) done: usize,
}

impl Accumulator {
    /// Begin with a reference; one that fits other chargers or settings is refused.
    ///
    /// # Errors
    /// For settings out of range, and a reference that does not fit them.
    pub fn new(
        settings: Settings,
        chargers: Vec<Charger>,
        reference: Reference,
    ) -> Result<Self, EstimationError> {
        settings.check(&chargers)?;
        let layout = Layout::new(&settings, &chargers);
        if !reference.fits(&layout) {
            return Err(EstimationError::State(
                "the reference is of another station",
            ));
        }
        Ok(Self {
            waiting: Windows::empty(chargers.len()),
            sums: Sums::new(&layout),
            done: 0,
            settings,
            chargers,
            layout,
            reference,
        })
    }

    /// Add the windows that follow.
    ///
    /// # Errors
    /// For windows of other chargers, or before those that are here; nothing of them is taken then.
    pub fn push(&mut self, later: &Windows) -> Result<(), EstimationError> {
        self.waiting.append(later)?;
        let (mut rows, mut room) = (Rows::new(&self.layout), Room::default());
        let maker = Maker {
            settings: &self.settings,
            chargers: &self.chargers,
            layout: &self.layout,
            reference: &self.reference,
        };
        while self.waiting.len() >= self.done + BLOCK + CONTEXT {
            let range = (self.done, self.done + BLOCK);
            rows.fill(&maker, &self.waiting, range, &self.sums.tally);
            self.sums.add(&maker, &mut rows, &mut room, |_, _, _| {});
            self.done += BLOCK;
        }
        let gone = self.done.saturating_sub(CONTEXT);
        self.waiting.forget(gone);
        self.done -= gone;
        Ok(())
    }

    /// When the last window ends, ms: what is pushed next begins there or later.
    #[must_use]
    pub fn end_ms(&self) -> Option<i64> {
        self.waiting.ends_ms().last().copied()
    }

    /// The estimate from all windows so far. Without the series of residuals and the findings that need them.
    ///
    /// # Errors
    /// For numbers so extreme that the equations can't be solved.
    pub fn estimate(&self) -> Result<Estimation, EstimationError> {
        let maker = Maker {
            settings: &self.settings,
            chargers: &self.chargers,
            layout: &self.layout,
            reference: &self.reference,
        };
        let mut sums = self.sums.clone();
        let range = (self.done, self.waiting.len());
        let mut rows = Rows::new(&self.layout);
        rows.fill(&maker, &self.waiting, range, &sums.tally);
        sums.add(&maker, &mut rows, &mut Room::default(), |_, _, _| {});
        let posterior = Posterior::new(&maker, &sums.chain, None, Effort::Full)?;
        Ok(Estimation::new(&maker, &sums, &posterior))
    }

    /// The reference all windows were read with.
    #[must_use]
    pub const fn reference(&self) -> &Reference {
        &self.reference
    }
}
