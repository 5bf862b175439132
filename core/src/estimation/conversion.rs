//! How far conversion differs from one DC-output charger to another: an unknown like others.
//!
//! No reading tells the efficiency of one charger. But the differences of sound chargers have the variance of their errors
//! and that of their conversions, so that all of them together tell how large this one is. Some spreads around the one
//! that was set are weighed, each with its prior and with its evidence, and what is said is the mean over them. With the
//! spread given everything is as without: sets of altered chargers have their mean for each of them.

use super::joint::Joint;
use super::mixture::{Kind, Mixture, Part};
use super::sets;
use super::settings::{Known, Settings};

/// Spreads that are weighed: the logarithm of each less that of the one that was set, in units of `conversion_doubt`. Its
/// prior is normal in that.
const STEPS: [f64; 5] = [-2.0, -1.0, 0.0, 1.0, 2.0];

/// What is said of the chargers, and of how far their conversions differ.
#[derive(Debug)]
pub(super) struct Said {
    /// b of each, as parts whose weights add up to 1.
    pub(super) parts: Vec<Vec<Part>>,
    /// The spread, as share of output.
    pub(super) spread: Known,
    /// 1/spread², the mean over all that are likely: the one normal distribution that stands for them.
    pub(super) precision: f64,
}

/// What is known before, and what was settled with the spread that was set.
pub(super) struct Asked<'a> {
    pub(super) mixture: &'a Mixture,
    pub(super) settings: &'a Settings,
    pub(super) precisions: &'a [f64],
    pub(super) settled: &'a [Kind],
}

impl Asked<'_> {
    /// `joint` is of the differences, of the cohort, and of each conversion's deviation from the mean of all.
    pub(super) fn mean(&self, joint: &Joint) -> Said {
        let count = self.settled.len() + 1;
        if joint.mean.len() == count || self.settings.conversion_doubt <= 0.0 {
            self.given(joint.first(count))
        } else {
            self.weighed(joint, count)
        }
    }

    /// With the spread that was set, as where nothing tells of it.
    fn given(&self, joint: Joint) -> Said {
        let set = self.settings.conversion_spread;
        let (parts, _) = sets::mean(self.mixture, joint, self.precisions, self.settled);
        Said {
            parts,
            spread: Known { value: set, u: 0.0 },
            precision: set.powi(-2),
        }
    }

    /// The mean over likely spreads.
    fn weighed(&self, joint: &Joint, count: usize) -> Said {
        let (set, doubt) = (
            self.settings.conversion_spread,
            self.settings.conversion_doubt,
        );
        let spreads = STEPS.map(|step| set * (doubt * step).exp());
        let said = STEPS.iter().zip(spreads).map(|(step, spread)| {
            let (with, log) = with_spread(joint, count, set, spread);
            let (parts, evidence) = sets::mean(self.mixture, with, self.precisions, self.settled);
            (log + evidence - 0.5 * step * step, parts)
        });
        let said: Vec<(f64, Vec<Vec<Part>>)> = said.collect();
        let (parts, total) = sets::weighted(self.settled.len(), &said);
        let mean = |of: &dyn Fn(f64) -> f64| -> f64 {
            let each = said.iter().zip(spreads);
            each.map(|((log, _), spread)| (log - total).exp() * of(spread))
                .sum()
        };
        let value = mean(&|spread| spread);
        let u = mean(&|spread| (spread - value).powi(2)).sqrt();
        Said {
            parts,
            spread: Known { value, u },
            precision: mean(&|spread| spread.powi(-2)),
        }
    }
}

/// The first `count` with another `spread` than the one that was `set`, both as shares of output, and the logarithm of what
/// the evidence changes by.
fn with_spread(joint: &Joint, count: usize, set: f64, spread: f64) -> (Joint, f64) {
    let (mut with, mut log) = (joint.clone(), 0.0);
    let delta = spread.powi(-2) - set.powi(-2);
    for place in count..joint.mean.len() {
        log += with.gain(place, delta) + (set / spread).ln();
        with.change(place, delta);
    }
    (with.first(count), log)
}

#[cfg(test)]
mod tests {
    use super::super::dense::Square;
    use super::super::mixture::moments;
    use super::*;

    /// What is told of each charger: the sum of its difference and of its conversion's, off by this.
    const OFF: f64 = 0.001;
    const TOLD: [f64; 4] = [0.001, -0.004, 0.018, 0.007];

