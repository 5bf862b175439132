//! The whole estimate: read the windows a few times, each time with a better reference.

use super::accumulate::{Rows, Sums};
use super::chain::Room;
use super::diagnose_series::of_series;
use super::error::EstimationError;
use super::layout::Layout;
use super::noise::{self, Observed};
use super::posterior::{Effort, Posterior};
use super::reference::Reference;
use super::result::{Estimation, Residuals};
use super::rows::Maker;
use super::settings::{Charger, Settings};
use super::windows::Windows;

/// Realignment goes on while an offset moves by more than this, s.
const STILL_S: f64 = 3.0;
/// And while the variance of the noise that is chosen changes by more than this factor.
const LOUDER: f64 = 0.75;
/// Passes at most.
const PASSES: usize = 8;

/// Estimate the errors of a station's chargers from its windows.
///
/// First all windows weigh alike; then those with large residuals weigh less (twice), noise is chosen, and clocks are put
/// right until they stay. The last pass is what an [`super::Accumulator`] with [`Estimation::reference`] sums up.
///
/// # Errors
/// For settings out of range, windows of another number of chargers, and numbers so extreme that the equations can't be
/// solved. Odd data are no error: see [`Estimation::findings`].
pub fn estimate(
    settings: &Settings,
    chargers: &[Charger],
    windows: &Windows,
) -> Result<Estimation, EstimationError> {
    settings.check(chargers)?;
    if windows.chargers() != chargers.len() {
        return Err(EstimationError::Length {
            name: "chargers",
            expected: chargers.len(),
            got: windows.chargers(),
        });
    }
    let layout = Layout::new(settings, chargers);
    let mut reference = Reference::first(settings, chargers, windows);
    let (mut rows, mut room) = (Rows::new(&layout), Room::default());
    let mut made = false;
    let mut observed: Vec<Observed> = Vec::with_capacity(windows.len());
    let mut pass = 0;
    loop {
        let maker = Maker {
            settings,
            chargers,
            layout: &layout,
            reference: &reference,
        };
        let mut sums = Sums::new(&layout);
        observed.clear();
        if !made {
            rows.fill(&maker, windows, (0, windows.len()), &sums.tally);
            made = true;
        }
        sums.add(&maker, &mut rows, &mut room, |window, noisy, residual| {
            observed.push(Observed {
                window,
                plain: residual.plain,
                whitened: residual.whitened,
                weight: residual.weight,
                master: noisy.row.master,
                start: noisy.row.start,
                end: noisy.row.end,
                linked: noisy.row.linked,
            });
        });
        // Before there is a solution nothing says how large residuals are.
        let scale = if pass == 0 { Some(1.0) } else { None };
        let effort = if pass < 2 {
            Effort::Little
        } else {
            Effort::Full
        };
        let posterior = Posterior::new(&maker, &sums.chain, scale, effort)?;
        let found = layout
            .offset
            .and_then(|first| posterior.values.get(first..first + layout.chargers))
            .unwrap_or(&[]);
        let moves = found
            .iter()
            .zip(&reference.offsets_s)
            .map(|(new, old)| (new - old).abs());
        let still = moves.fold(0.0, f64::max) < STILL_S;
        let given = reference.noise;
        let mut noise = given;
        if pass >= 1 && settings.fit_noise && observed.len() > layout.size {
            noise = noise::fit(&observed, settings.huber, settings.floor_kwh, given);
        }
        let louder = noise::change(&observed, noise, given);
        // Without windows there is nothing to choose by.
        let same = pass >= 2 && (louder.is_nan() || (LOUDER..1.0 / LOUDER).contains(&louder));
        if pass + 1 >= PASSES || (still && same) {
            let mut estimation = Estimation::new(&maker, &sums, &posterior);
            let findings = of_series(&maker, windows, &observed, &posterior, &estimation);
            estimation.find(&maker, findings);
            estimation.residuals = series(windows, &observed);
            return Ok(estimation);
        }
        let mut next = reference.clone();
        next.scale = if pass == 0 {
            posterior.mean_square.sqrt().max(1.0)
        } else {
            posterior.scale
        };
        next.noise = noise;
        // With other noise, residuals have another scale.
        if noise != given {
            next.scale = 1.0;
        }
        if !still {
            next.offsets_s = found.to_vec();
            made = false;
        }
        next.solution = posterior.values.get(..layout.data).unwrap_or(&[]).to_vec();
        reference = next;
        pass += 1;
    }
}

fn series(windows: &Windows, observed: &[Observed]) -> Residuals {
    let mut series = Residuals::default();
    for row in observed {
        series.start_ms.extend(windows.start_ms.get(row.window));
        series.end_ms.extend(windows.end_ms.get(row.window));
        series.plain_kwh.push(row.plain);
        series.whitened.push(row.whitened);
        series.weight.push(row.weight);
    }
    series
}
