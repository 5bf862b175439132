//! Which unknown is which column.

use super::daytime::BLOCKS;
use super::settings::{Charger, Settings};

/// The error of a charger, or of what it was before its meter was another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Epoch {
    pub(super) charger: usize,
    /// Of the charger as it is now.
    pub(super) current: bool,
}

/// Columns with data (`data` of them), then those only priors speak of. θ of the epochs come first.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    pub(super) chargers: usize,
    pub(super) epochs: Vec<Epoch>,
    /// θ column of each charger now, and before it was another.
    pub(super) now: Vec<usize>,
    pub(super) earlier: Vec<Option<usize>>,
    pub(super) trunk: usize,
    /// First of the branches, then one per charger.
    pub(super) branch: usize,
    /// First of the offsets, one per charger; None where they are not unknowns.
    pub(super) offset: Option<usize>,
    pub(super) fixed: usize,
    pub(super) night: Option<usize>,
    /// First of the day's profile, one per block; None where there is none.
    pub(super) profile: Option<usize>,
    pub(super) standby: Option<usize>,
    /// Number of columns with data.
    pub(super) data: usize,
    pub(super) gain: usize,
    pub(super) cohort: usize,
    pub(super) branches: usize,
    /// First of the changes of error with load, one per charger; None where there are none.
    pub(super) curve: Option<usize>,
    pub(super) conversion: Option<usize>,
    /// Deviation of each DC-output charger's conversion from the mean.
    pub(super) own_conversion: Vec<Option<usize>>,
    /// What each charger's branch loses of its energy because its load stands unevenly.
    pub(super) uneven: Vec<Option<usize>>,
    pub(super) size: usize,
}

impl Layout {
    pub(super) fn new(settings: &Settings, chargers: &[Charger]) -> Self {
        let count = chargers.len();
        let mut epochs: Vec<Epoch> = (0..count)
            .map(|charger| Epoch {
                charger,
                current: true,
            })
            .collect();
        let mut earlier = vec![None; count];
        for ((number, charger), cell) in chargers.iter().enumerate().zip(&mut earlier) {
            if charger.from_ms.is_some() {
                *cell = Some(epochs.len());
                epochs.push(Epoch {
                    charger: number,
                    current: false,
                });
            }
        }
        let any_dc = chargers.iter().any(|charger| charger.dc_output);
        let mut next = epochs.len();
        let mut take = |columns: usize| {
            next += columns;
            next - columns
        };
        let trunk = take(1);
        let branch = take(count);
        let offset = settings.fit_offsets.then(|| take(count));
        let fixed = take(1);
        let night = settings.night.map(|_| take(1));
        let profile = (settings.profile_kw > 0.0).then(|| take(BLOCKS));
        let standby = any_dc.then(|| take(1));
        let data = take(0);
        let gain = take(1);
        let cohort = take(1);
        let branches = take(1);
        let curve = (settings.curve_sd > 0.0).then(|| take(count));
        let conversion = any_dc.then(|| take(1));
        let own_conversion = chargers
            .iter()
            .map(|charger| charger.dc_output.then(|| take(1)))
            .collect();
        let uneven = chargers
            .iter()
            .map(|charger| charger.uneven_loss.map(|_| take(1)))
            .collect();
        let size = take(0);
        Self {
            chargers: count,
            epochs,
            now: (0..count).collect(),
            earlier,
            trunk,
            branch,
            offset,
            fixed,
            night,
            profile,
            standby,
            data,
            gain,
            cohort,
            branches,
            curve,
            conversion,
            own_conversion,
            uneven,
            size,
        }
    }
}
