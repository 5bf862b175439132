//! Register mode: how intervals are cut, judged, given a factor, and frozen.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod common;

use common::*;
use diantan_core::record::{FreezeKind, Quality};
use diantan_core::schedule::{FactorQuality, FactorSchedule};

#[test]
fn a_step_over_three_intervals_is_split_by_time() {
    let mut meter = integrator();
    let closed = feed(
        &mut meter,
        &[(MIDNIGHT, 0), (MIDNIGHT + 2 * QUARTER + 1, 1000)],
        &schedule(Some(500_000)),
    );
    let parts: Vec<i64> = closed.intervals.iter().map(|row| row.forward_mwh).collect();
    assert_eq!(parts, [499, 500]);
    assert_eq!(meter.forward_mwh(), 1000);
    assert!(
        closed
            .intervals
            .iter()
            .all(|row| row.quality == Quality::Estimated && row.readings == 0)
    );
}

#[test]
fn qualities_follow_readings_and_gaps() {
    let mut meter = integrator();
    let minutes = |minute: i64| (MIDNIGHT + minute * 60_000, minute * 10);
    let mut readings: Vec<(i64, i64)> = (1..=31).map(minutes).collect();
    readings.extend([minutes(50), minutes(95)]);
    let closed = feed(&mut meter, &readings, &schedule(Some(1)));
    let rows: Vec<(Quality, u32)> = closed
        .intervals
        .iter()
        .map(|row| (row.quality, row.readings))
        .collect();
    assert_eq!(
        rows,
        [
            (Quality::Partial, 15),
            (Quality::Measured, 15),
            (Quality::Interpolated, 1),
            (Quality::Interpolated, 1),
            (Quality::Estimated, 0),
            (Quality::Estimated, 0),
        ]
    );
}

#[test]
fn factors_change_inside_a_gap() {
    let mut factors = schedule(None);
    factors.set(MIDNIGHT, Some(factor(100))).unwrap();
    factors.set(MIDNIGHT + QUARTER, None).unwrap();
    factors
        .set(MIDNIGHT + 2 * QUARTER, Some(factor(300)))
        .unwrap();
    let mut meter = integrator();
    let closed = feed(
        &mut meter,
        &[(MIDNIGHT, 0), (MIDNIGHT + 4 * QUARTER, 4000)],
        &factors,
    );
    let rows: Vec<_> = closed
        .intervals
        .iter()
        .map(|row| (row.factor, row.factor_quality, row.carbon_forward_ug))
        .collect();
    assert_eq!(
        rows,
        [
            (Some(factor(100)), FactorQuality::Dispatched, 100),
            (None, FactorQuality::Undefined, 0),
            (Some(factor(300)), FactorQuality::Dispatched, 300),
            (Some(factor(300)), FactorQuality::Held, 300),
        ]
    );
    assert_eq!(
        (meter.pending_forward_mwh(), meter.carbon_forward_ng()),
        (1000, 700_000)
    );
}

#[test]
fn freezes_stand_at_midnights_and_months() {
    let mut meter = integrator();
    let month = MIDNIGHT + 31 * DAY;
    let closed = feed(
        &mut meter,
        &[
            (month - DAY, 0),
            (month, 2400),
            (month + DAY + 60_000, 2400 + 1441),
        ],
        &schedule(Some(1000)),
    );
    let freezes: Vec<_> = closed
        .freezes
        .iter()
        .map(|f| {
            (
                f.time_ms,
                f.kind,
                f.forward_mwh,
                f.carbon_forward_ug,
                f.quality,
            )
        })
        .collect();
    assert_eq!(
        freezes,
        [
            (month - DAY, FreezeKind::Daily, 0, 0, Quality::Measured),
            (month, FreezeKind::Daily, 2400, 2400, Quality::Measured),
            (month, FreezeKind::Monthly, 2400, 2400, Quality::Measured),
            (
                month + DAY,
                FreezeKind::Daily,
                3840,
                3840,
                Quality::Interpolated
            ),
        ]
    );
}

#[test]
fn shorter_slots_cut_intervals() {
    let mut factors = FactorSchedule::new(300_000, None, None).unwrap();
    factors
        .extend(
            &[MIDNIGHT, MIDNIGHT + 300_000, MIDNIGHT + 600_000],
            &[Some(factor(1)), Some(factor(2)), Some(factor(3))],
        )
        .unwrap();
    let mut meter = integrator();
    let closed = feed(
        &mut meter,
        &[(MIDNIGHT, 0), (MIDNIGHT + QUARTER, 900)],
        &factors,
    );
    let rows: Vec<_> = closed
        .intervals
        .iter()
        .map(|row| (row.duration_ms, row.forward_mwh, row.factor))
        .collect();
    assert_eq!(
        rows,
        [
            (300_000, 300, Some(factor(1))),
            (300_000, 300, Some(factor(2))),
            (300_000, 300, Some(factor(3)))
        ]
    );
    let closed = feed(
        &mut meter,
        &[
            (MIDNIGHT + QUARTER + 1000, 901),
            (MIDNIGHT + 2 * QUARTER, 1000),
        ],
        &schedule(None),
    );
    assert_eq!(
        closed.intervals.len(),
        1,
        "another schedule with longer slots applies from the last reading on"
    );
}

#[test]
fn a_step_of_just_the_measured_gap_is_short() {
    for (span, quality) in [
        (120_000, Quality::Measured),
        (120_001, Quality::Interpolated),
    ] {
        let mut meter = integrator();
        let mut readings: Vec<(i64, i64)> = (0..=6).map(|n| (MIDNIGHT + n * 120_000, n)).collect();
        readings.extend([(MIDNIGHT + 720_000 + span, 7), (MIDNIGHT + QUARTER, 8)]);
        let closed = feed(&mut meter, &readings, &schedule(None));
        assert_eq!(closed.intervals.get(0).unwrap().quality, quality, "{span}");
    }
}
