//! Chargers and masters that are wired, set or used wrongly are recognised and named, and never get a confident wrong answer.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "tests; small numbers"
)]

mod estimation_judged;
mod estimation_truth;

use diantan_core::estimation::{Decision, Finding, Reason, Suspicion};
use estimation_judged::{honest, month, names, nobody_decided};

#[test]
fn a_sound_station_has_no_findings() {
    let truth = month(|_| {});
    let found = truth.estimate();
    assert_eq!(names(&found), Vec::<&str>::new());
    honest(&found, &truth);
    assert_eq!(found.chargers[2].decision, Decision::Flag);
    assert!(
        found
            .chargers
            .iter()
            .all(|one| one.decision != Decision::Undetermined),
        "{:?}",
        found.chargers
    );
}

#[test]
fn fewer_windows_than_unknowns() {
    let mut truth = month(|plan| plan.days = 1);
    truth.times_ms.truncate(21);
    truth.master.truncate(21);
    for register in &mut truth.registers {
        register.truncate(21);
    }
    let found = truth.estimate();
    assert!(found.findings.iter().any(
        |finding| matches!(finding, Finding::FewWindows { windows: 20, unknowns } if *unknowns > 20)
    ));
    honest(&found, &truth);
    let undetermined = found
        .chargers
        .iter()
        .filter(|one| one.decision == Decision::Undetermined);
    for one in undetermined {
        assert!(
            matches!(one.reason, Some(Reason::FewWindows | Reason::NeverCharged)),
            "{one:?}"
        );
    }
    assert!(found.chargers.iter().all(|one| one.error.u > 0.001));
}

#[test]
fn a_charger_that_never_charged() {
    let mut truth = month(|_| {});
    let idle = vec![17.0; truth.master.len()];
    // The others' windows are not held up by one that was never read.
    for never in [idle, vec![f64::NAN; truth.master.len()]] {
        let own = std::mem::replace(&mut truth.registers[5], never);
        let mut master = truth.master.clone();
        for (cell, kwh) in master.iter_mut().zip(&own) {
            *cell -= kwh / (1.0 + truth.errors[5]);
        }
        let kept = std::mem::replace(&mut truth.master, master);
        let found = truth.estimate();
        assert!(
            found
                .findings
                .contains(&Finding::NeverCharged { charger: 5 }),
            "{:?}",
            found.findings
        );
        let one = &found.chargers[5];
        assert_eq!(
            (one.decision, one.reason),
            (Decision::Undetermined, Some(Reason::NeverCharged))
        );
        assert!(one.error.u > 0.005 && one.identified < 0.01, "{one:?}");
        assert_eq!(found.chargers[2].decision, Decision::Flag);
        honest(&found, &truth);
        truth.master = kept;
        truth.registers[5] = own;
    }
}

#[test]
fn identical_patterns() {
    let mut truth = month(|plan| plan.altered = vec![(2, 0.03)]);
    // Charger 6 counts whenever 2 does, and as much, but for its error.
    let scale = (1.0 + truth.errors[6]) / (1.0 + truth.errors[2]);
    let twin: Vec<f64> = truth.registers[2]
        .iter()
        .map(|kwh| (kwh * scale * 100.0).floor() / 100.0)
        .collect();
    for (master, (old, new)) in truth
        .master
        .iter_mut()
        .zip(truth.registers[6].iter().zip(&twin))
    {
        *master += (new - old) / (1.0 + truth.errors[6]);
    }
    truth.registers[6] = twin;
    let found = truth.estimate();
    let pair = found
        .findings
        .iter()
        .find(|finding| finding.name() == "collinear")
        .unwrap();
    assert_eq!(pair.chargers(), vec![2, 6]);
    for number in [2, 6] {
        let one = &found.chargers[number];
        assert_ne!(one.decision, Decision::Flag, "{one:?}");
        assert!(one.error.u > 0.004, "{one:?}");
        assert!(
            one.reason.is_none_or(|reason| reason == Reason::Collinear),
            "{one:?}"
        );
    }
    assert_eq!(found.chargers[2].decision, Decision::Undetermined);
    honest(&found, &truth);
}

