//! Sessions told of some chargers only, or at times only: what is told is used, and nobody is accused by what is not.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests; small numbers"
)]

mod estimation_truth;

use std::time::Duration;

use diantan_core::estimation::{
    Accumulator, Charger, Estimation, Finding, Settings, Windows, estimate,
};
use estimation_truth::{Dice, MINUTE, Station, station};

type Spans = Vec<(i64, i64)>;

fn truth() -> Station {
    station(|plan| {
        plan.chargers = 6;
        plan.days = 10;
        plan.altered = vec![(2, 0.04)];
    })
}

/// Windows from one row to another without any session.
fn silent(truth: &Station, from: usize, until: usize) -> Windows {
    let cut = |column: &Vec<f64>| column[from..=until].to_vec();
    let registers: Vec<Vec<f64>> = truth.registers.iter().map(cut).collect();
    let columns: Vec<&[f64]> = registers.iter().map(Vec::as_slice).collect();
    let times = &truth.times_ms[from..=until];
    Windows::from_registers(times, &cut(&truth.master), &columns).unwrap()
}

fn judged(truth: &Station, windows: &Windows) -> Estimation {
    estimate(&truth.settings(), &truth.chargers(), windows).unwrap()
}

fn bits(found: &Estimation) -> Vec<(u64, u64)> {
    let errors = found.chargers.iter().map(|one| one.error);
    errors
        .map(|error| (error.value.to_bits(), error.u.to_bits()))
        .collect()
}

fn outside(found: &Estimation) -> Vec<usize> {
    let of = |finding: &Finding| match finding {
        Finding::OutsideSessions { charger, .. } => Some(*charger),
        _ => None,
    };
    found.findings.iter().filter_map(of).collect()
}

#[test]
fn a_half_that_is_told_is_a_half_with_sessions() {
    let truth = truth();
    let (all, middle) = (truth.times_ms.len() - 1, 480);
    let cut_ms = truth.times_ms[middle];
    let early: Vec<Spans> = truth
        .sessions
        .iter()
        .map(|own| own.iter().copied().filter(|one| one.0 < cut_ms).collect())
        .collect();
    let mut halves = silent(&truth, 0, middle);
    let mut whole = silent(&truth, 0, all);
    for (number, own) in early.iter().enumerate() {
        halves.set_sessions(number, own).unwrap();
        // One that runs on beyond the span is not told there.
        let own: Spans = own.iter().map(|one| (one.0, one.1.min(cut_ms))).collect();
        let told = [(truth.times_ms[0], cut_ms)];
        whole.set_sessions_within(number, &own, &told).unwrap();
    }
    halves.append(&silent(&truth, middle, all)).unwrap();
    assert_eq!(halves, whole);
    let found = judged(&truth, &whole);
    assert_eq!(outside(&found), [0; 0]);
    assert_ne!(bits(&found), bits(&judged(&truth, &silent(&truth, 0, all))));
    assert_ne!(bits(&found), bits(&truth.estimate()));
}

#[test]
fn sessions_of_some_chargers_are_used_and_the_others_not_accused() {
    let truth = truth();
    let mut windows = silent(&truth, 0, truth.times_ms.len() - 1);
    let plain = judged(&truth, &windows);
    windows.set_sessions(4, &truth.sessions[4]).unwrap();
    let found = judged(&truth, &windows);
    assert_eq!(outside(&found), [0; 0]);
    assert_ne!(bits(&found), bits(&plain));
    // Those of another charger are seen through, if they are said to be all.
    windows.set_sessions(4, &truth.sessions[1]).unwrap();
    assert_eq!(outside(&judged(&truth, &windows)), [4]);
    windows
        .set_sessions_within(4, &truth.sessions[1], &[])
        .unwrap();
    assert_eq!(outside(&judged(&truth, &windows)), [0; 0]);
}

