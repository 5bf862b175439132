//! What is said of a station and of each charger.

use super::accumulate::Sums;
use super::daytime::{BLOCKS, dark};
use super::decide::{Decision, Reason, decide, nonconformity};
use super::diagnose;
use super::finding::Finding;
use super::mixture::Part;
use super::posterior::{Posterior, curve, error_of};
use super::reference::Reference;
use super::rows::Maker;
use super::settings::Known;

/// What data and anchors say of a charger must narrow its prior by this share before anything is decided of it.
const LEAST_IDENTIFIED: f64 = 0.2;

/// What is said of one charger. Errors are relative: (indicated − true)/true.
#[derive(Debug, Clone, PartialEq)]
pub struct ChargerEstimate {
    /// Its number.
    pub charger: usize,
    /// Its error (误差) and the standard uncertainty of that, all parts included.
    pub error: Known,
    /// The part of u that all chargers share: the master's gain and the cohort's mean.
    pub u_common: f64,
    /// The part that is its own.
    pub u_own: f64,
    /// Probability that the error is beyond the class limit.
    pub probability: f64,
    /// What follows.
    pub decision: Decision,
    /// Why it is undetermined.
    pub reason: Option<Reason>,
    /// Probability that it is one of the altered ones.
    pub altered: f64,
    /// Share of what is known of it that comes from data and anchors: 0 is the prior alone, 1 the data alone.
    pub identified: f64,
    /// Clock offset against the master, s; positive: its readings are too late. None where it is no unknown.
    pub offset_s: Option<Known>,
    /// Loss of its branch, 1/kW.
    pub branch_loss: Known,
    /// Windows in which it charged.
    pub active_windows: u64,
    /// Energy in them, kWh.
    pub energy_kwh: f64,
    /// Windows left out because of it.
    pub excluded_windows: u64,
}

/// Residuals by window, for a figure.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Residuals {
    /// Start of each window used, ms.
    pub start_ms: Vec<i64>,
    /// End of each.
    pub end_ms: Vec<i64>,
    /// Master less model, kWh.
    pub plain_kwh: Vec<f64>,
    /// Whitened, in standard deviations.
    pub whitened: Vec<f64>,
    /// Weight, 1 for a window that is believed wholly.
    pub weight: Vec<f64>,
}

/// What is said of a station.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimation {
    /// The chargers, in order.
    pub chargers: Vec<ChargerEstimate>,
    /// What those were that have another meter now: decided by the same limits, for the record.
    pub earlier: Vec<ChargerEstimate>,
    /// Standard uncertainty that all chargers share.
    pub u_common: f64,
    /// Gain of the master.
    pub gain: Known,
    /// Mean error of the cohort.
    pub cohort: Known,
    /// Loss of the trunk, 1/kW.
    pub trunk_loss: Known,
    /// Fixed load, kW.
    pub fixed_load_kw: Known,
    /// Load by night beyond it, kW.
    pub night_load_kw: Option<Known>,
    /// Load beside the chargers by hour of the day in UTC, kW; empty where there is no such profile.
    pub load_profile_kw: Vec<Known>,
    /// Loss of an active DC-output charger, kW.
    pub standby_kw: Option<Known>,
    /// Conversion loss of DC-output chargers, share of output.
    pub conversion: Option<Known>,
    /// How far that differs from charger to charger: sd, share of output.
    pub conversion_spread: Option<Known>,
    /// Scale of the residuals by the chosen noise: above 1 it has widened every u.
    pub scale: f64,
    /// Mean square of whitened and weighted residuals: reduced χ².
    pub chi_square: f64,
    /// Windows used.
    pub windows: u64,
    /// Windows left out: no number, register went back, more than the power allows.
    pub excluded: [u64; 3],
    /// Number of unknowns.
    pub unknowns: usize,
    /// Start of the first window and end of the last, ms.
    pub span_ms: Option<(i64, i64)>,
    /// Length of the windows used, h.
    pub hours: f64,
    /// Energy of the master and of all chargers, kWh.
    pub master_kwh: f64,
    /// See `master_kwh`.
    pub energy_kwh: f64,
    /// What to know before any of it is believed.
    pub findings: Vec<Finding>,
    /// By window; empty where the windows are not at hand.
    pub residuals: Residuals,
    /// What windows that come later are read with.
    pub reference: Reference,
}

