//! What a station takes beside its chargers: by the hour of the day, and from window to window.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    reason = "tests; small numbers"
)]

mod estimation_truth;

use diantan_core::estimation::{Estimation, Finding, Settings, estimate};
use estimation_truth::{MINUTE, Plan, Station, station};

/// Adds a load to the master: kW by minute since midnight in Shanghai.
fn load(truth: &mut Station, kw: impl Fn(i64) -> f64) {
    let mut kwh = 0.0;
    let mut minute = 0;
    for (time, cell) in truth.times_ms.iter().zip(&mut truth.master) {
        while truth.times_ms[0] + minute * MINUTE < *time {
            kwh += kw(minute) / 60.0;
            minute += 1;
        }
        *cell += kwh;
    }
}

fn month(change: impl FnOnce(&mut Plan)) -> Station {
    station(|plan| {
        plan.chargers = 8;
        plan.days = 28;
        plan.altered = vec![(2, 0.04)];
        change(plan);
    })
}

fn with(truth: &Station, change: impl FnOnce(&mut Settings)) -> Estimation {
    let mut settings = truth.settings();
    change(&mut settings);
    estimate(&settings, &truth.chargers(), &truth.windows()).unwrap()
}

fn off(found: &Estimation, truth: &Station) -> f64 {
    let own = found.chargers.iter().zip(&truth.errors);
    let all: f64 = own
        .map(|(one, error)| (one.error.value - error).abs())
        .sum();
    all / truth.errors.len() as f64
}

/// Lamps of 2 kW from 20 to 5 o'clock.
fn lamps(minute: i64) -> f64 {
    if (300..1200).contains(&(minute % 1440)) {
        0.0
    } else {
        2.0
    }
}

#[test]
fn lamps_nobody_told_of_are_found_by_the_hour() {
    let mut truth = month(|_| {});
    load(&mut truth, lamps);
    let found = with(&truth, |_| {});
    assert_eq!(found.load_profile_kw.len(), 24);
    for (hour, known) in found.load_profile_kw.iter().enumerate() {
        // By the clock in Shanghai.
        let from = (hour as i64 + 8) % 24 * 60;
        let minutes = (from..from + 60).map(lamps).sum::<f64>();
        let kw = truth.plan.fixed_kw + minutes / 60.0;
        let apart = (known.value - kw).abs();
        assert!(
            apart < 4.0 * known.u && known.u < 0.1,
            "{hour}: {known:?} for {kw}"
        );
    }
    // Fixed load and load by night remain the means of day and night.
    let by_day = found.load_profile_kw.iter().cycle().skip(22).take(12);
    let mean = by_day.map(|known| known.value).sum::<f64>() / 12.0;
    assert!((mean - found.fixed_load_kw.value).abs() < 1e-3);
    let night = found.night_load_kw.unwrap().value;
    let by_night = found.load_profile_kw.iter().skip(10).take(12);
    let mean = by_night.map(|known| known.value).sum::<f64>() / 12.0;
    assert!((mean - found.fixed_load_kw.value - night).abs() < 1e-3);
    let flat = with(&truth, |settings| settings.profile_kw = 0.0);
    assert_eq!(flat.load_profile_kw, []);
}

#[test]
fn errors_are_better_with_the_profile_than_without() {
    let (mut profiled, mut flat) = (0.0, 0.0);
    for seed in 1..=8 {
        let mut truth = month(|plan| plan.seed = seed);
        load(&mut truth, lamps);
        profiled += off(&with(&truth, |_| {}), &truth);
        flat += off(&with(&truth, |settings| settings.profile_kw = 0.0), &truth);
    }
    assert!(profiled < 0.9 * flat, "{profiled} and {flat}");
}

#[test]
fn a_load_that_stands_still_has_a_flat_profile() {
    let truth = month(|_| {});
    let (found, flat) = (
        with(&truth, |_| {}),
        with(&truth, |settings| settings.profile_kw = 0.0),
    );
    for known in &found.load_profile_kw {
        let apart = (known.value - truth.plan.fixed_kw).abs();
        assert!(apart < 4.0 * known.u && known.u < 0.1, "{known:?}");
    }
    for (one, other) in found.chargers.iter().zip(&flat.chargers) {
        assert!((one.error.value - other.error.value).abs() < 0.2 * other.error.u);
        assert!((one.error.u / other.error.u - 1.0).abs() < 0.02);
    }
}

#[test]
fn windows_of_many_hours_leave_the_profile_to_its_prior() {
    let truth = month(|plan| plan.window_minutes = 24 * 60);
    let found = with(&truth, |_| {});
    let flat = with(&truth, |settings| settings.profile_kw = 0.0);
    // A whole day has one hour of each: only the sum is known.
    for known in &found.load_profile_kw {
        assert!(known.u > 0.8, "{known:?}");
    }
    for (one, other) in found.chargers.iter().zip(&flat.chargers) {
        assert!((one.error.value - other.error.value).abs() < 1e-6);
    }
    let four = month(|plan| plan.window_minutes = 4 * 60);
    let found = with(&four, |_| {});
    let sum = |from: usize| -> f64 {
        let hours = &found.load_profile_kw[from..from + 4];
        hours.iter().map(|known| known.value).sum()
    };
    // The blocks of four hours begin at midnight in Shanghai.
    assert!((sum(0) / 4.0 - four.plan.fixed_kw).abs() < 0.5);
}

#[test]
fn a_thermostat_is_noise_of_any_window() {
    let mut truth = month(|_| {});
    let quiet = with(&truth, |_| {});
    load(
        &mut truth,
        |minute| if minute % 37 < 17 { 1.5 } else { 0.0 },
    );
    let found = with(&truth, |_| {});
    let (floor, white) = (found.reference.floor_kwh(), found.reference.white());
    assert!(
        quiet.reference.floor_kwh() < 0.02,
        "{}",
        quiet.reference.floor_kwh()
    );
    assert!((0.05..0.3).contains(&floor), "{floor}");
    assert!(white < 0.002, "{white}");
    for (one, error) in found.chargers.iter().zip(&truth.errors) {
        assert!(
            (one.error.value - error).abs() < 3.5 * one.error.u,
            "{one:?} for {error}"
        );
    }
    let given = with(&truth, |settings| settings.fit_noise = false);
    assert!((given.reference.floor_kwh() - 0.001).abs() < 1e-15);
}

#[test]
fn a_generator_by_day_is_seen_in_its_hours() {
    let mut truth = month(|_| {});
    // As much every day, so that the profile fits it.
    load(&mut truth, |minute| {
        let hour = (minute % 1440) as f64 / 60.0;
        -40.0 * (1.0 - ((hour - 12.5) / 3.0).powi(2)).max(0.0)
    });
    let found = with(&truth, |_| {});
    let names: Vec<&str> = found.findings.iter().map(Finding::name).collect();
    assert!(names.contains(&"generation"), "{names:?}");
}