#[test]
fn orders_that_are_missing_accuse_nobody_where_they_are_not_told() {
    let truth = truth();
    let some: Spans = truth.sessions[1].iter().copied().take(10).collect();
    let told = [(truth.times_ms[0], some[9].1)];
    let mut windows = truth.windows();
    windows.set_sessions(1, &some).unwrap();
    assert_eq!(outside(&judged(&truth, &windows)), [1]);
    windows.set_sessions_within(1, &some, &told).unwrap();
    assert_eq!(outside(&judged(&truth, &windows)), [0; 0]);
}

#[test]
fn a_window_is_told_if_spans_leave_no_gap_in_it() {
    const QUARTER: i64 = 900_000;
    let times: Vec<i64> = (0..=3).map(|row| row * QUARTER).collect();
    let judged = |told: &[(i64, i64)]| {
        let mut windows =
            Windows::from_energies(&times, &[2.0, 5.0, 1.0], &[&[2.0, 5.0, 1.0]]).unwrap();
        windows
            .set_sessions_within(0, &[(0, QUARTER)], told)
            .unwrap();
        outside(&estimate(&Settings::default(), &[Charger::default()], &windows).unwrap())
    };
    let half = QUARTER + QUARTER / 2;
    assert_eq!(judged(&[(0, half), (half, 2 * QUARTER)]), [0]);
    assert_eq!(judged(&[(0, half), (half + 1, 2 * QUARTER)]), [0; 0]);
    assert_eq!(judged(&[(0, 2 * QUARTER - 1)]), [0; 0]);
    assert_eq!(judged(&[(-5, QUARTER), (QUARTER, 3 * QUARTER)]), [0]);
}

#[test]
fn spans_out_of_order_are_refused() {
    let truth = truth();
    let mut windows = silent(&truth, 0, 96);
    let plain = windows.clone();
    for told in [&[(5, 5)][..], &[(0, 10), (9, 20)], &[(10, 20), (0, 5)]] {
        let error = windows.set_sessions_within(0, &[], told).unwrap_err();
        assert!(error.to_string().starts_with("told span "), "{error}");
    }
    assert_eq!(windows, plain);
}

#[test]
fn days_told_in_part_are_the_whole_history_to_the_bit() {
    let truth = truth();
    let told: Vec<(i64, i64)> = (0..10)
        .step_by(3)
        .map(|day| (truth.times_ms[day * 96 + 30], truth.times_ms[day * 96 + 90]))
        .collect();
    let tell = |mut windows: Windows| {
        for number in 0..4 {
            let own = &truth.sessions[number];
            windows.set_sessions_within(number, own, &told).unwrap();
        }
        windows
    };
    let whole = tell(silent(&truth, 0, 960));
    let full = judged(&truth, &whole);
    let (settings, chargers) = (truth.settings(), truth.chargers());
    let begin = || Accumulator::new(settings.clone(), chargers.clone(), full.reference.clone());
    let mut daily = begin().unwrap();
    for day in 0..10 {
        let part = tell(silent(&truth, day * 96, (day + 1) * 96));
        daily.push(&part).unwrap();
        let state = daily.to_bytes();
        let back = Accumulator::from_bytes(settings.clone(), chargers.clone(), &state).unwrap();
        assert_eq!(back, daily);
        daily = back;
    }
    assert_eq!(bits(&daily.estimate().unwrap()), bits(&full));
}

