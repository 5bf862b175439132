//! What the master counts and no charger does: loads, missing records, generation and storage are named.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "tests; small numbers"
)]

mod estimation_judged;
mod estimation_truth;

use diantan_core::estimation::Finding;
use estimation_judged::{month, names, nobody_decided};
use estimation_truth::Station;

/// Add a power to what the master counts.
fn load(truth: &mut Station, kw: impl Fn(f64) -> f64) {
    let mut sum = 0.0;
    for (place, cell) in truth.master.iter_mut().enumerate() {
        *cell += sum;
        sum += kw(place as f64 * 0.25) * 0.25;
    }
}

#[test]
fn a_load_that_no_charger_counts() {
    let mut truth = month(|_| {});
    // A kitchen: 60 kW from 11 to 14 h and from 17 to 21 h on most days.
    load(&mut truth, |hour| {
        let (day, hour) = ((hour / 24.0).floor(), hour % 24.0);
        let open = (11.0..14.0).contains(&hour) || (17.0..21.0).contains(&hour);
        if open && day % 5.0 > 0.5 { 60.0 } else { 0.0 }
    });
    let found = truth.estimate();
    let told = found
        .findings
        .iter()
        .find(|finding| matches!(finding, Finding::UnexplainedLoad { .. }));
    let Some(Finding::UnexplainedLoad { share, kw }) = told else {
        panic!("{:?}", found.findings);
    };
    assert!(*share > 0.03 && (30.0..90.0).contains(kw), "{share} {kw}");
    nobody_decided(&found);
}

#[test]
fn missing_records_of_chargers_are_an_unexplained_load() {
    let mut truth = month(|_| {});
    // For four days nothing of chargers 0 to 3 was recorded, and their registers begin anew where they were.
    let gap = (10 * 96, 14 * 96);
    for register in truth.registers.iter_mut().take(4) {
        let lost = register[gap.1] - register[gap.0];
        let from = register[gap.0];
        for (place, kwh) in register.iter_mut().enumerate().skip(gap.0) {
            *kwh = if place < gap.1 { from } else { *kwh - lost };
        }
    }
    let found = truth.estimate();
    assert!(
        names(&found).contains(&"unexplained_load"),
        "{:?}",
        found.findings
    );
    nobody_decided(&found);
}

#[test]
fn generation_behind_the_master() {
    // Large enough to turn the master backwards, and too small for that.
    for peak in [60.0, 25.0] {
        let mut truth = month(|_| {});
        load(&mut truth, |hour| {
            let (day, hour) = ((hour / 24.0).floor(), hour % 24.0);
            let sun = (std::f64::consts::PI * (hour - 6.0) / 12.0).sin().max(0.0);
            let cloud = 0.4 + 0.6 * ((day * 2.39).sin().abs());
            if (6.0..18.0).contains(&hour) {
                -peak * sun * cloud
            } else {
                0.0
            }
        });
        let found = truth.estimate();
        assert!(
            names(&found).contains(&"generation"),
            "{peak}: {:?}",
            found.findings
        );
        nobody_decided(&found);
    }
}

#[test]
fn storage_behind_the_master() {
    let mut truth = month(|_| {});
    load(&mut truth, |hour| match hour % 24.0 {
        1.0..5.0 => 50.0,
        14.0..18.0 => -45.0,
        _ => 0.0,
    });
    let found = truth.estimate();
    let told = names(&found);
    assert!(
        told.contains(&"generation") || told.contains(&"unexplained"),
        "{:?}",
        found.findings
    );
    nobody_decided(&found);
}
