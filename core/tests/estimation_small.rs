//! A few chargers behind one master: one that is not what it is taken for says nothing of the others.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a test fails loudly; small numbers"
)]

mod estimation_truth;

use diantan_core::estimation::{Decision, Known, Reason, estimate};
use estimation_truth::{Station, station};

fn small(chargers: usize, seed: u64) -> Station {
    station(|plan| {
        plan.seed = seed;
        plan.days = 14;
        plan.chargers = chargers;
        plan.altered = Vec::new();
    })
}

/// What its last charger may be.
type Spoil = (&'static str, fn(&mut Station));

const SPOILS: [Spoil; 3] = [
    ("reversed", |truth| last(truth, |kwh| -kwh)),
    ("twice", |truth| last(truth, |kwh| 2.0 * kwh)),
    ("not behind the master", |truth| {
        if let Some(own) = truth.registers.last() {
            for (master, kwh) in truth.master.iter_mut().zip(own) {
                *master -= kwh;
            }
        }
    }),
];

fn last(truth: &mut Station, change: fn(f64) -> f64) {
    for kwh in truth.registers.last_mut().into_iter().flatten() {
        *kwh = change(*kwh);
    }
}

#[test]
fn one_that_is_not_what_it_is_taken_for_moves_no_other_of_two_to_four() {
    for chargers in 2..=4 {
        for seed in 1..=3 {
            let sound = small(chargers, seed).estimate();
            for (what, spoil) in SPOILS {
                let mut truth = small(chargers, seed);
                spoil(&mut truth);
                let found = truth.estimate();
                let others = found.chargers.iter().zip(&sound.chargers);
                for (with, without) in others.take(chargers - 1) {
                    let moved = with.error.value - without.error.value;
                    assert!(
                        moved.abs() < 0.0025,
                        "{what} {chargers} {seed}: {moved} {with:?}"
                    );
                }
                assert_eq!(
                    found.chargers[chargers - 1].decision,
                    Decision::Undetermined
                );
            }
        }
    }
}

/// The loss of branches without a design is guessed from what flowed, whichever way it was counted.
#[test]
fn losses_are_guessed_from_what_a_reversed_charger_took_too() {
    let guessed = |seed: u64, turn: bool| {
        let mut truth = station(|plan| {
            plan.seed = seed;
            plan.days = 7;
            plan.chargers = 2;
            plan.altered = Vec::new();
            plan.designed = false;
        });
        if turn {
            last(&mut truth, |kwh| -kwh);
        }
        truth.estimate().chargers[0].branch_loss
    };
    for seed in 1..=6 {
        let (straight, turned) = (guessed(seed, false), guessed(seed, true));
        assert!(
            (turned.u / straight.u - 1.0).abs() < 0.3,
            "{seed}: {straight:?} {turned:?}"
        );
    }
}

/// A verification holds of what a charger is: what it was before, without any charge, is known by nothing.
#[test]
fn what_a_verified_charger_was_before_is_not_decided_without_data() {
    let truth = small(3, 1);
    let mut chargers = truth.chargers();
    chargers[0].from_ms = truth.times_ms.get(1).copied();
    chargers[0].verified = Some(Known {
        value: truth.errors[0],
        u: 0.0005,
    });
    chargers[0].class_limit = 0.04;
    let found = estimate(&truth.settings(), &chargers, &truth.windows()).unwrap();
    assert_eq!(found.chargers[0].decision, Decision::Clear);
    assert_eq!(found.earlier[0].decision, Decision::Undetermined);
    assert_eq!(found.earlier[0].reason, Some(Reason::LittleData));
}
