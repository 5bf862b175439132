//! Voltages that say nothing, or something else: named, and no harm to the other chargers.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "tests; small numbers"
)]

mod voltage_truth;

use diantan_core::voltage_drop::{DropBranch, DropEstimation, DropMeter, Reason, voltage_drop};
use proptest::prelude::*;
use voltage_truth::{Dice, MIDNIGHT, QUARTER, Supply, supply};

fn month() -> Supply {
    supply(|plan| plan.chargers = 6)
}

/// All but `odd` are right, with no more scatter than they had.
fn others_stay(truth: &Supply, found: &DropEstimation, odd: &[usize]) {
    for (number, (branch, loss)) in found.branches.iter().zip(&truth.losses).enumerate() {
        if odd.contains(&number) {
            continue;
        }
        let off = (branch.loss.unwrap() - loss).abs();
        assert!(
            off < 3.5 * branch.u && branch.u < 0.012 * loss,
            "{number}: {branch:?} for {loss}"
        );
    }
}

/// What is said of charger 2 when it is spoilt; the others must stay.
fn spoilt(spoil: impl FnOnce(&mut Supply)) -> DropBranch {
    let mut truth = month();
    spoil(&mut truth);
    let found = truth.drop();
    others_stay(&truth, &found, &[2]);
    let odd = found.branches[2];
    assert_eq!(odd.loss.is_none(), odd.reason.is_some());
    assert_eq!(odd.loss.is_none(), odd.u.is_infinite());
    odd
}

fn volts(truth: &mut Supply) -> &mut Vec<f64> {
    &mut truth.chargers[2].0[0]
}

fn every(truth: &mut Supply, change: impl Fn(usize, f64) -> f64) {
    for (row, volts) in volts(truth).iter_mut().enumerate() {
        *volts = change(row, *volts);
    }
}

#[test]
fn nothing_known_is_too_few_quarters() {
    let reasons = [
        spoilt(|truth| every(truth, |_, _| f64::NAN)).reason,
        spoilt(|truth| every(truth, |_, _| 0.0)).reason,
        spoilt(|truth| every(truth, |_, volts| -volts)).reason,
        spoilt(|truth| every(truth, |_, _| f64::INFINITY)).reason,
        spoilt(|truth| truth.chargers[2].1.fill(f64::NAN)).reason,
        spoilt(|truth| every(truth, |row, volts| if row < 20 { volts } else { f64::NAN })).reason,
    ];
    assert_eq!(reasons, [Some(Reason::FewQuarters); 6]);
}

#[test]
fn what_never_charged_has_no_loss() {
    for kw in [0.0, 0.03, 7.0] {
        let odd = spoilt(|truth| truth.chargers[2].1.fill(kw));
        assert_eq!(odd.reason, Some(Reason::ConstantPower));
    }
    // One quarter in a month is no session.
    let odd = spoilt(|truth| {
        truth.chargers[2].1.fill(0.03);
        truth.chargers[2].1[1000] = 50.0;
    });
    assert_eq!(odd.reason, Some(Reason::ConstantPower));
}

#[test]
fn a_frozen_voltage_is_none() {
    let odd = spoilt(|truth| every(truth, |_, _| 231.5));
    assert_eq!(odd.reason, Some(Reason::Frozen));
    // Half a week of it is left out, and the rest is used.
    let odd = spoilt(|truth| {
        let stood = 229.0;
        every(truth, |row, volts| {
            if (1000..1330).contains(&row) {
                stood
            } else {
                volts
            }
        });
    });
    let truth = month();
    assert!(
        (odd.loss.unwrap() - truth.losses[2]).abs() < 3.5 * odd.u,
        "{odd:?}"
    );
    assert!(odd.quarters < truth.drop().branches[2].quarters - 300);
}

#[test]
fn a_direct_voltage_follows_no_bus() {
    let mut dice = Dice(3);
    let odd = spoilt(|truth| {
        let kw = truth.chargers[2].1.clone();
        for (volts, kw) in volts(truth).iter_mut().zip(kw) {
            *volts = if kw > 1.0 {
                dice.between(300.0, 800.0)
            } else {
                0.0
            };
        }
    });
    assert!(
        matches!(odd.reason, Some(Reason::Voltage | Reason::Scatter)),
        "{odd:?}"
    );
    // Vehicles of one make: a voltage that rises with the charge.
    let odd = spoilt(|truth| {
        let cells = volts(truth).iter_mut().enumerate();
        for (row, volts) in cells {
            *volts = 350.0 + 12.0 * ((row % 7) as f64);
        }
    });
    assert_eq!(odd.reason, Some(Reason::Scatter));
}

