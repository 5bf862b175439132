//! Times remote error estimation: `estimation [CHARGERS [DAYS [ROUNDS]]]`, 20 chargers and 90 days of 15 minutes by default.
//!
//! Prints one JSON object: the best milliseconds of a whole estimate, of an estimate with clock offsets to be found, of a
//! day added to sums and solved, and of one dense evaluation of the same normal equations (every whitened row multiplied
//! out, which a whole estimate would need three times), all in one run on one core.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "an example; small numbers"
)]

#[path = "../tests/estimation_truth/mod.rs"]
mod estimation_truth;

use std::hint::black_box;
use std::time::Instant;

use diantan_core::estimation::{Accumulator, Windows, estimate};
use estimation_truth::station;

/// The best of some rounds, ms.
fn best<T>(rounds: u32, mut work: impl FnMut() -> T) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..rounds {
        let started = Instant::now();
        black_box(work());
        best = best.min(started.elapsed().as_secs_f64());
    }
    best * 1e3
}

/// Normal equations of T windows with 3n + 4 columns, whitened row by row and multiplied out.
fn dense(windows: &Windows) -> Vec<f64> {
    let (count, chargers) = (windows.len(), windows.chargers());
    let width = 3 * chargers + 4;
    let mut sums = vec![0.0; width * width];
    let mut before = vec![0.0; width];
    let mut own = vec![0.0; width];
    let mut last = vec![0.0; chargers];
    let (mut pivot, boundary) = (0.0, 1e-4);
    for window in 0..count {
        let energies = windows.energies_kwh(window);
        let sum: f64 = energies.iter().sum();
        let master = windows.master_kwh()[window];
        let factor = if pivot > 0.0 { -boundary / pivot } else { 0.0 };
        pivot = 2.0 * boundary + (5e-4 * master).powi(2) + 1e-6 + factor * boundary;
        for charger in 0..chargers {
            own[charger] = energies[charger];
            own[chargers + charger] = energies[charger] * energies[charger] * 4.0;
            own[2 * chargers + charger] = (energies[charger] - last[charger]) / 900.0;
        }
        last.copy_from_slice(energies);
        own[width - 4] = sum * sum * 4.0;
        own[width - 3] = 0.25;
        own[width - 2] = if window % 96 < 48 { 0.25 } else { 0.0 };
        own[width - 1] = master - sum;
        for (cell, known) in own.iter_mut().zip(&before) {
            *cell -= factor * known;
        }
        for (row, sums) in sums.chunks_exact_mut(width).enumerate() {
            let share = own[row] / pivot;
            for (cell, value) in sums.iter_mut().zip(&own) {
                *cell += share * value;
            }
        }
        std::mem::swap(&mut before, &mut own);
    }
    sums
}

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .map(|text| text.parse::<u32>().unwrap());
    let chargers = arguments.next().unwrap_or(20);
    let days = arguments.next().unwrap_or(90);
    let rounds = arguments.next().unwrap_or(20);
    let plain = station(|plan| {
        plan.chargers = chargers as usize;
        plan.days = days as usize;
        plan.load_dependence = 0.001;
    });
    let offset = station(|plan| {
        plan.chargers = chargers as usize;
        plan.days = days as usize;
        plan.offset_sd_s = 60.0;
    });
    let (settings, devices, windows) = (plain.settings(), plain.chargers(), plain.windows());
    let whole = best(rounds, || estimate(&settings, &devices, &windows).unwrap());
    let others = offset.windows();
    let with_offsets = best(rounds.div_ceil(2), || {
        estimate(&settings, &devices, &others).unwrap()
    });
    let reference = estimate(&settings, &devices, &windows).unwrap().reference;
    let rows = windows.len() - 96;
    let cut = |from: usize, until: usize| {
        let columns: Vec<Vec<f64>> = (0..devices.len())
            .map(|charger| {
                (from..until)
                    .map(|row| windows.energies_kwh(row)[charger])
                    .collect()
            })
            .collect();
        let lent: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let mut times = windows.starts_ms()[from..until].to_vec();
        times.push(windows.ends_ms()[until - 1]);
        Windows::from_energies(&times, &windows.master_kwh()[from..until], &lent).unwrap()
    };
    let mut sums = Accumulator::new(settings.clone(), devices.clone(), reference).unwrap();
    sums.push(&cut(0, rows)).unwrap();
    let state = sums.to_bytes();
    let today = cut(rows, windows.len());
    let day = best(rounds, || {
        let mut sums = Accumulator::from_bytes(settings.clone(), devices.clone(), &state).unwrap();
        sums.push(&today).unwrap();
        (sums.estimate().unwrap(), sums.to_bytes())
    });
    let naive = best(rounds.div_ceil(4), || dense(&windows));
    println!(
        "{{\"chargers\": {chargers}, \"windows\": {}, \"estimate_ms\": {whole:.2}, \"with_offsets_ms\": {with_offsets:.2}, \"day_ms\": {day:.2}, \"state_bytes\": {}, \"dense_once_ms\": {naive:.2}}}",
        windows.len(),
        state.len()
    );
}