    /// With each difference known to `precision` before, and each conversion's to the spread that is set.
    fn joint(precision: f64, set: f64) -> Joint {
        let (own, other) = (1.0 / precision, set * set);
        let total = own + other + OFF * OFF;
        let (count, size) = (TOLD.len(), 2 * TOLD.len() + 1);
        let mut covariance = Square::zero(size);
        covariance.add(count, count, 1e-12); // of the cohort nothing is in doubt
        for (place, after) in (count + 1..size).enumerate() {
            covariance.add(place, place, own - own * own / total);
            covariance.add(after, after, other - other * other / total);
            covariance.add(place, after, -own * other / total);
            covariance.add(after, place, -own * other / total);
        }
        let part = |of: f64| TOLD.into_iter().map(move |told| told * of / total);
        let mean = part(own).chain([0.0]).chain(part(other)).collect();
        Joint { mean, covariance }
    }

    /// How likely a spread is, and the mean of each difference with it: by both kinds of each charger.
    fn exact(mixture: &Mixture, step: f64, spread: f64) -> (f64, [f64; 4]) {
        let ([sound, altered, _], [by_sound, by_altered, _]) = (mixture.shares, mixture.variances);
        let mut likely = (-0.5 * step * step).exp();
        let means = TOLD.map(|told| {
            let kinds = [(sound, by_sound), (altered, by_altered)].map(|(share, variance)| {
                let total = variance + spread * spread + OFF * OFF;
                let density = share * (-0.5 * told * told / total).exp() / total.sqrt();
                (density, density * told * variance / total)
            });
            let sums = kinds
                .iter()
                .fold((0.0, 0.0), |sum, each| (sum.0 + each.0, sum.1 + each.1));
            likely *= sums.0;
            sums.1 / sums.0
        });
        (likely, means)
    }

    #[test]
    fn spreads_weigh_what_all_sets_say_together() {
        let settings = Settings::default();
        let mixture = Mixture::new(&settings, 0.0);
        let (set, doubt) = (settings.conversion_spread, settings.conversion_doubt);
        for share in [0.5, 0.9] {
            let precision = mixture.precision([share, 1.0 - share, 0.0]);
            let said = Asked {
                mixture: &mixture,
                settings: &settings,
                precisions: &[precision; 4],
                settled: &[Kind::Sound; 4],
            }
            .mean(&joint(precision, set));
            let each = STEPS.map(|step| {
                let spread = set * (doubt * step).exp();
                (spread, exact(&mixture, step, spread))
            });
            let total: f64 = each.iter().map(|(_, (likely, _))| likely).sum();
            let weighed = |of: &dyn Fn(f64) -> f64| -> f64 {
                let each = each
                    .iter()
                    .map(|(spread, (likely, _))| likely * of(*spread));
                each.sum::<f64>() / total
            };
            let value = weighed(&|spread| spread);
            let u = weighed(&|spread| (spread - value).powi(2)).sqrt();
            assert!(
                (said.spread.value / value - 1.0).abs() < 1e-3,
                "{said:?} {value}"
            );
            assert!((said.spread.u / u - 1.0).abs() < 1e-2, "{said:?} {u}");
            let precision = weighed(&|spread| spread.powi(-2));
            assert!(
                (said.precision / precision - 1.0).abs() < 2e-3,
                "{said:?} {precision}"
            );
            for (place, parts) in said.parts.iter().enumerate() {
                let by_spread = each.iter().map(|(_, (likely, means))| {
                    let own = means.iter().skip(place).take(1);
                    likely * own.sum::<f64>() / total
                });
                let (mean, _) = moments(parts);
                let off = mean - by_spread.sum::<f64>();
                assert!(off.abs() < 1e-5, "{place}: {mean} {off}");
            }
        }
    }

    #[test]
    fn a_spread_that_is_given_is_not_weighed() {
        let settings = Settings {
            conversion_doubt: 0.0,
            ..Settings::default()
        };
        let mixture = Mixture::new(&settings, 0.0);
        let set = settings.conversion_spread;
        let precision = mixture.precision(mixture.shares);
        let said = Asked {
            mixture: &mixture,
            settings: &settings,
            precisions: &[precision; 4],
            settled: &[Kind::Sound; 4],
        }
        .mean(&joint(precision, set));
        assert_eq!(said.spread, Known { value: set, u: 0.0 });
        let (_, means) = exact(&mixture, 0.0, set);
        for (parts, mean) in said.parts.iter().zip(means) {
            assert!((moments(parts).0 - mean).abs() < 1e-5, "{said:?}");
        }
    }
}
