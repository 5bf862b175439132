//! Power mode: forward less reverse is the net energy exactly, whatever the partition, zero crossings and restarts.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod common;

use common::*;
use diantan_core::error::{IntegrationError, ReadingFault};
use diantan_core::power::{PowerIntegrator, PowerSettings};
use diantan_core::record::{Closed, EventKind, Quality};
use diantan_core::register::RegisterSettings;
use proptest::collection::vec;
use proptest::prelude::*;

const MAX_GAP: i64 = 300_000;

fn meter() -> PowerIntegrator {
    PowerIntegrator::new(&PowerSettings::default()).unwrap()
}

fn samples() -> impl Strategy<Value = (Vec<i64>, Vec<i64>)> {
    let span = prop_oneof![8 => 1_i64..60_000, 3 => 60_000..=MAX_GAP, 1 => MAX_GAP + 1..2_000_000, 1 => -10_i64..=0];
    let power = prop_oneof![6 => -200_000_000_i64..200_000_000, 1 => Just(0), 1 => -5_i64..5];
    (0..DAY, vec((span, power), 0..80)).prop_map(|(offset, steps)| {
        let mut time = MIDNIGHT + offset;
        steps
            .into_iter()
            .map(|(span, power)| {
                time += span;
                (time, power)
            })
            .unzip()
    })
}

proptest! {
    #[test]
    fn net_energy_is_exact((times, power) in samples()) {
        let mut meter = meter();
        meter.feed(&times, &power, &schedule(Some(1))).unwrap();
        // Half mW·ms: (p₀ + p₁)·T of every step that is used.
        let (mut net, mut positive) = (0_i128, 0_i128);
        let mut last: Option<(i64, i64)> = None;
        for (&time, &power) in times.iter().zip(&power) {
            if let Some((before, first)) = last {
                if time <= before {
                    continue;
                }
                if time - before <= MAX_GAP {
                    net += i128::from(first + power) * i128::from(time - before);
                    positive += i128::from(first.max(0) + power.max(0)) * i128::from(time - before);
                }
            }
            last = Some((time, power));
        }
        let quantum = 7_200_000;
        let difference = i128::from(meter.forward_mwh() - meter.reverse_mwh());
        // Each register is floored to 1 mWh; both carry their rest, so the error never grows.
        prop_assert!((difference - net.div_euclid(quantum)).abs() <= 1);
        prop_assert!(i128::from(meter.forward_mwh()) <= positive / quantum);
    }

    #[test]
    fn one_direction_is_exact_to_the_mwh((times, power) in samples()) {
        let forward: Vec<i64> = power.iter().map(|power| power.abs()).collect();
        let reverse: Vec<i64> = forward.iter().map(|power| -power).collect();
        let (mut plus, mut minus) = (meter(), meter());
        plus.feed(&times, &forward, &schedule(None)).unwrap();
        minus.feed(&times, &reverse, &schedule(None)).unwrap();
        prop_assert_eq!(plus.forward_mwh(), minus.reverse_mwh());
        prop_assert_eq!((plus.reverse_mwh(), minus.forward_mwh()), (0, 0));
    }

    #[test]
    fn calls_and_restarts_change_nothing((times, power) in samples(), f in factors(), cut: proptest::sample::Index) {
        let mut whole = meter();
        let expected = whole.feed(&times, &power, &f).unwrap();
        let middle = cut.index(times.len() + 1);
        let mut first = meter();
        let mut parts = first.feed(&times[..middle], &power[..middle], &f).unwrap();
        let mut second = meter();
        second.restore(&first.state()).unwrap();
        append(&mut parts, second.feed(&times[middle..], &power[middle..], &f).unwrap());
        prop_assert_eq!(parts, expected);
        prop_assert_eq!(second.state(), whole.state());
    }

    #[test]
    fn cutting_a_step_in_two_keeps_its_energy(first in -1000_i64..1000, slope in -7_i64..7, half in 1_i64..150_000) {
        // A sample on the line between two others is no news.
        let last = first + 2 * slope * half;
        let (mut one, mut two) = (meter(), meter());
        one.feed(&[MIDNIGHT, MIDNIGHT + 2 * half], &[first, last], &schedule(None)).unwrap();
        let times = [MIDNIGHT, MIDNIGHT + half, MIDNIGHT + 2 * half];
        two.feed(&times, &[first, first + slope * half, last], &schedule(None)).unwrap();
        prop_assert!((one.forward_mwh() - two.forward_mwh()).abs() <= 1);
        prop_assert!((one.reverse_mwh() - two.reverse_mwh()).abs() <= 1);
    }

    #[test]
    fn absurd_numbers_are_refused_and_change_nothing(times in vec(any::<i64>(), 1..5), power in vec(any::<i64>(), 5)) {
        let mut meter = meter();
        meter.feed(&[MIDNIGHT], &[5], &schedule(None)).unwrap();
        let state = meter.state();
        if meter.feed(&times, &power[..times.len()], &schedule(None)).is_err() {
            prop_assert_eq!(meter.state(), state);
        }
    }
}

