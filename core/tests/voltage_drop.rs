//! Losses of branches by voltage drop: exact on exact data, free of gauges, and as sure as it says.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "tests; small numbers"
)]

mod voltage_truth;

use diantan_core::voltage_drop::{
    DropError, DropEstimation, DropMeter, Follows, GROUP, Meter, voltage_drop,
};
use proptest::prelude::*;
use voltage_truth::{Columns, Dice, MIDNIGHT, Plan, QUARTER, Supply, covers, meter, supply};

fn run(times_ms: &[i64], chargers: &[Columns], master: Option<&Columns>) -> DropEstimation {
    let meters: Vec<DropMeter> = chargers.iter().map(meter).collect();
    let lent: Vec<&DropMeter> = meters.iter().collect();
    let master = master.map(meter);
    voltage_drop(times_ms, &lent, master.as_ref(), 480).unwrap()
}

/// A week without any noise: branches of resistance k in V²/kW on one bus, which the master measures after its trunk.
fn exact(seed: u64, branches: &[f64], trunk: f64) -> Supply {
    let count = 7 * 96;
    let mut dice = Dice(seed);
    let times_ms = (0..i64::from(count))
        .map(|row| MIDNIGHT + row * QUARTER)
        .collect();
    let bus: Vec<f64> = (0..count)
        .map(|_| 400.0 * dice.between(0.95, 1.05))
        .collect();
    let mut total: Vec<f64> = (0..count).map(|_| dice.between(0.0, 20.0)).collect();
    let (mut chargers, mut losses) = (Vec::new(), Vec::new());
    for k in branches {
        let kw: Vec<f64> = (0..count)
            .map(|_| {
                if dice.unit() < 0.3 {
                    dice.between(5.0, 60.0)
                } else {
                    0.0
                }
            })
            .collect();
        let ends = bus.iter().zip(&kw);
        let volts: Vec<f64> = ends
            .map(|(bus, kw)| f64::midpoint(*bus, (bus * bus - 4.0 * k * kw).sqrt()))
            .collect();
        let lost: f64 = volts
            .iter()
            .zip(&kw)
            .map(|(volts, kw)| k * (kw / volts).powi(2))
            .sum();
        losses.push(lost / kw.iter().map(|kw| kw * kw).sum::<f64>());
        for (total, kw) in total.iter_mut().zip(&kw) {
            *total += kw;
        }
        chargers.push((vec![volts], kw));
    }
    let before = bus.iter().zip(&total);
    let before = before.map(|(bus, kw)| f64::midpoint(*bus, (bus * bus + 4.0 * trunk * kw).sqrt()));
    let before: Vec<f64> = before.collect();
    Supply {
        plan: Plan::default(),
        times_ms,
        chargers,
        trunk: trunk / 400.0_f64.powi(2),
        master: (vec![before], total),
        losses,
    }
}

