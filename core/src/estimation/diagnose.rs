//! Bad input recognised and named, from the sums and the solution. What needs the windows is in `diagnose_series`.

use super::accumulate::Sums;
use super::finding::{Finding, Suspicion};
use super::posterior::Posterior;
use super::result::{Estimation, ratio};
use super::rows::Maker;
use super::settings::{Charger, Known, Settings};

/// Mean length of windows from which on they count as daily readings, h.
const DAILY_HOURS: f64 = 11.0;
/// Two columns nearer to each other than this may not be told apart.
const ALIKE: f64 = 0.95;
/// If what is known of them is known of their sum: the correlation of both.
const TOGETHER: f64 = -0.8;
/// True by indicated energy outside of these is no metering error.
pub(super) const PLAUSIBLE: std::ops::Range<f64> = 0.6..1.6;
/// Standard deviations the level of all chargers may be from what was expected.
const TENSION: f64 = 5.0;
/// Scale of the residuals from which on they do not fit the model.
const MISFIT: f64 = 3.0;
/// A level this far from 0 is no error of any meter.
const FAR: f64 = 0.3;
/// Share of the noise from which on a register is what limits.
const COARSE: f64 = 0.5;

/// Windows by unknowns from which on it stands out which of them are wrong.
const ENOUGH: u64 = 5;
/// Mean square of the residuals from which on fewer contradict each other. Of simulated stations of two to five days, with
/// clocks off by 60 s or a jitter of 15 to 40 s that nobody told of, a third of the flags was wrong beyond it.
const CONTRADICTION: f64 = 1.6;

/// Fewer windows than unknowns, or few that contradict each other: one altered charger then fits as well as another, with
/// the windows that say otherwise held for outliers.
fn few_windows(windows: u64, unknowns: usize, mean_square: f64) -> bool {
    let unknowns = unknowns as u64;
    windows < unknowns || (windows < ENOUGH * unknowns && mean_square > CONTRADICTION)
}

pub(super) fn of_sums(
    maker: &Maker<'_>,
    sums: &Sums,
    posterior: &Posterior,
    estimation: &Estimation,
) -> Vec<Finding> {
    let tally = &sums.tally;
    let mut findings = Vec::new();
    if tally.excluded != [0; 3] {
        findings.push(Finding::Excluded {
            windows: tally.excluded,
        });
    }
    if few_windows(tally.used, maker.layout.size, estimation.chi_square) {
        findings.push(Finding::FewWindows {
            windows: tally.used,
            unknowns: maker.layout.size,
        });
    }
    #[allow(clippy::cast_precision_loss, reason = "a count of windows")]
    let hours = tally.hours / (tally.used.max(1) as f64);
    if hours >= DAILY_HOURS {
        findings.push(Finding::Daily { hours });
    }
    let gain = gain(maker, posterior, estimation).or_else(|| slope(maker, sums, estimation));
    chargers(maker, sums, posterior, estimation, &mut findings);
    if gain.is_some() {
        // All of them look wrong then, and none of them is.
        findings.retain(|finding| !matches!(finding, Finding::Implausible { .. }));
    }
    findings.extend(gain);
    collinear(maker, sums, posterior, &mut findings);
    let fixed = estimation.fixed_load_kw;
    let night = estimation.night_load_kw.map_or(0.0, |night| night.value);
    // The hour of the day with the lowest load, if hours are told apart.
    let hours = estimation.load_profile_kw.iter().copied();
    let least = hours.min_by(|a, b| a.value.total_cmp(&b.value));
    let least = least.unwrap_or(Known {
        value: fixed.value + night.min(0.0),
        u: fixed.u,
    });
    let typical = tally.master_kwh / tally.hours.max(1e-9);
    let (least, u) = (least.value, least.u);
    let generates = least < -6.0 * u && least < -0.05 * typical.abs() - 0.5;
    // A wrong reading now and then is no generator.
    let backwards = tally.master_negative >= 8 && tally.master_negative * 100 >= tally.used;
    if backwards || generates {
        findings.push(Finding::Generation {
            windows: tally.master_negative,
            fixed_load_kw: least,
            by_day_kw: 0.0,
        });
    }
    if tally.variance > 0.0 {
        let share = tally.master_variance / tally.variance;
        if share > COARSE {
            findings.push(Finding::MasterRegister { share });
        }
        let share = tally.register_variance / tally.variance;
        if share > COARSE {
            findings.push(Finding::ChargerRegister { share });
        }
    }
    if estimation.scale > MISFIT {
        findings.push(Finding::Misfit {
            scale: estimation.scale,
            white: maker.reference.noise.white,
        });
    }
    findings
}