fn feed(meter: &mut PowerIntegrator, times: &[i64], power: &[i64]) -> Closed {
    meter.feed(times, power, &schedule(Some(1000))).unwrap()
}

#[test]
fn a_zero_crossing_is_never_netted() {
    // From +60 kW to -60 kW in two minutes: a triangle of 0.5 kWh each way.
    let mut meter = meter();
    feed(
        &mut meter,
        &[MIDNIGHT, MIDNIGHT + 120_000],
        &[60_000_000, -60_000_000],
    );
    assert_eq!(
        (meter.forward_mwh(), meter.reverse_mwh()),
        (500_000, 500_000)
    );
}

#[test]
fn a_crossing_over_a_boundary_is_split_where_it_falls() {
    let start = MIDNIGHT + QUARTER - 60_000;
    let mut meter = meter();
    let closed = feed(
        &mut meter,
        &[start, start + 180_000, start + 180_000 + 300_000],
        &[60_000_000, -120_000_000, -120_000_000],
    );
    // Zero is reached at the boundary, after 60 s.
    assert_eq!(closed.intervals.get(0).unwrap().forward_mwh, 500_000);
    assert_eq!(closed.intervals.get(0).unwrap().reverse_mwh, 0);
    assert_eq!(meter.forward_mwh(), 500_000);
    assert_eq!(meter.reverse_mwh(), 2_000_000 + 10_000_000);
}

#[test]
fn the_rest_is_carried() {
    // 1 mW for a second is a 3600th of a mWh.
    let mut meter = meter();
    let times: Vec<i64> = (0..=7200).map(|second| MIDNIGHT + second * 1000).collect();
    feed(&mut meter, &times, &vec![1; times.len()]);
    assert_eq!(meter.forward_mwh(), 2);
}

#[test]
fn a_gap_is_not_integrated() {
    let mut meter = meter();
    let end = MIDNIGHT + MAX_GAP + 1;
    let closed = feed(
        &mut meter,
        &[
            MIDNIGHT,
            end,
            end + 60_000,
            end + 120_000,
            MIDNIGHT + QUARTER,
        ],
        &[60_000_000; 5],
    );
    assert_eq!(closed.events.len(), 2);
    assert!(
        closed
            .events
            .iter()
            .all(|event| event.kind == EventKind::Gap)
    );
    assert_eq!(closed.intervals.get(0).unwrap().forward_mwh, 2_000_000);
    assert_eq!(closed.intervals.get(0).unwrap().quality, Quality::Partial);
}

#[test]
fn what_can_not_be_integrated_is_refused() {
    let mut meter = meter();
    let refused = meter.feed(&[MIDNIGHT], &[1_000_000_000_001], &schedule(None));
    assert_eq!(
        refused.unwrap_err(),
        IntegrationError::Reading {
            row: 0,
            fault: ReadingFault::Power(1_000_000_000_001)
        }
    );
    assert!(matches!(
        meter.feed(&[MIDNIGHT], &[], &schedule(None)),
        Err(IntegrationError::Lengths { .. })
    ));
    let settings = PowerSettings {
        max_gap_ms: 3_600_001,
        ..PowerSettings::default()
    };
    assert!(PowerIntegrator::new(&settings).is_err());
    assert!(
        meter
            .restore(&with(&RegisterSettings::default()).state())
            .is_err()
    );
}

#[test]
fn the_largest_power_over_the_longest_step_fits() {
    let settings = PowerSettings {
        max_gap_ms: 3_600_000,
        ..PowerSettings::default()
    };
    let mut meter = PowerIntegrator::new(&settings).unwrap();
    let limit = 1_000_000_000_000;
    let times = [MIDNIGHT, MIDNIGHT + 3_600_000, MIDNIGHT + 7_200_000];
    let closed = feed(&mut meter, &times, &[limit, -limit, -limit + 1]);
    assert_eq!(closed.intervals.len(), 8);
    assert_eq!(meter.forward_mwh(), limit / 4);
    assert_eq!(meter.reverse_mwh(), limit / 4 + limit - 1);
}