/// The same losses to a share, and the same u to another.
fn same(one: &DropEstimation, other: &DropEstimation, share: f64, of_u: f64) {
    for (one, other) in one.branches.iter().zip(&other.branches) {
        let (a, b) = (one.loss.unwrap(), other.loss.unwrap());
        assert!((a / b - 1.0).abs() < share, "{one:?} {other:?}");
        assert!((one.u / other.u - 1.0).abs() < of_u, "{one:?} {other:?}");
        assert_eq!((one.quarters, one.follows), (other.quarters, other.follows));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn exact_voltages_give_exact_losses(
        seed in any::<u64>(),
        branches in prop::collection::vec(2.0_f64..60.0, 1..8),
        trunk in 0.0_f64..4.0,
        told in any::<bool>(),
    ) {
        let truth = exact(seed, &branches, trunk);
        let told = told || branches.len() == 1;
        let found = run(&truth.times_ms, &truth.chargers, told.then_some(&truth.master));
        for (branch, loss) in found.branches.iter().zip(&truth.losses) {
            let ratio = branch.loss.unwrap() / loss;
            prop_assert!((ratio - 1.0).abs() < 1e-5, "{} {:?}", ratio, branch);
        }
        if told {
            let own = found.trunk.unwrap();
            // At the master's voltage, whose usual level is near that of the bus.
            prop_assert!((own.value - truth.trunk).abs() < 0.05 * truth.trunk + 1e-9, "{:?}", own);
        }
    }

    #[test]
    fn gains_and_the_bus_change_nothing(
        seed in any::<u64>(),
        gains in prop::collection::vec(1e-3_f64..1e3, 5),
        swing in 0.0_f64..0.02,
    ) {
        let truth = supply(|plan| {
            plan.seed = seed;
            plan.chargers = 4;
            plan.days = 7;
        });
        let plain = truth.drop();
        let scaled = |columns: &Columns, gain: f64, bus: &[f64]| -> Columns {
            let voltages = columns.0.iter().map(|column| {
                column.iter().zip(bus).map(|(volts, bus)| volts * gain * bus).collect()
            });
            (voltages.collect(), columns.1.clone())
        };
        let flat = vec![1.0; truth.times_ms.len()];
        let all = |bus: &[f64]| -> (Vec<Columns>, Columns) {
            let own = truth.chargers.iter().zip(&gains);
            let own = own.map(|(columns, gain)| scaled(columns, *gain, bus));
            (own.collect(), scaled(&truth.master, gains[4], bus))
        };
        let (chargers, master) = all(&flat);
        same(&run(&truth.times_ms, &chargers, Some(&master)), &plain, 1e-6, 1e-5);
        // A bus that swings moves P/V² too, and with it, a little, the result; and u, where it turns from days to blocks.
        let bus: Vec<f64> = (0..flat.len()).map(|row| 1.0 + swing * (row as f64 / 5.0).sin()).collect();
        let (chargers, master) = all(&bus);
        same(&run(&truth.times_ms, &chargers, Some(&master)), &plain, 0.02, f64::INFINITY);
    }

    #[test]
    fn the_order_of_chargers_is_that_of_the_results(seed in any::<u64>(), turn in 1_usize..6) {
        let truth = supply(|plan| {
            plan.seed = seed;
            plan.chargers = 6;
            plan.days = 5;
            plan.phases = vec![None, Some(2), Some(0)];
        });
        let mut plain = truth.drop();
        let mut chargers = truth.chargers.clone();
        chargers.rotate_left(turn);
        plain.branches.rotate_left(turn);
        same(&run(&truth.times_ms, &chargers, Some(&truth.master)), &plain, 1e-6, 1e-5);
    }
}

#[test]
fn losses_are_as_sure_as_they_say() {
    covers("three phases", 0.007, |_| {});
    covers("white", 0.0045, |plan| plan.slow.0 = 0.0);
    covers("slow noise", 0.018, |plan| plan.slow = (1e-3, 0.95));
    covers("daily course", 0.0095, |plan| plan.daily = 5e-4);
    covers("missing", 0.008, |plan| plan.missing = 0.3);
    covers("0.1 V", 0.0075, |plan| plan.step = 0.1);
    covers("1 V", 0.019, |plan| plan.step = 1.0);
    covers("a week", 0.0095, |plan| plan.days = 7);
    covers("three days", 0.014, |plan| plan.days = 3);
    covers("three days of slow noise", 0.034, |plan| {
        plan.days = 3;
        plan.slow = (1e-3, 0.95);
    });
    covers("no master", 0.0075, |plan| plan.master = false);
    covers("two chargers", 0.009, |plan| {
        plan.chargers = 2;
        plan.master = false;
    });
    covers("one charger", 0.03, |plan| plan.chargers = 1);
}

#[test]
fn days_that_agree_by_chance_make_no_branch_surer() {
    let quiet = supply(|plan| {
        (plan.chargers, plan.days) = (6, 14);
        (plan.white, plan.slow.0, plan.drift) = (0.0, 0.0, 0.0);
    });
    let mut by_branch = vec![Vec::new(); 6];
    for seed in 1..=20 {
        let mut dice = Dice(seed);
        let mut noisy = |columns: &Columns| -> Columns {
            let mut columns = columns.clone();
            for volts in columns.0.iter_mut().flatten() {
                *volts *= 1.0 + 3e-4 * dice.normal();
            }
            columns
        };
        let chargers: Vec<Columns> = quiet.chargers.iter().map(&mut noisy).collect();
        let found = run(&quiet.times_ms, &chargers, Some(&noisy(&quiet.master)));
        for (all, branch) in by_branch.iter_mut().zip(&found.branches) {
            all.push(branch.u);
        }
    }
    for mut all in by_branch {
        all.sort_by(f64::total_cmp);
        assert!(all[0] > 0.85 * all[10], "{all:?}");
    }
}

#[test]
fn single_phase_chargers_are_laid_to_their_phases() {
    for phases in [
        vec![Some(0), Some(1), Some(2)],
        vec![None, Some(0), None, Some(1), Some(2)],
    ] {
        let change = |plan: &mut Plan| {
            plan.chargers = 15;
            plan.power_kw = (6.2, 7.0);
            plan.quarters = (4.0, 14.0);
            plan.sessions_per_day = 1.6;
            plan.phases = phases.clone();
        };
        let found = supply(change).drop();
        for (number, branch) in found.branches.iter().enumerate() {
            assert_eq!(
                branch.follows.phase(),
                phases[number % phases.len()],
                "{number}"
            );
        }
        covers("phases", 0.01, change);
    }
    assert_eq!(Follows::B.name(), "b");
}

#[test]
fn more_chargers_than_a_group_are_as_sure() {
    let truth = supply(|plan| {
        plan.chargers = 2 * GROUP + 3;
        plan.days = 10;
    });
    let mut inside = 0.0;
    for (branch, loss) in truth.drop().branches.iter().zip(&truth.losses) {
        inside += f64::from(u8::from(
            (branch.loss.unwrap() - loss).abs() < 2.0 * branch.u,
        ));
    }
    assert!(inside / truth.losses.len() as f64 > 0.88, "{inside}");
}

#[test]
fn a_sub_feeder_adds_its_own_piece_and_is_in_u() {
    let mut truth = supply(|plan| plan.days = 60);
    // The first two share a piece as long as a third of their own branches.
    let shared = truth.losses[0] / 3.0;
    let plain = truth.drop();
    let (one, two) = (truth.chargers[0].1.clone(), truth.chargers[1].1.clone());
    for charger in 0..2 {
        let cells = truth.chargers[charger].0[0].iter_mut();
        for (volts, (one, two)) in cells.zip(one.iter().zip(&two)) {
            *volts /= 1.0 + shared * (one + two);
        }
    }
    let found = truth.drop();
    for charger in 0..2 {
        let (own, before) = (found.branches[charger], plain.branches[charger]);
        let expected = truth.losses[charger] + shared;
        assert!(
            (own.loss.unwrap() - expected).abs() < 3.0 * own.u + 0.02 * expected,
            "{own:?}"
        );
        assert!(own.u > 1.5 * before.u, "{own:?} {before:?}");
    }
    for charger in 2..10 {
        assert!(found.branches[charger].u < 1.2 * plain.branches[charger].u);
    }
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let column = vec![230.0; 4];
    let own = DropMeter::new(vec![column.clone()], vec![1.0; 4]).unwrap();
    assert_eq!((own.len(), own.is_empty()), (4, false));
    assert_eq!(
        DropMeter::new(vec![column.clone(); 2], vec![1.0; 4]).unwrap_err(),
        DropError::Voltages(2)
    );
    let uneven = DropMeter::new(
        vec![column.clone(), column.clone(), vec![1.0]],
        vec![1.0; 4],
    );
    assert!(matches!(
        uneven,
        Err(DropError::Uneven {
            column: 2,
            expected: 4,
            got: 1
        })
    ));
    let long = DropMeter::new(vec![vec![1.0; 40_001]], vec![1.0; 40_001]);
    assert!(matches!(
        long,
        Err(DropError::TooMany {
            name: "quarters",
            ..
        })
    ));
    let times = [0, 1, 2, 3];
    let refused =
        |times: &[i64], chargers: &[&DropMeter], master: Option<&DropMeter>, offset: i32| {
            voltage_drop(times, chargers, master, offset).unwrap_err()
        };
    assert_eq!(
        refused(&times[..3], &[&own], None, 480),
        DropError::Length {
            meter: Meter::Charger(0),
            expected: 3,
            got: 4
        }
    );
    let short = DropMeter::new(vec![vec![1.0]], vec![1.0]).unwrap();
    assert_eq!(
        refused(&times, &[&own], Some(&short), 480).to_string(),
        "master: expected 4 quarters, got 1"
    );
    assert_eq!(
        refused(&[0, 1, 1, 3], &[&own], None, 480),
        DropError::Order {
            row: 2,
            before_ms: 1,
            ms: 1
        }
    );
    assert_eq!(
        refused(&times, &[&own], None, 1441),
        DropError::Offset(1441)
    );
    assert!(matches!(
        refused(&times, &[&own; 513], None, 480),
        DropError::TooMany {
            name: "chargers",
            ..
        }
    ));
    let year = DropMeter::new(vec![vec![1.0; 40_000]], vec![1.0; 40_000]).unwrap();
    let times: Vec<i64> = (0..40_000).collect();
    assert!(matches!(
        refused(&times, &[&year; 126], None, 480),
        DropError::TooMany {
            name: "quarters of chargers",
            ..
        }
    ));
}