#[test]
fn a_change_of_unit_is_taken_by_its_day() {
    let truth = month();
    let odd = spoilt(|truth| {
        every(
            truth,
            |row, volts| if row < 1200 { volts } else { 10.0 * volts },
        );
    });
    assert!(
        (odd.loss.unwrap() - truth.losses[2]).abs() < 3.5 * odd.u,
        "{odd:?}"
    );
    let odd = spoilt(|truth| {
        every(
            truth,
            |row, volts| if row % 3 > 0 { volts } else { volts / 1000.0 },
        );
    });
    assert_eq!(odd.reason, Some(Reason::Voltage));
}

#[test]
fn power_in_another_unit_is_seen_beside_the_master() {
    for charger_kw in [1e3, 1e6] {
        let odd = spoilt(|truth| {
            truth.chargers[2]
                .1
                .iter_mut()
                .for_each(|kw| *kw *= charger_kw);
        });
        assert_eq!(odd.reason, Some(Reason::Power));
    }
}

#[test]
fn power_of_the_wrong_sign_is_no_loss() {
    let odd = spoilt(|truth| truth.chargers[2].1.iter_mut().for_each(|kw| *kw = -*kw));
    assert_eq!(odd.reason, Some(Reason::Negative));
}

#[test]
fn a_drop_that_no_cable_has_is_absurd() {
    // Off by a factor of a hundred, without a master to tell.
    let mut truth = month();
    truth.plan.master = false;
    truth.chargers[2].1.iter_mut().for_each(|kw| *kw /= 100.0);
    let odd = truth.drop().branches[2];
    assert!(
        odd.loss.is_none_or(|loss| loss > 50.0 * truth.losses[2]),
        "{odd:?}"
    );
    let odd = spoilt(|truth| {
        let kw = truth.chargers[2].1.clone();
        for (volts, kw) in volts(truth).iter_mut().zip(kw) {
            *volts /= 1.0 + 0.5 * kw / 58.0;
        }
    });
    assert!(
        matches!(
            odd.reason,
            Some(Reason::Absurd | Reason::Voltage | Reason::Scatter)
        ),
        "{odd:?}"
    );
}

#[test]
fn outliers_and_spikes_do_little() {
    let truth = month();
    let mut dice = Dice(9);
    let odd = spoilt(|truth| {
        for volts in volts(truth).iter_mut() {
            if dice.unit() < 0.02 {
                *volts *= dice.between(0.8, 1.2);
            }
        }
        for row in [100, 900, 1500] {
            truth.chargers[2].1[row] = 1e5;
        }
        truth.chargers[2].1[200] = f64::INFINITY;
        truth.chargers[2].1[201] = 1e300;
    });
    assert!(
        (odd.loss.unwrap() / truth.losses[2] - 1.0).abs() < 0.02,
        "{odd:?}"
    );
}

#[test]
fn a_day_with_two_meters_taken_for_each_other_is_outvoted() {
    let mut truth = month();
    let plain = truth.drop();
    let day = 10 * 96..11 * 96;
    // Voltages alone, of the two whose losses differ most.
    let (first, second) = truth.chargers.split_at_mut(3);
    first[1].0[0][day.clone()].swap_with_slice(&mut second[1].0[0][day]);
    let found = truth.drop();
    for (number, (branch, before)) in found.branches.iter().zip(&plain.branches).enumerate() {
        let moved = (branch.loss.unwrap() - before.loss.unwrap()).abs();
        assert!(
            moved < 0.012 * truth.losses[number] && branch.u < 3.0 * before.u,
            "{number} {branch:?} {before:?}"
        );
    }
}

#[test]
fn one_meter_alone_has_no_bus() {
    let truth = supply(|plan| (plan.chargers, plan.master) = (1, false));
    assert_eq!(truth.drop().branches[0].reason, Some(Reason::NoBus));
    // Two that are never known together.
    let mut truth = supply(|plan| (plan.chargers, plan.master) = (2, false));
    for (number, columns) in truth.chargers.iter_mut().enumerate() {
        for (row, volts) in columns.0[0].iter_mut().enumerate() {
            if row / 500 % 2 == number {
                *volts = f64::NAN;
            }
        }
    }
    for branch in truth.drop().branches {
        assert_eq!(branch.reason, Some(Reason::NoBus));
    }
    assert_eq!(voltage_drop(&[], &[], None, 480).unwrap().branches, []);
}

