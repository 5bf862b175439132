//! Sound, altered and strange chargers: a mixture of normal distributions around the cohort's mean.

use super::settings::Settings;

/// Standard deviation of a strange charger's error, relative.
const STRANGE_SD: f64 = 1.0;
/// A likelihood that adds less than this share to its prior's precision is rounding: the data say nothing.
const NOTHING: f64 = 1e-9;
/// A part that weighs less is left out of a sum of many.
pub(super) const NEGLIGIBLE: f64 = 1e-6;

/// Which part of the mixture a charger is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sound,
    Altered,
    Strange,
}

const KINDS: [Kind; 3] = [Kind::Sound, Kind::Altered, Kind::Strange];

/// Shares and variances, by kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mixture {
    pub(super) shares: [f64; 3],
    pub(super) variances: [f64; 3],
}

/// A normal distribution, and how much it weighs among others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Part {
    pub(super) kind: Kind,
    pub(super) weight: f64,
    pub(super) mean: f64,
    pub(super) variance: f64,
}

impl Mixture {
    /// `strange`: the share of strange chargers, 0 where there are none.
    pub(super) fn new(settings: &Settings, strange: f64) -> Self {
        let altered = settings.altered_share;
        Self {
            shares: [1.0 - altered, altered, strange],
            variances: [settings.sound_sd, settings.altered_sd, STRANGE_SD].map(|sd| sd * sd),
        }
    }

    pub(super) fn knows_strange(&self) -> bool {
        let [_, _, strange] = self.shares;
        strange > 0.0
    }

    /// Precision of one kind.
    pub(super) fn precision_of(&self, kind: Kind) -> f64 {
        let [sound, altered, strange] = self.variances;
        1.0 / match kind {
            Kind::Sound => sound,
            Kind::Altered => altered,
            Kind::Strange => strange,
        }
    }

    /// Precision of the one normal distribution that stands for the mixture at these probabilities of its kinds.
    pub(super) fn precision(&self, shares: [f64; 3]) -> f64 {
        let parts = shares.iter().zip(&self.variances);
        parts.map(|(share, variance)| share / variance).sum()
    }

    /// A normal distribution times the mixture, by kind.
    pub(super) fn tilt(&self, mean: f64, variance: f64) -> [Part; 3] {
        let mut logs = [0.0; 3];
        let kinds = self.shares.iter().zip(&self.variances);
        for (log, (share, own)) in logs.iter_mut().zip(kinds) {
            let total = variance + own;
            *log = share.ln() - 0.5 * (total.ln() + mean * mean / total);
        }
        let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights = logs.map(|log| (log - top).exp());
        let all: f64 = weights.iter().sum();
        let [sound, altered, strange] = self.variances;
        let part = |kind: Kind, weight: f64, own: f64| {
            let total = variance + own;
            Part {
                kind,
                weight: weight / all,
                mean: mean * own / total,
                variance: variance * own / total,
            }
        };
        let ([first, second, third], [a, b, c]) = (KINDS, weights);
        [
            part(first, a, sound),
            part(second, b, altered),
            part(third, c, strange),
        ]
    }
}

/// Probabilities of the kinds, of parts whose weights add up to 1.
pub(super) fn shares(parts: &[Part]) -> [f64; 3] {
    KINDS.map(|kind| {
        let own = parts.iter().filter(|part| part.kind == kind);
        own.map(|part| part.weight).sum()
    })
}

/// Mean and variance of parts whose weights add up to 1.
pub(super) fn moments(parts: &[Part]) -> (f64, f64) {
    let mean = parts.iter().map(|part| part.weight * part.mean).sum();
    let squares = parts.iter().map(|part| {
        let apart = part.mean - mean;
        part.weight * (part.variance + apart * apart)
    });
    (mean, squares.sum())
}

/// The distribution without its own prior: N(0, 1/precision).
pub(super) fn cavity(mean: f64, variance: f64, precision: f64) -> (f64, f64) {
    let rest = 1.0 / variance - precision;
    if rest <= NOTHING * precision {
        return (0.0, 1.0 / (NOTHING * precision));
    }
    (mean / variance / rest, 1.0 / rest)
}