impl Estimation {
    pub(super) fn new(maker: &Maker<'_>, sums: &Sums, posterior: &Posterior) -> Self {
        let (layout, tally) = (maker.layout, &sums.tally);
        let single = |column: usize, factor: f64| known(posterior.of(&[(column, factor)]));
        let estimates: Vec<ChargerEstimate> = (0..layout.epochs.len())
            .filter_map(|epoch| estimate(maker, sums, posterior, epoch))
            .collect();
        let (chargers, earlier) = estimates
            .into_iter()
            .zip(&layout.epochs)
            .partition::<Vec<_>, _>(|(_, epoch)| epoch.current);
        let plain = |all: Vec<(ChargerEstimate, _)>| all.into_iter().map(|(one, _)| one).collect();
        let mut estimation = Self {
            chargers: plain(chargers),
            earlier: plain(earlier),
            u_common: posterior.common * maker.settings.u_factor,
            gain: single(layout.gain, 1.0),
            cohort: single(layout.cohort, 1.0),
            trunk_loss: single(layout.trunk, maker.reference.trunk_loss),
            fixed_load_kw: single(layout.fixed, 1.0),
            night_load_kw: layout.night.map(|column| single(column, 1.0)),
            load_profile_kw: load_profile(maker, posterior),
            standby_kw: layout.standby.map(|column| single(column, 1.0)),
            conversion: layout.conversion.map(|column| single(column, 1.0)),
            conversion_spread: layout.conversion.map(|_| posterior.conversion_spread),
            scale: posterior.scale,
            chi_square: posterior.mean_square,
            windows: tally.used,
            excluded: tally.excluded,
            unknowns: layout.size,
            span_ms: tally.first_ms.zip(tally.last_ms),
            hours: tally.hours,
            master_kwh: tally.master_kwh,
            energy_kwh: tally.energy_kwh,
            findings: Vec::new(),
            residuals: Residuals::default(),
            reference: maker.reference.clone(),
        };
        estimation.findings = diagnose::of_sums(maker, sums, posterior, &estimation);
        estimation.settle(maker);
        estimation
    }

    /// Take more findings, and decide again.
    pub(super) fn find(&mut self, maker: &Maker<'_>, findings: Vec<Finding>) {
        self.findings.extend(findings);
        self.settle(maker);
    }

    fn settle(&mut self, maker: &Maker<'_>) {
        for estimate in &mut self.chargers {
            let charger = maker.chargers.get(estimate.charger);
            let verified = charger.is_some_and(|charger| charger.verified.is_some());
            settle(maker, estimate, &self.findings, verified);
        }
        // What it was before was not verified: the result holds of what it is now.
        for estimate in &mut self.earlier {
            settle(maker, estimate, &self.findings, false);
        }
    }
}

/// Fixed load, load by night and what the hour has of its own.
fn load_profile(maker: &Maker<'_>, posterior: &Posterior) -> Vec<Known> {
    let (layout, night) = (maker.layout, maker.settings.night);
    let Some(first) = layout.profile else {
        return Vec::new();
    };
    let hours = (0..BLOCKS).map(|block| {
        let mut function = vec![(layout.fixed, 1.0), (first + block, 1.0)];
        function.extend(
            layout
                .night
                .zip(night)
                .map(|(column, night)| (column, dark(&night, block))),
        );
        known(posterior.of(&function))
    });
    hours.collect()
}

fn known((value, u): (f64, f64)) -> Known {
    Known { value, u }
}

fn estimate(
    maker: &Maker<'_>,
    sums: &Sums,
    posterior: &Posterior,
    number: usize,
) -> Option<ChargerEstimate> {
    let (layout, settings) = (maker.layout, maker.settings);
    let epoch = layout.epochs.get(number)?;
    let own = posterior.epochs.get(number)?;
    let gain = posterior.values.get(layout.gain).copied()?;
    let level = level(maker, posterior, epoch.charger) * (1.0 + gain);
    let (error, slope) = error_by(own.b, level);
    let u = own.sd * slope.abs() * settings.u_factor;
    let u_common = (posterior.common * slope.abs() * settings.u_factor).min(u);
    let limit = maker.chargers.get(epoch.charger)?.class_limit;
    let counts = sums.tally.chargers.get(epoch.charger)?;
    let loss = maker.reference.branch_loss.get(epoch.charger).copied()?;
    let sound = settings.sound_sd.powi(2);
    let offset = layout.offset.filter(|_| epoch.current);
    Some(ChargerEstimate {
        charger: epoch.charger,
        error: Known { value: error, u },
        u_common,
        u_own: (u * u - u_common * u_common).max(0.0).sqrt(),
        probability: beyond(&own.parts, level, settings.u_factor, limit),
        decision: Decision::Undetermined,
        reason: None,
        altered: own.altered,
        identified: sound / (sound + own.alone_sd.powi(2)),
        offset_s: offset.map(|first| known(posterior.of(&[(first + epoch.charger, 1.0)]))),
        branch_loss: known(posterior.of(&branch_loss(maker, epoch.charger, loss))),
        active_windows: if epoch.current { counts.active } else { 0 },
        energy_kwh: if epoch.current {
            counts.energy_kwh
        } else {
            0.0
        },
        excluded_windows: counts.excluded,
    })
}

