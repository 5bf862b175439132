//! Bad input recognised from the windows themselves: patterns in what is left over, clocks hours off, sessions of another.

use super::diagnose::PLAUSIBLE;
use super::finding::{Finding, Suspicion};
use super::noise::Observed;
use super::posterior::Posterior;
use super::result::Estimation;
use super::rows::Maker;
use super::windows::Windows;

/// White noise beyond this is none of a master's.
const NOISY: f64 = 0.004;
/// Residuals are added up over so long before a pattern is looked for: what readings move between windows cancels.
const BLOCK_HOURS: f64 = 2.0;
/// A pattern of this share of the master's energy makes the balance useless.
const PATTERN_SHARE: f64 = 0.03;
/// And it is so many times what the stated noise would leave.
const PATTERN_NOISE: f64 = 3.0;
/// Share of a charger's energy that a move must explain. One the master does not see reaches a half at any move.
const MOVED: f64 = 0.7;
/// How far a clock may be off, windows.
const MOST_WINDOWS: usize = 96;

pub(super) fn of_series(
    maker: &Maker<'_>,
    windows: &Windows,
    observed: &[Observed],
    posterior: &Posterior,
    estimation: &Estimation,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let pattern = pattern(maker, windows, observed);
    let doubtful = pattern.is_some()
        || estimation.findings.iter().any(|finding| {
            matches!(
                finding,
                Finding::Misfit { .. } | Finding::Implausible { .. } | Finding::Offset { .. }
            )
        })
        || estimation.reference.noise.white > NOISY
        || loud(maker, estimation);
    if doubtful {
        for charger in 0..maker.layout.chargers {
            let series = Word::new(windows, observed, posterior, charger);
            findings.extend(series.moved(windows, charger));
            if pattern.is_some() {
                findings.extend(series.multiplied(charger));
            }
        }
    }
    if findings.is_empty() {
        findings.extend(pattern);
    }
    if windows.has_sessions() {
        sessions(windows, &mut findings);
    }
    findings
}

/// Whether the noise that was chosen for any window is as loud as that, in a window of mean energy.
fn loud(maker: &Maker<'_>, estimation: &Estimation) -> bool {
    let floor = estimation.reference.noise.floor_kwh;
    #[allow(clippy::cast_precision_loss, reason = "a count of windows")]
    let mean = estimation.master_kwh / (estimation.windows.max(1) as f64);
    floor > maker.settings.floor_kwh && floor > NOISY * mean
}

/// What a block of windows left.
struct Block {
    start_ms: i64,
    hours: f64,
    kwh: f64,
}

fn pattern(maker: &Maker<'_>, windows: &Windows, observed: &[Observed]) -> Option<Finding> {
    let settings = maker.settings;
    let mut blocks: Vec<Block> = Vec::new();
    let (mut master, mut expected) = (0.0_f64, 0.0_f64);
    let (mut variance, mut open) = (0.0_f64, false);
    for row in observed {
        let hours = windows.hours(row.window);
        if !open || !row.linked {
            expected += if open { variance.sqrt() } else { 0.0 };
            variance = row.start.variance(settings.jitter_s);
            blocks.push(Block {
                start_ms: windows.start_ms.get(row.window).copied().unwrap_or(0),
                hours: 0.0,
                kwh: 0.0,
            });
            open = true;
        }
        let white = settings.white * row.master;
        variance += white * white;
        master += row.master.abs();
        let block = blocks.last_mut()?;
        block.hours += hours;
        block.kwh += row.plain;
        if block.hours >= BLOCK_HOURS - 1e-6 {
            expected += (variance + row.end.variance(settings.jitter_s)).sqrt();
            open = false;
        }
    }
    let left: f64 = blocks.iter().map(|block| block.kwh.abs()).sum();
    let share = left / master;
    // Mean of |z| of a normal distribution.
    if !(share > PATTERN_SHARE && left > PATTERN_NOISE * 0.8 * expected && blocks.len() >= 12) {
        return None;
    }
    let offset = settings.night.map_or(480, |night| night.utc_offset_minutes);
    let mut sums = [(0.0_f64, 0.0_f64); 2];
    for block in &blocks {
        let minute = (block.start_ms.div_euclid(60_000) + i64::from(offset)).rem_euclid(1440);
        let [dark, light] = &mut sums;
        let side = if (8 * 60..16 * 60).contains(&minute) {
            light
        } else {
            dark
        };
        side.0 += block.kwh;
        side.1 += block.hours;
    }
    let [dark, light] = sums.map(|(kwh, hours)| if hours > 0.0 { kwh / hours } else { 0.0 });
    let mut powers: Vec<f64> = blocks.iter().map(|block| block.kwh / block.hours).collect();
    powers.sort_unstable_by(f64::total_cmp);
    let at = |share: usize| {
        powers
            .get((powers.len() * share / 100).min(powers.len() - 1))
            .copied()
            .unwrap_or(0.0)
    };
    let (low, middle, high) = (at(3), at(50), at(97));
    let hours: f64 = blocks.iter().map(|block| block.hours).sum();
    let typical = master / hours;
    if light - dark < -0.05 * typical && middle - low > 0.5 * (high - middle) {
        let row = maker.layout.fixed;
        let fixed = maker.reference.solution.get(row).copied().unwrap_or(0.0);
        return Some(Finding::Generation {
            windows: 0,
            fixed_load_kw: fixed,
            by_day_kw: light - dark,
        });
    }
    if high - middle > 1.5 * (middle - low) {
        return Some(Finding::UnexplainedLoad {
            share,
            kw: high - middle,
        });
    }
    Some(Finding::Unexplained { share })
}

