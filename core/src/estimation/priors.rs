//! What is known before the data: of every unknown but which chargers are altered.

use super::daytime::{BLOCKS, dark};
use super::dense::Square;
use super::posterior::{Function, add_form, curve, error_of};
use super::rows::Maker;

/// What is to be 0 is so to within this share of what single hours may differ by.
const NEVER: f64 = 1e-4;

/// Normal equations that take what is known.
#[derive(Debug)]
pub(super) struct Priors {
    pub(super) matrix: Square,
    pub(super) side: Vec<f64>,
}

impl Priors {
    fn know(&mut self, function: &[(usize, f64)], value: f64, u: f64) {
        let precision = 1.0 / (u * u);
        add_form(&mut self.matrix, function, precision);
        for (place, factor) in function {
            if let Some(cell) = self.side.get_mut(*place) {
                *cell += precision * factor * value;
            }
        }
    }

    /// Losses, offsets, loads, conversion, certificates and verifications.
    pub(super) fn add(&mut self, maker: &Maker<'_>) {
        let (settings, layout) = (maker.settings, maker.layout);
        self.know(&[(layout.gain, 1.0)], settings.gain.value, settings.gain.u);
        self.know(
            &[(layout.cohort, 1.0)],
            settings.cohort_mean,
            settings.cohort_sd,
        );
        // Losses by design are known as a factor; guessed ones to as much as they are.
        let guessed = |known: Option<f64>, sd: f64| if known.is_some() { sd } else { sd.max(1.0) };
        self.know(
            &[(layout.trunk, 1.0)],
            1.0,
            guessed(settings.trunk_loss, settings.trunk_sd),
        );
        let designed = maker
            .chargers
            .iter()
            .all(|charger| charger.branch_loss.is_some());
        self.know(
            &[(layout.branches, 1.0)],
            1.0,
            guessed(designed.then_some(0.0), settings.branch_sd),
        );
        for number in 0..layout.chargers {
            // What is known of a branch is known of its true loss, not of what its charger's error makes of that.
            let mut own = vec![(layout.branch + number, 1.0)];
            own.extend(curve(maker, number).map(|(column, _, share)| (column, share)));
            self.measured(maker, number, &own);
            own.push((layout.branches, -1.0));
            self.know(&own, 0.0, settings.branch_own_sd);
            if let Some(first) = layout.curve {
                self.know(&[(first + number, 1.0)], 0.0, settings.curve_sd);
            }
            if let Some(first) = layout.offset {
                self.know(&[(first + number, 1.0)], 0.0, settings.offset_sd_s);
            }
        }
        self.know(
            &[(layout.fixed, 1.0)],
            settings.fixed_load.value,
            settings.fixed_load.u,
        );
        if let (Some(column), Some(night)) = (layout.night, settings.night) {
            self.know(&[(column, 1.0)], night.load.value, night.load.u);
        }
        if let Some(first) = layout.profile {
            self.profile(maker, first);
        }
        if let Some(column) = layout.standby {
            self.know(&[(column, 1.0)], settings.standby.value, settings.standby.u);
        }
        if let Some(column) = layout.conversion {
            self.know(
                &[(column, 1.0)],
                settings.conversion.value,
                settings.conversion.u,
            );
        }
        for own in layout.own_conversion.iter().flatten() {
            self.know(&[(*own, 1.0)], 0.0, settings.conversion_spread);
        }
        let uneven = maker.chargers.iter().zip(&layout.uneven);
        for (charger, column) in uneven {
            if let (Some(known), Some(column)) = (charger.uneven_loss, column) {
                // As it stands in b: 1 − 1/(1 + x).
                let share = 1.0 / (1.0 + known.value);
                self.know(
                    &[(*column, 1.0)],
                    known.value * share,
                    known.u * share * share,
                );
            }
        }
        for (number, charger) in maker.chargers.iter().enumerate() {
            if let Some(known) = charger.verified {
                let share = 1.0 / (1.0 + known.value);
                self.know(
                    &error_of(maker, number),
                    known.value * share,
                    known.u * share * share,
                );
            }
        }
    }

    /// Another precision of each conversion's deviation from the mean of all than that of the spread that was set.
    pub(super) fn change_spread(&mut self, maker: &Maker<'_>, precision: f64) {
        let set = maker.settings.conversion_spread;
        for own in maker.layout.own_conversion.iter().flatten() {
            add_form(
                &mut self.matrix,
                &[(*own, 1.0)],
                precision - 1.0 / (set * set),
            );
        }
    }

    /// The loss of a branch as measured, in units of the loss that its column is made with.
    fn measured(&mut self, maker: &Maker<'_>, number: usize, own: &[(usize, f64)]) {
        let charger = maker.chargers.get(number);
        let loss = maker.reference.branch_loss.get(number).copied();
        if let Some(known) = charger.and_then(|charger| charger.branch_measured)
            && let Some(loss) = loss.filter(|loss| *loss > 0.0)
        {
            self.know(own, known.value / loss, known.u / loss);
        }
    }

    /// Single hours differ from fixed load and load by night, which stay the means of day and night.
    fn profile(&mut self, maker: &Maker<'_>, first: usize) {
        let (night, sd) = (maker.settings.night, maker.settings.profile_kw);
        let (mut by_day, mut by_night) = (Function::new(), Function::new());
        for block in 0..BLOCKS {
            let dark = night.map_or(0.0, |night| dark(&night, block));
            self.know(&[(first + block, 1.0)], 0.0, sd);
            by_day.push((first + block, 1.0 - dark));
            by_night.push((first + block, dark));
        }
        self.know(&by_day, 0.0, NEVER * sd);
        self.know(&by_night, 0.0, NEVER * sd);
    }
}