/// What conversion is more than it was taken for in b: 1 where the charger meters what it takes.
fn level(maker: &Maker<'_>, posterior: &Posterior, charger: usize) -> f64 {
    let layout = maker.layout;
    let own = layout.own_conversion.get(charger).copied().flatten();
    let all = layout
        .conversion
        .and_then(|column| posterior.values.get(column));
    own.and(all).map_or(1.0, |conversion| {
        (1.0 + conversion) / (1.0 + maker.settings.conversion.value)
    })
}

/// The error that b says, and how it grows with b.
fn error_by(b: f64, level: f64) -> (f64, f64) {
    // b = β(1 + g) and e = β/(1 − β): what is indicated without need is a share β of what is indicated.
    let beta = b / level;
    // Without any true energy the error has no bound: it is implausible long before.
    let rest = (1.0 - beta).abs().max(1e-3).copysign(1.0 - beta);
    (beta / rest, 1.0 / (level * rest * rest))
}

/// Probability that the error is beyond its limit, part by part: a charger that is either sound or far off is seldom in
/// between, where its mean is.
fn beyond(parts: &[Part], level: f64, u_factor: f64, limit: f64) -> f64 {
    let parts = parts.iter().map(|part| {
        let (error, slope) = error_by(part.mean, level);
        let u = part.variance.sqrt() * slope.abs() * u_factor;
        // Further within than this, what is beyond is less than rounding.
        if limit - error.abs() > 10.0 * u {
            return 0.0;
        }
        part.weight * nonconformity(error, u, limit)
    });
    parts.sum()
}

/// The loss of a branch: what grows with the square of its power, less what its charger's error has of it.
fn branch_loss(maker: &Maker<'_>, charger: usize, loss: f64) -> Vec<(usize, f64)> {
    let mut function = vec![(maker.layout.branch + charger, loss)];
    function.extend(curve(maker, charger).map(|(column, _, share)| (column, loss * share)));
    function
}

fn settle(maker: &Maker<'_>, estimate: &mut ChargerEstimate, findings: &[Finding], verified: bool) {
    let settings = maker.settings;
    let mut decision = decide(estimate.probability, settings);
    let forbidden = findings
        .iter()
        .any(|finding| finding.forbids(estimate.charger));
    let few = |finding: &Finding| matches!(finding, Finding::FewWindows { .. });
    if forbidden
        || findings.iter().any(few)
        || !estimate.probability.is_finite()
        || estimate.identified < LEAST_IDENTIFIED
    {
        decision = Decision::Undetermined;
    }
    // What was verified and not used since is known by that alone.
    if verified && estimate.active_windows == 0 && !forbidden {
        decision = decide(estimate.probability, settings);
    }
    estimate.decision = decision;
    estimate.reason =
        (decision == Decision::Undetermined).then(|| reason(maker, estimate, findings));
}

fn reason(maker: &Maker<'_>, estimate: &ChargerEstimate, findings: &[Finding]) -> Reason {
    let charger = maker.chargers.get(estimate.charger);
    let limit = charger.map_or(0.0, |charger| charger.class_limit);
    // U = 2u ≤ L/3 is what suits a limit (JJF 1094 habit, recalled).
    let suits = 6.0 * estimate.error.u <= limit;
    let reasons = findings
        .iter()
        .filter_map(|finding| finding.reason(estimate.charger))
        .filter(|reason| !(suits && reason.is_noise()));
    if let Some(first) = reasons.min_by_key(|reason| *reason as u8) {
        return first;
    }
    if estimate.identified < LEAST_IDENTIFIED {
        return Reason::LittleData;
    }
    if !suits {
        if charger.is_some_and(|charger| charger.dc_output) {
            return Reason::Conversion;
        }
        if estimate.u_common > estimate.u_own {
            return Reason::CommonMode;
        }
    }
    Reason::NearLimit
}

/// b of a charger by the balance alone: what it would be without any prior of its own.
pub(super) fn ratio(maker: &Maker<'_>, posterior: &Posterior, charger: usize) -> f64 {
    let (b, _) = posterior.of(&error_of(maker, charger));
    1.0 - b
}
