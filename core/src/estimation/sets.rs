//! Which chargers are altered, all of them together: the mean over the likely sets.
//!
//! With few windows the same residuals are borne by one altered charger or by another. Expectation and maximisation
//! charger by charger settles for one set and is sure of it. With a set given everything is normal, so that its evidence is
//! exact; sets are sought by turning one charger at a time, from none and from the one settled for, and what is said of a
//! charger is what all likely sets say of it.

use std::collections::BTreeSet;

use super::dense::{Square, add_scaled};
use super::mixture::{Kind, Mixture, Part, cavity};

/// Sets less likely than the best by more than e to this power are not looked at.
const REACH: f64 = 8.0;
/// Work that is done at most: sets times chargers squared.
const WORK: usize = 4_000_000;
/// Sets that are looked at, at least and at most.
const SETS: std::ops::RangeInclusive<usize> = 16..=200;
/// A part that weighs less is left out.
const NEGLIGIBLE: f64 = 1e-6;

/// Normal distribution of all differences to the cohort and, last, of the cohort's mean.
#[derive(Debug, Clone)]
pub(super) struct Joint {
    pub(super) mean: Vec<f64>,
    pub(super) covariance: Square,
}

impl Joint {
    fn of(&self, place: usize) -> (f64, f64) {
        let mean = self.mean.get(place).copied().unwrap_or(0.0);
        (mean, self.covariance.get(place, place))
    }

    /// Logarithm of what the evidence changes by with `delta` on a prior's precision, but for the prior's own norm.
    fn gain(&self, place: usize, delta: f64) -> f64 {
        let (mean, variance) = self.of(place);
        let rest = 1.0 + delta * variance;
        -0.5 * (rest.ln() + delta * mean * mean / rest)
    }

    /// Add `delta` to a prior's precision.
    fn change(&mut self, place: usize, delta: f64) {
        let (mean, variance) = self.of(place);
        let column = self.covariance.row(place).to_vec();
        let factor = -delta / (1.0 + delta * variance);
        for (row, known) in column.iter().enumerate() {
            add_scaled(self.covariance.row_mut(row), factor * known, &column);
        }
        add_scaled(&mut self.mean, factor * mean, &column);
    }

    /// b, which is difference and cohort together, of what is known of the difference alone.
    fn whole(&self, place: usize, part: Part) -> Part {
        let ((mean, variance), (cohort, free)) = (self.of(place), self.of(self.mean.len() - 1));
        let slope = self.covariance.get(place, self.mean.len() - 1) / variance;
        let rest = (free - slope * slope * variance).max(0.0);
        Part {
            mean: part.mean + cohort + slope * (part.mean - mean),
            variance: part.variance * (1.0 + slope).powi(2) + rest,
            ..part
        }
    }
}

/// A set of altered chargers, in order, and the logarithm of how likely it is.
#[derive(Debug, Clone)]
struct Set {
    altered: Vec<usize>,
    log: f64,
    seen: bool,
}

impl Set {
    const fn new(altered: Vec<usize>, log: f64) -> Self {
        Self {
            altered,
            log,
            seen: false,
        }
    }

    /// This one with a charger turned from sound to altered or back.
    fn turned(&self, place: usize) -> Vec<usize> {
        let mut other = self.altered.clone();
        match other.binary_search(&place) {
            Ok(at) => {
                other.remove(at);
            }
            Err(at) => other.insert(at, place),
        }
        other
    }
}

/// What is said of b of each charger, as parts whose weights add up to 1.
///
/// `joint` is with priors of these `precisions`, `settled` the kind that each charger is most likely of: strange ones stay so.
pub(super) fn mean(
    mixture: &Mixture,
    mut joint: Joint,
    precisions: &[f64],
    settled: &[Kind],
) -> Vec<Vec<Part>> {
    let [sound, altered] = [Kind::Sound, Kind::Altered].map(|kind| mixture.precision_of(kind));
    for (place, (precision, kind)) in precisions.iter().zip(settled).enumerate() {
        let strange = *kind == Kind::Strange;
        let wanted = if strange { *kind } else { Kind::Sound };
        joint.change(place, mixture.precision_of(wanted) - precision);
    }
    let [sound_share, altered_share, _] = mixture.shares;
    let search = Search {
        mixture,
        settled,
        sound: joint,
        delta: altered - sound,
        norm: (altered_share / sound_share).ln() + 0.5 * (altered / sound).ln(),
    };
    search.mean()
}