#[test]
fn vehicles_that_stay_longer_than_they_charge_cost_nothing() {
    let (mut edges, mut stays, mut inferred) = (0.0, 0.0, 0.0);
    for seed in 1..=6 {
        let truth = station(|plan| {
            plan.seed = seed;
            plan.days = 60;
            plan.chargers = 8;
            plan.sessions_per_day = 1.2;
            plan.session_kwh = 8.0;
            plan.power_kw = (6.2, 7.0);
            plan.loss_share = 0.03;
            plan.altered = Vec::new();
        });
        let all = truth.times_ms.len() - 1;
        let mut windows = silent(&truth, 0, all);
        let off = |windows: &Windows| -> f64 {
            let found = judged(&truth, windows);
            assert_eq!(outside(&found), [0; 0]);
            let own = found.chargers.iter().zip(&truth.errors);
            own.map(|(one, error)| (one.error.value - error).abs())
                .sum()
        };
        inferred += off(&windows);
        edges += off(&truth.windows());
        for (number, own) in truth.sessions.iter().enumerate() {
            let next = own.iter().skip(1).map(|one| one.0).chain([i64::MAX]);
            let parked: Spans = own
                .iter()
                .zip(next)
                .map(|(one, next)| {
                    (
                        one.0,
                        (one.1 + 150 * MINUTE).min(next - 10 * MINUTE).max(one.1),
                    )
                })
                .collect();
            windows.set_sessions(number, &parked).unwrap();
        }
        stays += off(&windows);
    }
    assert!(stays < 1.15 * edges, "{stays} and {edges}");
    assert!(stays < 1.05 * inferred, "{stays} and {inferred}");
}

/// Clocks two minutes off, and sessions so short that two often share a window: with power taken as steady over such a
/// window, and all that is moved between windows believed alike, this is 0.136 %.
#[test]
fn sessions_that_share_a_window_are_told_apart() {
    let (mut squares, mut count) = (0.0, 0.0);
    for seed in 1..=6 {
        let truth = station(|plan| {
            plan.seed = seed;
            plan.chargers = 10;
            plan.days = 10;
            plan.offset_sd_s = 120.0;
            plan.sessions_per_day = 12.0;
            plan.session_kwh = 12.0;
            plan.altered = vec![(3, 0.035)];
        });
        let found = truth.estimate();
        let off: Vec<f64> = found
            .chargers
            .iter()
            .zip(&truth.errors)
            .map(|(one, error)| one.error.value - error)
            .collect();
        let mean = off.iter().sum::<f64>() / 10.0;
        squares += off.iter().map(|own| (own - mean).powi(2)).sum::<f64>();
        count += 10.0;
    }
    let rms = f64::sqrt(squares / count);
    assert!(rms < 0.0011, "{rms}");
}

/// Sessions whose times are off by some minutes, each by others.
fn misplaced(seed: u64, minutes: f64) -> Station {
    let mut truth = station(|plan| {
        plan.seed = seed;
        plan.chargers = 8;
        plan.days = 14;
        plan.altered = vec![(0, 0.03)];
    });
    let mut dice = Dice(seed);
    for own in &mut truth.sessions {
        let mut last = i64::MIN;
        for (from, to) in own {
            let mut off = || Duration::from_secs_f64(60.0 * minutes * dice.normal().abs());
            let ms = |off: Duration| i64::try_from(off.as_millis()).unwrap();
            (*from, *to) = (*from + ms(off()), *to - ms(off()));
            *from = (*from).max(last.saturating_add(1));
            *to = (*to).max(*from + MINUTE);
            last = *to;
        }
    }
    truth
}

/// A minute that is told of a window with much energy is no power, neither in it nor for the window beside it.
#[test]
fn sessions_told_too_short_cost_little() {
    let off = |known: bool| {
        let (mut sum, mut count) = (0.0, 0.0);
        for seed in 1..=6 {
            let truth = misplaced(seed, 12.0);
            let rows = truth.times_ms.len() - 1;
            let windows = if known {
                truth.windows()
            } else {
                silent(&truth, 0, rows)
            };
            for (one, error) in judged(&truth, &windows).chargers.iter().zip(&truth.errors) {
                let apart = (one.error.value - error) / one.error.u;
                sum += apart * apart;
                count += 1.0;
            }
        }
        (sum / count).sqrt()
    };
    let (without, with): (f64, f64) = (off(false), off(true));
    assert!(with < 1.25 * without, "{without} {with}");
}
