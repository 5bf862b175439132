//! What the integration tests share: readings, factors and settings, made by hand or by proptest.
#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "every test file uses a part of it"
)]

use diantan_core::quantity::Factor;
use diantan_core::record::{Closed, Direction, Event, EventKind};
use diantan_core::register::{RegisterIntegrator, RegisterSettings};
use diantan_core::schedule::FactorSchedule;
use proptest::collection::vec;
use proptest::prelude::*;

/// 2025-12-31T16:00Z: midnight of 2026-01-01 in Shanghai.
pub const MIDNIGHT: i64 = 1_767_196_800_000;
pub const QUARTER: i64 = 900_000;
pub const DAY: i64 = 86_400_000;

pub fn factor(mg: u32) -> Factor {
    Factor::from_mg_per_kwh(mg)
}

pub fn schedule(default: Option<u32>) -> FactorSchedule {
    FactorSchedule::new(QUARTER, default.map(Factor::from_mg_per_kwh), None).unwrap()
}

pub fn integrator() -> RegisterIntegrator {
    RegisterIntegrator::new(&RegisterSettings::default()).unwrap()
}

pub fn with(settings: &RegisterSettings) -> RegisterIntegrator {
    RegisterIntegrator::new(settings).unwrap()
}

/// Feed (time, forward) readings with a reverse register that stays at 0.
pub fn feed(
    meter: &mut RegisterIntegrator,
    readings: &[(i64, i64)],
    factors: &FactorSchedule,
) -> Closed {
    let times: Vec<i64> = readings.iter().map(|r| r.0).collect();
    let forward: Vec<i64> = readings.iter().map(|r| r.1).collect();
    let reverse = vec![0; readings.len()];
    meter
        .feed(&times, &forward, &reverse, factors, false)
        .unwrap()
}

pub fn event(
    time_ms: i64,
    kind: EventKind,
    direction: Direction,
    before: i64,
    after: i64,
) -> Event {
    Event {
        time_ms,
        kind,
        direction,
        before,
        after,
    }
}

#[derive(Debug, Clone, Default)]
pub struct Readings {
    pub times: Vec<i64>,
    pub forward: Vec<i64>,
    pub reverse: Vec<i64>,
}

/// Readings with steps from a millisecond to a day, some of them falling or not rising in time.
pub fn readings() -> impl Strategy<Value = Readings> {
    let span = prop_oneof![
        6 => 1_i64..120_000,
        3 => 100_000_i64..2_000_000,
        1 => 2_000_000_i64..DAY,
        1 => Just(QUARTER),
        1 => -1000_i64..=0,
    ];
    let rise = prop_oneof![8 => 0_i64..5_000_000, 1 => Just(0), 1 => -9_000_000_i64..0];
    let step = (span, rise.clone(), rise);
    (0..3 * DAY, 0_i64..20_000_000, vec(step, 0..60)).prop_map(|(offset, start, steps)| {
        let mut readings = Readings::default();
        let (mut time, mut forward, mut reverse) = (MIDNIGHT + offset, start, start / 2);
        for (span, forth, back) in steps {
            readings.times.push(time);
            readings.forward.push(forward);
            readings.reverse.push(reverse);
            time += span;
            forward = (forward + forth).max(0);
            reverse = (reverse + back).max(0);
        }
        readings
    })
}

pub fn factors() -> impl Strategy<Value = FactorSchedule> {
    let entry = (
        0_i64..400,
        proptest::option::weighted(0.9, 0_u32..1_000_000),
    );
    (
        vec(entry, 0..40),
        proptest::option::of(0_u32..1_000_000),
        proptest::option::of(0..DAY),
    )
        .prop_map(|(entries, default, hold)| {
            let mut schedule =
                FactorSchedule::new(QUARTER, default.map(Factor::from_mg_per_kwh), hold).unwrap();
            for (slot, mg) in entries {
                schedule
                    .set(MIDNIGHT + slot * QUARTER, mg.map(Factor::from_mg_per_kwh))
                    .unwrap();
            }
            schedule
        })
}

pub fn settings() -> impl Strategy<Value = RegisterSettings<'static>> {
    (
        prop_oneof![Just(60_000_i64), Just(300_000), Just(900_000)],
        prop_oneof![
            Just("Asia/Shanghai"),
            Just("Asia/Kolkata"),
            Just("Europe/Berlin")
        ],
        proptest::option::of(Just(25_000_000_i64)),
        proptest::option::of(100_000_000_i64..10_000_000_000),
    )
        .prop_map(
            |(interval_ms, timezone, rollover_mwh, max_power_mw)| RegisterSettings {
                interval_ms,
                timezone,
                rollover_mwh,
                max_power_mw,
                ..RegisterSettings::default()
            },
        )
}

pub fn append(whole: &mut Closed, part: Closed) {
    whole.intervals.extend(part.intervals.iter());
    whole.freezes.extend(part.freezes);
    whole.events.extend(part.events);
}