struct Search<'a> {
    mixture: &'a Mixture,
    settled: &'a [Kind],
    /// With all of them sound that are not strange.
    sound: Joint,
    /// Precision of the prior that an altered one has beyond a sound one.
    delta: f64,
    /// Logarithm of the priors' norms and shares, altered by sound.
    norm: f64,
}

impl Search<'_> {
    fn mean(&self) -> Vec<Vec<Part>> {
        let count = self.settled.len();
        let budget = (WORK / count.pow(2).max(1)).clamp(*SETS.start(), *SETS.end());
        let mut sets = vec![Set::new(Vec::new(), 0.0)];
        let places = self.settled.iter().enumerate();
        let likely: Vec<usize> = places
            .filter_map(|(place, kind)| (*kind == Kind::Altered).then_some(place))
            .collect();
        if !likely.is_empty() {
            let (_, log) = self.with(&likely);
            sets.push(Set::new(likely, log));
        }
        let mut known: BTreeSet<Vec<usize>> = sets.iter().map(|set| set.altered.clone()).collect();
        let mut said = Vec::new();
        for _ in 0..budget {
            let best = sets.iter().map(|set| set.log).fold(f64::MIN, f64::max);
            let open = sets.iter_mut().filter(|set| !set.seen);
            let next = open.max_by(|a, b| a.log.total_cmp(&b.log));
            let Some(set) = next.filter(|set| set.log >= best - REACH) else {
                break;
            };
            set.seen = true;
            let set = set.clone();
            let (joint, _) = self.with(&set.altered);
            for (place, kind) in self.settled.iter().enumerate() {
                let among = set.altered.binary_search(&place).is_ok();
                let (norm, delta) = if among {
                    (-self.norm, -self.delta)
                } else {
                    (self.norm, self.delta)
                };
                let log = set.log + norm + joint.gain(place, delta);
                if *kind == Kind::Strange || log < best - REACH {
                    continue;
                }
                let other = set.turned(place);
                if known.insert(other.clone()) {
                    sets.push(Set::new(other, log));
                }
            }
            said.push((set.log, self.say(&joint, &set.altered)));
        }
        weighted(count, &said)
    }

    /// With these altered, and how likely that is.
    fn with(&self, altered: &[usize]) -> (Joint, f64) {
        let (mut joint, mut log) = (self.sound.clone(), 0.0);
        for place in altered {
            log += self.norm + joint.gain(*place, self.delta);
            joint.change(*place, self.delta);
        }
        (joint, log)
    }

    /// What is said of each charger if all others are as in the set.
    fn say(&self, joint: &Joint, altered: &[usize]) -> Vec<[Part; 3]> {
        let chargers = self.settled.iter().enumerate();
        let parts = chargers.map(|(place, kind)| {
            let among = altered.binary_search(&place).is_ok();
            let kind = match kind {
                Kind::Strange => Kind::Strange,
                _ if among => Kind::Altered,
                _ => Kind::Sound,
            };
            let (mean, variance) = joint.of(place);
            let (alone, free) = cavity(mean, variance, self.mixture.precision_of(kind));
            let parts = self.mixture.tilt(alone, free);
            parts.map(|part| joint.whole(place, part))
        });
        parts.collect()
    }
}

fn weighted(count: usize, said: &[(f64, Vec<[Part; 3]>)]) -> Vec<Vec<Part>> {
    let best = said.iter().map(|(log, _)| *log).fold(f64::MIN, f64::max);
    let weights: Vec<f64> = said.iter().map(|(log, _)| (log - best).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mut all = vec![Vec::new(); count];
    for (weight, (_, parts)) in weights.iter().zip(said) {
        for (own, parts) in all.iter_mut().zip(parts) {
            let parts = parts.iter().map(|part| Part {
                weight: part.weight * weight / total,
                ..*part
            });
            own.extend(parts.filter(|part| part.weight > NEGLIGIBLE));
        }
    }
    for own in &mut all {
        let total: f64 = own.iter().map(|part: &Part| part.weight).sum();
        for part in own.iter_mut() {
            part.weight /= total;
        }
    }
    all
}