/// What the balance lacks if a charger is taken at its word, and what the charger says, by window.
struct Word {
    lacking: Vec<f64>,
    said: Vec<f64>,
    /// Sum of the squares of what it says.
    own: f64,
}

impl Word {
    fn new(
        windows: &Windows,
        observed: &[Observed],
        posterior: &Posterior,
        charger: usize,
    ) -> Self {
        let theta = posterior.values.get(charger).copied().unwrap_or(0.0);
        let mut lacking = vec![0.0; windows.len()];
        let mut said = vec![0.0; windows.len()];
        for row in observed {
            let energy = windows.energy(row.window, charger);
            let cells = (lacking.get_mut(row.window), said.get_mut(row.window));
            if let (Some(lacking), Some(said)) = cells {
                *lacking = row.plain + theta * energy;
                *said = energy;
            }
        }
        let own = said.iter().map(|energy| energy * energy).sum();
        Self { lacking, said, own }
    }

    /// Whether its energies, moved by some windows, explain what is lacking.
    fn moved(&self, windows: &Windows, charger: usize) -> Option<Finding> {
        let at = |values: &[f64], row: usize| values.get(row).copied().unwrap_or(0.0);
        let active: Vec<usize> = (0..self.said.len())
            .filter(|row| at(&self.said, *row) > 0.0)
            .collect();
        let mut best = (0.0_f64, 0_i64);
        let reach = i64::try_from(MOST_WINDOWS).unwrap_or(0);
        for lag in (-reach..=reach).filter(|lag| *lag != 0) {
            let (mut overlap, mut gained) = (0.0, 0.0);
            for row in &active {
                let other = i64::try_from(*row).ok().map(|row| row + lag);
                let Some(place) = other.and_then(|other| usize::try_from(other).ok()) else {
                    continue;
                };
                let energy = at(&self.said, *row);
                overlap += energy * at(&self.said, place);
                gained += energy * (at(&self.lacking, place) - at(&self.lacking, *row));
            }
            let size = 2.0 * (self.own - overlap);
            // Steps of a window within a long session change too little to tell.
            if size > 0.05 * self.own && gained / size > best.0 {
                best = (gained / size, lag);
            }
        }
        let (share, lag) = best;
        let row = *active.get(active.len() / 2)?;
        #[allow(clippy::cast_precision_loss, reason = "at most a hundred windows")]
        let hours = lag as f64 * windows.hours(row);
        // Within a window it is an offset.
        (share > MOVED && lag.abs() > 1).then_some(Finding::ClockShift {
            charger,
            hours,
            share,
        })
    }

    /// Whether a multiple of its energies does: one that its prior would not let it have.
    fn multiplied(&self, charger: usize) -> Option<Finding> {
        let common: f64 = self
            .lacking
            .iter()
            .zip(&self.said)
            .map(|(a, b)| a * b)
            .sum();
        let all: f64 = self.lacking.iter().map(|kwh| kwh * kwh).sum();
        let ratio = 1.0 + common / self.own;
        let explained = common * common / (self.own * all);
        (explained > MOVED && !PLAUSIBLE.contains(&ratio)).then_some(Finding::Implausible {
            charger,
            ratio,
            suspicion: Suspicion::Multiplier,
        })
    }
}

fn sessions(windows: &Windows, findings: &mut Vec<Finding>) {
    let count = windows.chargers();
    let mut shares = vec![0.0_f64; count * count];
    // Only where the other's sessions are told, energy outside of them means something.
    let mut totals = vec![0.0_f64; count * count];
    let mut known = vec![false; count];
    for window in 0..windows.len() {
        let energies = windows.energies_kwh(window);
        for other in 0..count {
            let activity = windows.activity(window, other);
            if !activity.told {
                continue;
            }
            let active = activity.active > 0.0;
            if let Some(known) = known.get_mut(other) {
                *known |= active;
            }
            for (charger, energy) in energies.iter().enumerate() {
                let place = charger * count + other;
                if let Some(total) = totals.get_mut(place) {
                    *total += energy.max(0.0);
                }
                if let (true, Some(share)) = (active, shares.get_mut(place)) {
                    *share += energy.max(0.0);
                }
            }
        }
    }
    let share = |charger: usize, other: usize| {
        let place = charger * count + other;
        let total = totals.get(place).copied().unwrap_or(0.0);
        let part = shares.get(place).copied().unwrap_or(0.0);
        if total > 0.0 { part / total } else { 1.0 }
    };
    let strange = |charger: usize| {
        known.get(charger).copied().unwrap_or(false) && share(charger, charger) < 0.6
    };
    let fits = |charger: usize, other: usize| share(charger, other) > 0.9;
    for first in (0..count).filter(|charger| strange(*charger)) {
        let other = (0..count).find(|other| {
            *other != first && strange(*other) && fits(first, *other) && fits(*other, first)
        });
        match other {
            Some(second) if first < second => findings.push(Finding::Swapped { first, second }),
            Some(_) => {}
            None => findings.push(Finding::OutsideSessions {
                charger: first,
                share: 1.0 - share(first, first),
            }),
        }
    }
}
