//! Which chargers are altered, all of them together: the mean over the likely sets.
//!
//! With few windows the same residuals are borne by one altered charger or by another. Expectation and maximisation
//! charger by charger settles for one set and is sure of it. With a set given everything is normal, so that its evidence is
//! exact; sets are sought by turning one charger at a time, from none and from the one settled for, and what is said of a
//! charger is what all likely sets say of it.

use std::cmp::Ordering;
use std::collections::{BTreeSet, BinaryHeap};

use super::joint::Joint;
use super::mixture::{Kind, Mixture, NEGLIGIBLE, Part, cavity};

/// Sets less likely than the best by more than e to this power are not looked at.
const REACH: f64 = 8.0;
/// Work that is done at most: sets times chargers squared.
const WORK: usize = 4_000_000;
/// Sets that are looked at, at least and at most.
const SETS: std::ops::RangeInclusive<usize> = 16..=200;

/// A set of altered chargers, in order, and the logarithm of how likely it is.
#[derive(Debug, Clone)]
struct Set {
    altered: Vec<usize>,
    log: f64,
    /// In the order of finding: of two alike the later one comes first.
    number: usize,
}

impl Ord for Set {
    fn cmp(&self, other: &Self) -> Ordering {
        let logs = self.log.total_cmp(&other.log);
        logs.then(self.number.cmp(&other.number))
    }
}

impl PartialOrd for Set {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Set {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Set {}

impl Set {
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

/// Sets that were found, the most likely ones first.
#[derive(Debug, Default)]
struct Open {
    heap: BinaryHeap<Set>,
    known: BTreeSet<Vec<usize>>,
    /// The best of all that were found.
    best: f64,
}

impl Open {
    fn find(&mut self, altered: Vec<usize>, log: f64) {
        if self.known.contains(&altered) {
            return;
        }
        let number = self.known.len();
        self.best = if number == 0 { log } else { self.best.max(log) };
        self.known.insert(altered.clone());
        self.heap.push(Set {
            altered,
            log,
            number,
        });
    }

    /// The most likely one that was not seen, None where it is too unlikely.
    fn next(&mut self) -> Option<Set> {
        let set = self.heap.pop()?;
        (set.log >= self.best - REACH).then_some(set)
    }
}

/// What is said of b of each charger, as parts whose weights add up to 1, and the logarithm of the evidence of all that is
/// said, but for what does not depend on `joint`.
///
/// `joint` is with priors of these `precisions`, `settled` the kind that each charger is most likely of: strange ones stay so.
pub(super) fn mean(
    mixture: &Mixture,
    mut joint: Joint,
    precisions: &[f64],
    settled: &[Kind],
) -> (Vec<Vec<Part>>, f64) {
    let [sound, altered] = [Kind::Sound, Kind::Altered].map(|kind| mixture.precision_of(kind));
    let mut log = 0.0;
    for (place, (precision, kind)) in precisions.iter().zip(settled).enumerate() {
        let strange = *kind == Kind::Strange;
        let wanted = if strange { *kind } else { Kind::Sound };
        let delta = mixture.precision_of(wanted) - precision;
        log += joint.gain(place, delta);
        joint.change(place, delta);
    }
    let [sound_share, altered_share, _] = mixture.shares;
    let search = Search {
        mixture,
        settled,
        sound: joint,
        delta: altered - sound,
        norm: (altered_share / sound_share).ln() + 0.5 * (altered / sound).ln(),
    };
    let (parts, all) = search.mean();
    (parts, log + all)
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
    fn mean(&self) -> (Vec<Vec<Part>>, f64) {
        let count = self.settled.len();
        let budget = (WORK / count.pow(2).max(1)).clamp(*SETS.start(), *SETS.end());
        let places = self.settled.iter().enumerate();
        let likely: Vec<usize> = places
            .filter_map(|(place, kind)| (*kind == Kind::Altered).then_some(place))
            .collect();
        let mut open = Open::default();
        open.find(Vec::new(), 0.0);
        if !likely.is_empty() {
            let (_, log) = self.with(&likely);
            open.find(likely, log);
        }
        let mut said = Vec::new();
        for _ in 0..budget {
            let Some(set) = open.next() else {
                break;
            };
            let best = open.best;
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
                open.find(set.turned(place), log);
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

/// The mean of what is said, each with the logarithm of how likely it is, and the logarithm of the sum of all of them.
pub(super) fn weighted(
    count: usize,
    said: &[(f64, Vec<impl AsRef<[Part]>>)],
) -> (Vec<Vec<Part>>, f64) {
    let best = said.iter().map(|(log, _)| *log).fold(f64::MIN, f64::max);
    let weights: Vec<f64> = said.iter().map(|(log, _)| (log - best).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mut all = vec![Vec::new(); count];
    for (weight, (_, parts)) in weights.iter().zip(said) {
        for (own, parts) in all.iter_mut().zip(parts) {
            let parts = parts.as_ref().iter().map(|part| Part {
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
    (all, best + total.ln())
}