#[test]
fn the_same_power_at_all_times_tells_no_branch_from_another() {
    // Without a master, or with one that counts nothing else, the bus may fall as they all charge.
    for master in [false, true] {
        let mut truth = supply(|plan| (plan.chargers, plan.master) = (3, master));
        let kw = truth.chargers[0].1.clone();
        for columns in &mut truth.chargers {
            columns.1.clone_from(&kw);
        }
        for (all, kw) in truth.master.1.iter_mut().zip(&kw) {
            *all = 3.0 * kw + 0.4;
        }
        for branch in truth.drop().branches {
            assert_eq!(branch.reason, Some(Reason::Collinear), "{branch:?}");
        }
    }
}

#[test]
fn a_master_that_says_nothing_is_as_none() {
    let truth = month();
    let without = {
        let mut truth = month();
        truth.plan.master = false;
        truth.drop()
    };
    for fill in [f64::NAN, 0.0, -1.0, 400.0] {
        let mut truth = month();
        truth.master.0.iter_mut().for_each(|volts| volts.fill(fill));
        let found = truth.drop();
        assert_eq!(found.branches, without.branches);
        assert_eq!(found.trunk, None);
    }
    let mut truth_without_power = month();
    truth_without_power.master.1.fill(f64::NAN);
    assert_eq!(truth_without_power.drop().branches, without.branches);
    others_stay(&truth, &without, &[]);
}

fn wild() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 200.0_f64..250.0,
        1 => Just(f64::NAN),
        1 => any::<f64>(),
        1 => Just(0.0),
        1 => -1e3_f64..1e3,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nothing_breaks_it(
        cells in prop::collection::vec(wild(), 1..1200),
        chargers in 0_usize..5,
        phases in any::<bool>(),
        steps in prop::collection::vec(1_i64..4 * QUARTER, 300),
        start in any::<i64>(),
        offset in -1440_i32..=1440,
    ) {
        let count = cells.len() / (2 * (chargers + 2));
        let start = start.clamp(i64::MIN / 2, i64::MAX / 2);
        let mut times = Vec::new();
        let mut now = start;
        for step in steps.iter().cycle().take(count) {
            now += step;
            times.push(now);
        }
        let mut columns = cells.chunks_exact(count.max(1)).map(<[f64]>::to_vec).cycle();
        let mut next = |voltages: usize| {
            let mut take = || columns.next().map_or_else(Vec::new, |own| own[..count].to_vec());
            DropMeter::new((0..voltages).map(|_| take()).collect(), take()).unwrap()
        };
        let meters: Vec<DropMeter> = (0..chargers).map(|_| next(1)).collect();
        let master = next(if phases { 3 } else { 1 });
        let lent: Vec<&DropMeter> = meters.iter().collect();
        let found = voltage_drop(&times, &lent, Some(&master), offset).unwrap();
        prop_assert_eq!(found.branches.len(), chargers);
        for branch in &found.branches {
            prop_assert_eq!(branch.loss.is_none(), branch.reason.is_some());
            prop_assert!(branch.loss.is_none_or(f64::is_finite) && branch.u > 0.0);
        }
    }
}

#[test]
fn days_of_a_few_quarters_are_left_out() {
    let truth = month();
    let keep: Vec<usize> = (0..truth.times_ms.len())
        .filter(|row| row % 96 < 7)
        .collect();
    let take = |values: &[f64]| keep.iter().map(|row| values[*row]).collect::<Vec<f64>>();
    let meters = truth.chargers.iter();
    let meters: Vec<DropMeter> = meters
        .map(|(voltages, kw)| DropMeter::new(vec![take(&voltages[0])], take(kw)).unwrap())
        .collect();
    let lent: Vec<&DropMeter> = meters.iter().collect();
    let times: Vec<i64> = keep.iter().map(|row| truth.times_ms[*row]).collect();
    assert_eq!(times[0], MIDNIGHT);
    for branch in voltage_drop(&times, &lent, None, 480).unwrap().branches {
        assert_eq!(branch.reason, Some(Reason::FewQuarters));
    }
    let names: Vec<&str> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(
        names.len(),
        names
            .iter()
            .collect::<std::collections::BTreeSet<_>>()
            .len()
    );
}
