//! The level of the chargers against the master is judged by what each is known to lose before its meter.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails loudly; small numbers"
)]

mod estimation_truth;

use diantan_core::estimation::{Charger, Decision, Estimation, Known, Settings, estimate};
use estimation_truth::{Station, station};

const LOST: f64 = 0.03;

/// Some chargers lose so much more before their meters.
fn losing(chargers: std::ops::Range<usize>) -> Station {
    let mut truth = station(|plan| {
        plan.days = 14;
        plan.chargers = 10;
        plan.altered = vec![(3, 0.04)];
    });
    for (register, error) in truth
        .registers
        .iter()
        .zip(&truth.errors)
        .skip(chargers.start)
        .take(chargers.len())
    {
        for (master, kwh) in truth.master.iter_mut().zip(register) {
            *master += LOST * kwh / (1.0 + error);
        }
    }
    truth
}

fn judged(truth: &Station, change: impl Fn(&mut Settings, &mut [Charger])) -> Estimation {
    let (mut settings, mut chargers) = (truth.settings(), truth.chargers());
    change(&mut settings, &mut chargers);
    estimate(&settings, &chargers, &truth.windows()).unwrap()
}

fn named(found: &Estimation, name: &str) -> bool {
    found.findings.iter().any(|finding| finding.name() == name)
}

#[test]
fn what_an_uneven_load_is_known_to_lose_is_no_wrong_ratio() {
    let truth = losing(0..10);
    let told = judged(&truth, |_, chargers| {
        for charger in chargers {
            charger.uneven_loss = Some(Known {
                value: LOST,
                u: 0.002,
            });
        }
    });
    assert!(!named(&told, "gain"), "{:?}", told.findings);
    assert_eq!(told.chargers[3].decision, Decision::Flag);
    assert!(
        told.chargers
            .iter()
            .all(|one| one.charger == 3 || one.decision == Decision::Clear)
    );
    assert!(named(&judged(&truth, |_, _| {}), "gain"));
}

#[test]
fn one_charger_metered_at_its_output_moves_the_level_of_no_other() {
    let told = judged(&losing(0..1), |settings, chargers| {
        settings.conversion = Known {
            value: LOST,
            u: 0.002,
        };
        chargers[0].dc_output = true;
    });
    assert!(!named(&told, "gain"), "{:?}", told.findings);
    assert_eq!(told.chargers[3].decision, Decision::Flag);
}

/// A ratio that is wrong is as wrong beside one whose conversion is hardly known.
#[test]
fn one_charger_metered_at_its_output_hides_no_wrong_ratio() {
    let mut truth = losing(0..1);
    for kwh in &mut truth.master {
        *kwh *= 1.08;
    }
    let found = judged(&truth, |_, chargers| chargers[0].dc_output = true);
    assert!(named(&found, "gain"), "{:?}", found.findings);
}
