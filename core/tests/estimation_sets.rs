//! Which chargers are altered, all of them together: probabilities are right where few and noisy windows leave it open.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "tests; small numbers"
)]

mod estimation_truth;

use diantan_core::estimation::{
    ChargerEstimate, Decision, Finding, Reason, estimate, nonconformity,
};
use estimation_truth::{Dice, Plan, Station, station};

const LIMIT: f64 = 0.02;

/// A station of a day whose readings jitter by far more than anyone told; chargers are altered as the prior says.
fn noisy(seed: u64, jitter_s: f64) -> Station {
    let mut dice = Dice(seed + 1000);
    let mut altered = Vec::new();
    for charger in 0..10 {
        if dice.unit() < 0.1 {
            altered.push((charger, 0.03 * dice.normal()));
        }
    }
    station(|plan: &mut Plan| {
        plan.seed = seed;
        plan.chargers = 10;
        plan.days = 1;
        plan.jitter_s = jitter_s;
        plan.altered = altered;
    })
}

/// All chargers of many stations with their true errors.
fn many(stations: u64, jitter_s: f64) -> Vec<(ChargerEstimate, f64)> {
    let numbers = 1..=stations;
    let all = numbers.flat_map(|seed| {
        let truth = noisy(seed, jitter_s);
        let found = truth.estimate();
        found.chargers.into_iter().zip(truth.errors)
    });
    all.collect()
}

/// Settled one by one, 3 are beyond in the first bin, of which 0.04 is said.
#[test]
fn as_many_are_beyond_as_is_said() {
    let all = many(150, 10.0);
    let bins = [
        (0.0, 0.001),
        (0.001, 0.01),
        (0.01, 0.05),
        (0.05, 0.2),
        (0.2, 0.8),
    ];
    for (low, high) in bins {
        let inside = || {
            all.iter()
                .filter(|(one, _)| (low..high).contains(&one.probability))
        };
        let said: f64 = inside().map(|(one, _)| one.probability).sum();
        let is = inside().filter(|(_, error)| error.abs() > LIMIT).count() as f64;
        assert!(inside().count() > 30, "{low} to {high}");
        let most = 3.0 * (said + 0.1).sqrt();
        assert!(
            (is - said).abs() < most,
            "{low} to {high}: {said} said, {is} are"
        );
    }
}

/// One that is either sound or far off is not near its mean: the probability is that of the parts.
#[test]
fn a_probability_is_that_of_the_parts() {
    let all = many(60, 20.0);
    let apart = all.iter().filter(|(one, _)| {
        let normal = nonconformity(one.error.value, one.error.u, LIMIT);
        (one.probability - normal).abs() > 0.1
    });
    assert!(apart.count() > 0);
    for (one, _) in &all {
        assert!((0.0..=1.0 + 1e-9).contains(&one.probability), "{one:?}");
        assert!(one.error.u > 0.0 && one.error.u.is_finite());
    }
}

/// The same readings with the chargers in another order say the same of each.
#[test]
fn the_order_of_the_chargers_does_not_matter() {
    let truth = noisy(7, 15.0);
    let mut turned = noisy(7, 15.0);
    turned.registers.reverse();
    turned.sessions.reverse();
    let found = truth.estimate();
    let again = turned.estimate();
    for (one, other) in found.chargers.iter().zip(again.chargers.iter().rev()) {
        let apart = (one.error.value - other.error.value).abs();
        assert!(apart < 1e-3 * one.error.u, "{one:?} {other:?}");
        assert!((one.probability - other.probability).abs() < 1e-3);
    }
}

#[test]
fn few_windows_that_contradict_each_other_accuse_nobody() {
    let plan = |plan: &mut Plan| {
        plan.chargers = 10;
        plan.days = 2;
        plan.altered = vec![(3, 0.035)];
    };
    let mut truth = station(plan);
    assert_eq!(truth.estimate().chargers[3].decision, Decision::Flag);
    // A load that comes and goes, which nobody tells of, and noise that is as stated.
    let mut extra = 0.0;
    for (place, kwh) in truth.master.iter_mut().enumerate() {
        extra += if place % 5 == 0 { 0.3 } else { 0.0 };
        *kwh += extra;
    }
    let mut settings = truth.settings();
    settings.fit_noise = false;
    let found = estimate(&settings, &truth.chargers(), &truth.windows()).unwrap();
    assert!(found.chi_square > 1.6 && found.windows > found.unknowns as u64);
    let few = |finding: &Finding| matches!(finding, Finding::FewWindows { .. });
    assert!(found.findings.iter().any(few), "{:?}", found.findings);
    for one in &found.chargers {
        assert_eq!(one.decision, Decision::Undetermined);
        assert!(one.reason.is_some());
    }
    assert_eq!(found.chargers[3].reason, Some(Reason::FewWindows));
}
