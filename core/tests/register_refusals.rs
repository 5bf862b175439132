//! Register mode: what is refused, by which error, leaving the integrator as it was.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod common;

use common::*;
use diantan_core::error::{IntegrationError, ReadingFault};
use diantan_core::register::{RegisterIntegrator, RegisterSettings};

#[test]
fn too_many_intervals_in_one_call_are_refused() {
    let mut meter = with(&RegisterSettings {
        interval_ms: 60_000,
        ..RegisterSettings::default()
    });
    let times: Vec<i64> = (0..9).map(|year| MIDNIGHT + year * 399 * DAY).collect();
    let zeros = vec![0; times.len()];
    let refused = meter.feed(&times, &zeros, &zeros, &schedule(None), false);
    assert!(matches!(
        refused,
        Err(IntegrationError::Reading {
            row: 7,
            fault: ReadingFault::TooManyIntervals(_)
        })
    ));
    assert_eq!(meter.last_time_ms(), None);
    assert_eq!(
        meter
            .feed(
                &times[..6],
                &zeros[..6],
                &zeros[..6],
                &schedule(None),
                false
            )
            .unwrap()
            .intervals
            .len(),
        5 * 399 * 1440
    );
}

#[test]
fn overflow_is_an_error_that_names_the_reading() {
    let mut meter = integrator();
    let huge = i64::MAX;
    let t = MIDNIGHT;
    let refused = meter.feed(
        &[t, t + 1, t + 2],
        &[huge, 0, huge],
        &[0; 3],
        &schedule(None),
        false,
    );
    assert_eq!(
        refused.unwrap_err(),
        IntegrationError::Reading {
            row: 2,
            fault: ReadingFault::EnergyOverflow("forward")
        }
    );
    let refused = meter.feed(
        &[t, t + QUARTER],
        &[0, huge],
        &[0; 2],
        &schedule(Some(u32::MAX)),
        false,
    );
    assert_eq!(
        refused.unwrap_err(),
        IntegrationError::Reading {
            row: 1,
            fault: ReadingFault::CarbonOverflow("forward")
        }
    );
    assert_eq!(meter.last_time_ms(), None);
}

#[test]
fn bad_settings_are_named() {
    let base = RegisterSettings::default();
    for (settings, name) in [
        (
            RegisterSettings {
                interval_ms: 0,
                ..base
            },
            "interval_ms",
        ),
        (
            RegisterSettings {
                interval_ms: 30_000,
                ..base
            },
            "interval_ms",
        ),
        (
            RegisterSettings {
                interval_ms: 420_000,
                ..base
            },
            "interval_ms",
        ),
        (
            RegisterSettings {
                rollover_mwh: Some(0),
                ..base
            },
            "rollover_mwh",
        ),
        (
            RegisterSettings {
                max_power_mw: Some(-1),
                ..base
            },
            "max_power_mw",
        ),
        (
            RegisterSettings {
                measured_gap_ms: -1,
                ..base
            },
            "measured_gap_ms",
        ),
        (
            RegisterSettings {
                resolution_mwh: -1,
                ..base
            },
            "resolution_mwh",
        ),
    ] {
        assert!(
            RegisterIntegrator::new(&settings)
                .unwrap_err()
                .to_string()
                .starts_with(name)
        );
    }
    let zone = RegisterIntegrator::new(&RegisterSettings {
        timezone: "Asia/Nowhere",
        ..base
    });
    assert!(matches!(zone, Err(IntegrationError::TimeZone { .. })));
}