fn chargers(
    maker: &Maker<'_>,
    sums: &Sums,
    posterior: &Posterior,
    estimation: &Estimation,
    findings: &mut Vec<Finding>,
) {
    let reversed = maker.reference.reversed.iter();
    for ((estimate, counts), reversed) in estimation
        .chargers
        .iter()
        .zip(&sums.tally.chargers)
        .zip(reversed)
    {
        let charger = estimate.charger;
        if counts.active == 0 {
            findings.push(Finding::NeverCharged { charger });
            continue;
        }
        if *reversed {
            findings.push(Finding::Negative {
                charger,
                windows: counts.negative,
                kwh: counts.negative_kwh,
            });
            continue;
        }
        let ratio = ratio(maker, posterior, charger);
        if !PLAUSIBLE.contains(&ratio) {
            let suspicion = if ratio < -0.4 {
                Suspicion::Reversed
            } else if ratio < 0.3 {
                Suspicion::NotBehindMaster
            } else {
                Suspicion::Multiplier
            };
            findings.push(Finding::Implausible {
                charger,
                ratio,
                suspicion,
            });
        }
        if let Some(offset) = estimate.offset_s
            && offset.value.abs() > maker.settings.max_offset_s
            && offset.value.abs() > 3.0 * offset.u
        {
            findings.push(Finding::Offset {
                charger,
                seconds: offset.value,
                u: offset.u,
            });
        }
    }
}

/// Columns that look alike, and whose errors are only known as a sum.
fn collinear(maker: &Maker<'_>, sums: &Sums, posterior: &Posterior, findings: &mut Vec<Finding>) {
    let cells = &sums.chain.sums;
    for second in 0..maker.layout.chargers {
        for first in 0..second {
            let sizes = cells.get(first, first) * cells.get(second, second);
            let cosine = cells.get(first, second) / sizes.sqrt();
            if cosine.abs() > ALIKE && posterior.correlation(first, second) < TOGETHER {
                findings.push(Finding::Collinear {
                    first,
                    second,
                    cosine,
                });
            }
        }
    }
}

/// The level of most chargers against the master: g less the cohort's mean. What a charger is known to lose before its meter,
/// in conversion or as its load stands unevenly, is no level.
fn gain(maker: &Maker<'_>, posterior: &Posterior, estimation: &Estimation) -> Option<Finding> {
    let settings = maker.settings;
    let active = estimation.chargers.iter();
    let active = active.filter(|estimate| estimate.active_windows > 0);
    let mut levels: Vec<(f64, Known)> = active
        .filter_map(|estimate| {
            let theta = *posterior.values.get(estimate.charger)?;
            let lost = lost(settings, maker.chargers.get(estimate.charger)?);
            Some((theta - lost.value, lost))
        })
        .collect();
    if levels.is_empty() {
        return None;
    }
    let (middle, count) = (levels.len() / 2, levels.len());
    let by_level = |one: &(f64, Known), other: &(f64, Known)| one.0.total_cmp(&other.0);
    let (median, lost) = *levels.select_nth_unstable_by(middle, by_level).1;
    let variance = settings.gain.u.powi(2) + settings.cohort_sd.powi(2) + lost.u.powi(2);
    let off = median - (settings.gain.value - settings.cohort_mean);
    // The median of a few chargers is no cohort: one of them may be altered.
    let few =
        settings.altered_sd.powi(2) / f64::from(u32::try_from(count.pow(2)).unwrap_or(u32::MAX));
    let (_, u) = posterior.of(&[(estimation.chargers.first()?.charger, 1.0)]);
    let tension = off.abs() / (variance + few + u * u).sqrt();
    (tension > TENSION && off.abs() > 0.02).then_some(Finding::Gain {
        ratio: 1.0 + median + lost.value,
        tension,
    })
}

/// What a charger is known to lose of its energy between the master and its meter.
fn lost(settings: &Settings, charger: &Charger) -> Known {
    let conversion = charger.dc_output.then_some(settings.conversion);
    let parts = conversion.into_iter().chain(charger.uneven_loss);
    let nothing = Known { value: 0.0, u: 0.0 };
    parts.fold(nothing, |sum, part| Known {
        value: sum.value + part.value,
        u: sum.u.hypot(part.u),
    })
}

/// The same without any prior, for a ratio so far off that priors hide it: master on the sum of the chargers, and a fixed
/// load.
fn slope(maker: &Maker<'_>, sums: &Sums, estimation: &Estimation) -> Option<Finding> {
    let (cells, fixed, side) = (&sums.chain.sums, maker.layout.fixed, sums.chain.data);
    let active = estimation
        .chargers
        .iter()
        .filter(|estimate| estimate.active_windows > 0);
    // A balance that closes has no wrong ratio, whatever single chargers do.
    if active.count() < 2 || estimation.scale < MISFIT {
        return None;
    }
    let (mut all, mut with_fixed, mut with_side) = (0.0, 0.0, 0.0);
    for row in 0..maker.layout.chargers {
        let own = cells.row(row);
        all += own.iter().take(maker.layout.chargers).sum::<f64>();
        with_fixed += cells.get(row, fixed);
        with_side += cells.get(row, side);
    }
    let own_fixed = cells.get(fixed, fixed);
    let rest = all - with_fixed * with_fixed / own_fixed;
    let level = (with_side - with_fixed * cells.get(fixed, side) / own_fixed) / rest;
    let tension = level.abs() * rest.sqrt() / estimation.scale;
    (level.abs() > FAR && tension > TENSION).then_some(Finding::Gain {
        ratio: 1.0 + level,
        tension,
    })
}
