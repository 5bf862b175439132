//! Error estimation of stations of known truth: errors, clocks, anchors and load within their uncertainty.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod estimation_truth;

use diantan_core::estimation::{Decision, Known, Reason, Settings, Windows, estimate};
use estimation_truth::{MIDNIGHT, MINUTE, station};

#[test]
fn errors_are_found_within_their_uncertainty() {
    let (mut inside, mut count, mut sum) = (0, 0, 0.0);
    for seed in 1..=8 {
        let truth = station(|plan| {
            plan.seed = seed;
            plan.load_dependence = 0.001;
        });
        let found = truth.estimate();
        assert!(found.findings.is_empty(), "{:?}", found.findings);
        for (estimate, error) in found.chargers.iter().zip(&truth.errors) {
            let apart = estimate.error.value - error;
            sum += apart.abs();
            count += 1;
            inside += i32::from(apart.abs() < 1.96 * estimate.error.u);
            assert!(
                apart.abs() < 5.0 * estimate.error.u,
                "{apart} beyond {}",
                estimate.error.u
            );
            let flagged = estimate.decision == Decision::Flag;
            assert_eq!(flagged, error.abs() > 0.025, "{error}: {estimate:?}");
        }
        let u_common = found.u_common;
        assert!(
            found
                .chargers
                .iter()
                .all(|one| one.u_common <= 1.1 * u_common && one.u_own < one.error.u)
        );
    }
    let mean = sum / f64::from(count);
    assert!(mean < 0.0013, "mean absolute error {mean}");
    assert!(inside * 100 >= count * 85, "{inside} of {count}");
}

#[test]
fn clock_offsets_are_found_and_cost_little() {
    let truth = station(|plan| {
        plan.seed = 5;
        plan.offset_sd_s = 90.0;
    });
    let found = truth.estimate();
    for ((estimate, error), offset) in found
        .chargers
        .iter()
        .zip(&truth.errors)
        .zip(&truth.offsets_s)
    {
        let own = estimate.offset_s.unwrap();
        assert!((own.value - offset).abs() < 3.0, "{offset} s: {own:?}");
        assert!(
            (estimate.error.value - error).abs() < 0.005,
            "{error}: {:?}",
            estimate.error
        );
    }
    let mut settings = truth.settings();
    settings.fit_offsets = false;
    let plain = estimate(&settings, &truth.chargers(), &truth.windows()).unwrap();
    let worst = |found: &diantan_core::estimation::Estimation| {
        let apart = found
            .chargers
            .iter()
            .zip(&truth.errors)
            .map(|(one, error)| (one.error.value - error).abs());
        apart.sum::<f64>()
    };
    assert!(
        worst(&plain) > 1.5 * worst(&found),
        "{} and {}",
        worst(&plain),
        worst(&found)
    );
    assert!(plain.chargers[0].offset_s.is_none());
}

#[test]
fn gross_errors_and_missing_readings_cost_little() {
    let truth = station(|plan| {
        plan.gross = (0.01, 5.0);
        plan.missing = 0.2;
    });
    let found = truth.estimate();
    assert!(found.windows < 2_400, "{}", found.windows);
    let light = found
        .residuals
        .weight
        .iter()
        .filter(|weight| **weight < 0.2)
        .count();
    assert!((10..60).contains(&light), "{light}");
    assert_eq!(found.residuals.plain_kwh.len() as u64, found.windows);
    for (estimate, error) in found.chargers.iter().zip(&truth.errors) {
        assert!(
            (estimate.error.value - error).abs() < 4.0 * estimate.error.u,
            "{error}: {estimate:?}"
        );
    }
}

#[test]
fn a_certificate_and_verified_chargers_settle_what_the_balance_can_not() {
    let truth = station(|plan| {
        plan.seed = 9;
        plan.cohort = 0.004;
        plan.altered = Vec::new();
    });
    let apart = |found: &diantan_core::estimation::Estimation| {
        let all = found
            .chargers
            .iter()
            .zip(&truth.errors)
            .map(|(one, error)| one.error.value - error);
        (all.sum::<f64>() / 20.0).abs()
    };
    let believed = Settings {
        cohort_sd: 0.001,
        ..truth.settings()
    };
    let plain = estimate(&believed, &truth.chargers(), &truth.windows()).unwrap();
    let mut settings = believed.clone();
    settings.gain = Known {
        value: truth.gain,
        u: 0.0005,
    };
    let certified = estimate(&settings, &truth.chargers(), &truth.windows()).unwrap();
    let expecting = Settings {
        cohort_mean: 0.004,
        cohort_sd: 0.0005,
        ..truth.settings()
    };
    let expecting = estimate(&expecting, &truth.chargers(), &truth.windows()).unwrap();
    assert!(
        apart(&expecting) < 0.4 * apart(&plain),
        "{} {}",
        apart(&expecting),
        apart(&plain)
    );
    assert!(expecting.u_common < 0.8 * plain.u_common);
    let mut chargers = truth.chargers();
    for number in [2, 7, 13] {
        chargers[number].verified = Some(Known {
            value: truth.errors[number],
            u: 0.001,
        });
    }
    let anchored = estimate(&believed, &chargers, &truth.windows()).unwrap();
    assert!(plain.u_common > 0.0009, "{}", plain.u_common);
    for better in [&certified, &anchored] {
        assert!(
            better.u_common < 0.75 * plain.u_common,
            "{} of {}",
            better.u_common,
            plain.u_common
        );
        assert!(
            apart(better) < 0.7 * apart(&plain),
            "{} of {}",
            apart(better),
            apart(&plain)
        );
    }
    assert!((anchored.chargers[7].error.value - truth.errors[7]).abs() < 0.0015);
}