#[test]
fn a_reversed_charger() {
    // Its register runs backwards.
    let mut truth = month(|_| {});
    for kwh in &mut truth.registers[3] {
        *kwh = 50_000.0 - *kwh;
    }
    let found = truth.estimate();
    let told = found.findings.iter().any(|finding| matches!(finding, Finding::Negative { charger: 3, windows, kwh } if *windows > 100 && *kwh > 500.0));
    assert!(told, "{:?}", found.findings);
    assert_eq!(found.chargers[3].decision, Decision::Undetermined);
    assert_eq!(found.chargers[3].reason, Some(Reason::Implausible));
    // It is read the right way round, and its energy was going the other way.
    let mut truth = month(|_| {});
    let own = truth.registers[3].clone();
    for (master, kwh) in truth.master.iter_mut().zip(&own) {
        *master -= 2.0 * kwh;
    }
    let found = truth.estimate();
    let told = found.findings.iter().any(|finding| matches!(finding, Finding::Implausible { charger: 3, suspicion: Suspicion::Reversed, ratio } if (ratio + 1.0).abs() < 0.1));
    let generation = names(&found).contains(&"generation");
    assert!(told || generation, "{:?}", found.findings);
    assert_ne!(found.chargers[3].decision, Decision::Flag);
    honest(&found, &truth);
}

#[test]
fn a_wrong_transformer_ratio_of_the_master() {
    for ratio in [0.5, 0.8, 1.25, 1.5, 2.0, 40.0] {
        let mut truth = month(|_| {});
        for kwh in &mut truth.master {
            *kwh *= ratio;
        }
        let found = truth.estimate();
        let gain = found.findings.iter().find_map(|finding| match finding {
            Finding::Gain { ratio, tension } => Some((*ratio, *tension)),
            _ => None,
        });
        let (told, tension) = gain.unwrap_or_else(|| panic!("{ratio}: {:?}", found.findings));
        assert!(
            (told / ratio - 1.0).abs() < 0.1 && tension > 5.0,
            "{told} for {ratio}"
        );
        assert!(
            !names(&found).contains(&"implausible"),
            "{:?}",
            found.findings
        );
        nobody_decided(&found);
    }
}

#[test]
fn a_wrong_multiplier_of_a_charger() {
    for (multiplier, suspicion) in [
        (2.0, Suspicion::Multiplier),
        (0.5, Suspicion::Multiplier),
        (1e-3, Suspicion::Multiplier),
    ] {
        let mut truth = month(|_| {});
        for kwh in &mut truth.registers[4] {
            *kwh *= multiplier;
        }
        let found = truth.estimate();
        let told = found.findings.iter().any(|finding| matches!(finding, Finding::Implausible { charger: 4, suspicion: other, .. } if *other == suspicion));
        assert!(told, "{multiplier}: {:?}", found.findings);
        assert_eq!(found.chargers[4].reason, Some(Reason::Implausible));
        truth.errors[4] = 0.0;
        honest(&found, &truth);
    }
}

#[test]
fn a_charger_the_master_does_not_see() {
    let mut truth = month(|_| {});
    let own = truth.registers[4].clone();
    for (master, kwh) in truth.master.iter_mut().zip(&own) {
        *master -= kwh / (1.0 + truth.errors[4]);
    }
    let found = truth.estimate();
    let told = found.findings.iter().any(|finding| {
        matches!(
            finding,
            Finding::Implausible {
                charger: 4,
                suspicion: Suspicion::NotBehindMaster,
                ..
            }
        )
    });
    assert!(told, "{:?}", found.findings);
    assert_eq!(found.chargers[4].decision, Decision::Undetermined);
    assert_eq!(found.chargers[2].decision, Decision::Flag);
    honest(&found, &truth);
}

/// What is not what it is taken for says nothing of the master, and so nothing of the others.
#[test]
fn a_reversed_charger_moves_no_other() {
    let sound = month(|_| {}).estimate();
    let mut truth = month(|_| {});
    for kwh in &mut truth.registers[3] {
        *kwh = -*kwh;
    }
    let found = truth.estimate();
    for (number, (with, without)) in found.chargers.iter().zip(&sound.chargers).enumerate() {
        if number != 3 {
            let moved = with.error.value - without.error.value;
            assert!(moved.abs() < 0.0005, "{number}: {moved}");
        }
    }
    assert!((found.trunk_loss.value / sound.trunk_loss.value - 1.0).abs() < 0.01);
}