#[test]
fn what_a_charger_was_before_its_meter_changed_is_told_apart() {
    let first = station(|plan| {
        plan.days = 20;
        plan.altered = vec![(4, 0.04)];
        plan.sessions_known = false;
    });
    let second = station(|plan| {
        plan.days = 20;
        plan.altered = vec![(4, 0.0)];
        plan.sessions_known = false;
    });
    // The same truth but for one meter, one after the other.
    let shift = 20 * 1440 * MINUTE;
    let mut times = first.times_ms.clone();
    times.extend(second.times_ms.iter().skip(1).map(|ms| ms + shift));
    let join = |a: &[f64], b: &[f64]| {
        let last = a[a.len() - 1];
        let later = b.iter().skip(1).map(|value| value + last - b[0]);
        a.iter().copied().chain(later).collect::<Vec<f64>>()
    };
    let master = join(&first.master, &second.master);
    let registers: Vec<Vec<f64>> = first
        .registers
        .iter()
        .zip(&second.registers)
        .map(|(a, b)| join(a, b))
        .collect();
    let columns: Vec<&[f64]> = registers.iter().map(Vec::as_slice).collect();
    let windows = Windows::from_registers(&times, &master, &columns).unwrap();
    let mut chargers = first.chargers();
    chargers[4].from_ms = Some(MIDNIGHT + shift);
    let found = estimate(&first.settings(), &chargers, &windows).unwrap();
    let (now, before) = (&found.chargers[4], &found.earlier[0]);
    assert_eq!((found.earlier.len(), before.charger), (1, 4));
    assert_eq!(
        (now.decision, before.decision),
        (Decision::Clear, Decision::Flag)
    );
    assert!(
        (before.error.value - 0.04).abs() < 4.0 * before.error.u,
        "{before:?}"
    );
    assert!(now.error.value.abs() < 4.0 * now.error.u, "{now:?}");
}

#[test]
fn chargers_metered_at_their_output_need_their_conversion() {
    let truth = station(|plan| plan.conversion = Some((0.05, 0.002, 0.2)));
    let found = truth.estimate();
    let conversion = found.conversion.unwrap();
    assert!(
        (conversion.value - 0.05).abs() < 3.0 * conversion.u,
        "{conversion:?}"
    );
    for (estimate, error) in found.chargers.iter().zip(&truth.errors) {
        assert!(
            (estimate.error.value - error).abs() < 4.0 * estimate.error.u,
            "{error}: {estimate:?}"
        );
        assert!(estimate.error.u > 0.0015, "{estimate:?}");
    }
}

#[test]
fn without_enough_data_the_prior_stands_and_nothing_is_decided() {
    let truth = station(|plan| {
        plan.days = 1;
        plan.sessions_per_day = 1.0;
    });
    let found = truth.estimate();
    for estimate in &found.chargers {
        if estimate.active_windows == 0 {
            assert_eq!(estimate.reason, Some(Reason::NeverCharged));
            assert!(
                estimate.error.value.abs() < 0.002 && estimate.error.u > 0.005,
                "{estimate:?}"
            );
        }
    }
    let none = estimate(&truth.settings(), &truth.chargers(), &Windows::empty(20)).unwrap();
    assert!(
        none.chargers
            .iter()
            .all(|one| one.reason == Some(Reason::NeverCharged))
    );
    assert_eq!((none.windows, none.span_ms), (0, None));
}

#[test]
fn errors_that_change_with_load_are_told_with_their_uncertainty() {
    let mut beyond = [0, 0];
    for seed in 21..24 {
        let truth = station(|plan| {
            plan.seed = seed;
            plan.load_dependence = if seed == 22 { 0.0007 } else { -0.0007 };
        });
        let middle = f64::midpoint(truth.plan.power_kw.0, truth.plan.power_kw.1);
        for (place, curve_sd) in [0.0, Settings::default().curve_sd].into_iter().enumerate() {
            let settings = Settings {
                // As certain as a certificate makes it: nothing else hides what load does.
                gain: Known {
                    value: truth.gain,
                    u: 0.0002,
                },
                cohort_sd: 0.0002,
                curve_sd,
                ..truth.settings()
            };
            let found = estimate(&settings, &truth.chargers(), &truth.windows()).unwrap();
            for ((one, error), power) in found.chargers.iter().zip(&truth.errors).zip(&truth.power)
            {
                let energy: f64 = power.iter().sum();
                let squares: f64 = power.iter().map(|kw| kw * kw).sum();
                let mean = truth.plan.load_dependence * (squares / energy / middle - 1.0);
                let apart = (one.error.value - error - mean).abs();
                beyond[place] += u32::from(apart > 1.96 * one.error.u);
            }
        }
    }
    assert!(beyond[1] <= 4, "{beyond:?} of 60");
    assert!(beyond[0] > 2 * beyond[1], "{beyond:?}");
}
