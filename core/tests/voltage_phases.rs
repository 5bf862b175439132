//! Chargers for three phases at which vehicles charge on one: what their branches lose beyond what the mean of the phases says.
//! The truth is solved with phasors and a neutral, and shares nothing with the core but its input.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::panic,
    reason = "tests; small numbers"
)]

#[path = "dice/mod.rs"]
mod dice;

use diantan_core::voltage_drop::{Balance, DropBranch, DropMeter, voltage_drop};
use dice::{Dice, MIDNIGHT};

const DAYS: usize = 14;
const QUARTERS: usize = 96 * DAYS;
const VOLTS: f64 = 230.0;
/// Cosine and sine of the angle of each phase.
const ANGLES: [(f64, f64); 3] = [
    (1.0, 0.0),
    (-0.5, -0.866_025_403_784_438_6),
    (-0.5, 0.866_025_403_784_438_6),
];

/// How vehicles of one kind load the phases, and with how many kW.
type Vehicle = ([f64; 3], f64, f64);
const EVEN: Vehicle = ([1.0 / 3.0; 3], 10.0, 22.0);
const ON_A: Vehicle = ([1.0, 0.0, 0.0], 6.2, 7.0);
const ON_B: Vehicle = ([0.0, 1.0, 0.0], 6.2, 7.0);
const ON_TWO: Vehicle = ([0.5, 0.5, 0.0], 10.0, 14.0);

struct Plan {
    seed: u64,
    chargers: usize,
    vehicles: Vec<Vehicle>,
    /// Resistance of the neutral by that of a line.
    neutral: f64,
    /// Loss of a branch at 22 kW that stand evenly.
    loss: f64,
    master: bool,
    /// By how much the first charger lets one phase fall and another rise that it tells, while it charges.
    made_up: f64,
    /// Whether every second vehicle feeds back.
    feeds_back: bool,
    /// How many chargers tell each phase; the others tell the mean.
    phases: usize,
}

fn plan(vehicles: &[Vehicle]) -> Plan {
    Plan {
        seed: 1,
        chargers: 6,
        vehicles: vehicles.to_vec(),
        neutral: 1.0,
        loss: 0.008,
        master: true,
        made_up: 0.0,
        feeds_back: false,
        phases: 6,
    }
}

/// Voltages at the end of a branch, and what is lost in it, kW.
fn solved(above: [f64; 3], loads: [f64; 3], line: f64, neutral: f64) -> ([f64; 3], f64) {
    let mut below = above;
    let mut lost = 0.0;
    for _ in 0..30 {
        let currents: Vec<f64> = (0..3).map(|j| 1000.0 * loads[j] / below[j]).collect();
        let back = (0..3).fold((0.0, 0.0), |(x, y), j| {
            (x + currents[j] * ANGLES[j].0, y + currents[j] * ANGLES[j].1)
        });
        for j in 0..3 {
            let at =
                |angle: f64, back: f64| (above[j] - line * currents[j]) * angle - neutral * back;
            below[j] = at(ANGLES[j].0, back.0).hypot(at(ANGLES[j].1, back.1));
        }
        let squares: f64 = currents.iter().map(|own| own * own).sum();
        lost = (line * squares + neutral * (back.0.powi(2) + back.1.powi(2))) / 1000.0;
    }
    (below, lost)
}

fn wander(dice: &mut Dice, sd: f64, keep: f64) -> Vec<f64> {
    let mut value = sd * dice.normal();
    let fresh = sd * (1.0 - keep * keep).sqrt();
    let each = (0..QUARTERS).map(|_| {
        value = keep * value + fresh * dice.normal();
        value
    });
    each.collect()
}

/// What vehicles do at a charger: the load of each phase by quarter, kW.
fn loads(dice: &mut Dice, vehicles: &[Vehicle], feeds_back: bool) -> Vec<[f64; 3]> {
    let mut all = vec![[0.01; 3]; QUARTERS];
    let mut now = (dice.unit() * 16.0) as usize;
    let mut number = 0_usize;
    loop {
        number += 1;
        let kind = (dice.unit() * vehicles.len() as f64) as usize;
        let (shares, low, high) = vehicles[kind.min(vehicles.len() - 1)];
        let power = dice.between(low, high);
        // As much energy, whatever the power.
        let end = now + (60.0 / power).ceil() as usize;
        if end >= QUARTERS {
            return all;
        }
        for cell in &mut all[now..end] {
            let sign = if feeds_back && number.is_multiple_of(2) {
                -1.0
            } else {
                1.0
            };
            *cell = shares.map(|share| 0.01 + sign * share * power);
        }
        now = end + 6 + (dice.unit() * 30.0) as usize;
    }
}

fn shown(dice: &mut Dice, volts: &[f64]) -> Vec<f64> {
    let gain = 1.0 + 0.003 * dice.normal();
    let slow = wander(dice, 2e-4, 0.999);
    let each = volts.iter().zip(slow);
    each.map(|(volts, slow)| volts * gain * (1.0 + slow + 3e-4 * dice.normal()))
        .collect()
}

/// What is said of each charger, and the truth: what it lost more than if its load stood evenly, of its energy, and by that.
fn found(plan: &Plan) -> Vec<(DropBranch, f64, f64)> {
    let mut dice = Dice(plan.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let common = wander(&mut dice, 0.008, 0.97);
    let own: Vec<Vec<f64>> = (0..3).map(|_| wander(&mut dice, 0.003, 0.95)).collect();
    let bus = |row: usize| [0, 1, 2].map(|j: usize| VOLTS * (1.0 + common[row] + own[j][row]));
    let mut total = vec![1.0; QUARTERS];
    let mut truths = Vec::new();
    let mut meters = Vec::new();
    for charger in 0..plan.chargers {
        // b = R/3V²
        let line = plan.loss / 22.0 * (0.2 * dice.normal()).exp() * 3.0 * VOLTS * VOLTS / 1000.0;
        // Installers turn phases, and some exchange two.
        let order = [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 2, 1]][charger % 4];
        let taken = loads(&mut dice, &plan.vehicles, plan.feeds_back);
        let (mut more, mut even, mut energy) = (0.0, 0.0, 0.0);
        let mut columns = vec![Vec::new(); 3];
        for (row, own) in taken.iter().enumerate() {
            let above = order.map(|j: usize| bus(row)[j]);
            let (below, lost) = solved(above, *own, line, plan.neutral * line);
            let power: f64 = own.iter().sum();
            let (_, balanced) = solved(above, [power / 3.0; 3], line, plan.neutral * line);
            more += lost - balanced;
            even += balanced;
            energy += power.abs();
            total[row] += power + lost;
            let made_up = if charger == 0 && power > 1.0 {
                plan.made_up
            } else {
                0.0
            };
            let below = [
                below[0] * (1.0 - made_up),
                below[1] * (1.0 + made_up),
                below[2],
            ];
            for (column, volts) in columns.iter_mut().zip(below) {
                column.push(volts);
            }
        }
        let columns: Vec<Vec<f64>> = columns.iter().map(|own| shown(&mut dice, own)).collect();
        let mean = (0..QUARTERS).map(|row| columns.iter().map(|own| own[row]).sum::<f64>() / 3.0);
        let told = if charger < plan.phases {
            columns.clone()
        } else {
            vec![mean.collect()]
        };
        let power = taken.iter().map(|own| own.iter().sum()).collect();
        meters.push(DropMeter::new(told, power).unwrap());
        truths.push((more / energy, (more + even) / even));
    }
    let master = (0..3).map(|j| {
        shown(
            &mut dice,
            &(0..QUARTERS).map(|row| bus(row)[j]).collect::<Vec<f64>>(),
        )
    });
    let master = DropMeter::new(master.collect(), total).unwrap();
    let times: Vec<i64> = (0..QUARTERS as i64)
        .map(|row| MIDNIGHT + 900_000 * row)
        .collect();
    let lent: Vec<&DropMeter> = meters.iter().collect();
    let said = voltage_drop(&times, &lent, plan.master.then_some(&master), 480).unwrap();
    let both = said.branches.into_iter().zip(truths);
    both.map(|(branch, (more, factor))| (branch, more, factor))
        .collect()
}

/// All must be uneven, and tell the truth: within 2.5 u, and as far off as `most` at most, relative.
fn told(plan: &Plan, most: f64) {
    for (branch, more, factor) in found(plan) {
        let Balance::Uneven {
            share,
            factor: said,
        } = branch.balance
        else {
            panic!("{branch:?} for {more}")
        };
        assert!(
            (share.value - more).abs() < 2.5 * share.u,
            "{share:?} for {more}"
        );
        assert!((said / factor - 1.0).abs() < most, "{said} for {factor}");
        assert!(
            branch.loss.is_some() && share.u < 0.5 * more,
            "{branch:?} for {more}"
        );
    }
}

#[test]
fn vehicles_on_one_phase_lose_six_times_as_much() {
    let all = plan(&[ON_A]);
    for (branch, _, factor) in found(&all) {
        assert!((factor - 6.0).abs() < 0.2, "{factor}");
        assert!(
            matches!(branch.balance, Balance::Uneven { factor, .. } if (factor - 6.0).abs() < 0.6)
        );
    }
    told(&all, 0.1);
}

#[test]
fn vehicles_of_all_kinds_are_told_by_what_they_lose() {
    for seed in 1..4 {
        told(
            &Plan {
                seed,
                ..plan(&[EVEN, ON_A])
            },
            0.12,
        );
        told(
            &Plan {
                seed,
                ..plan(&[EVEN, ON_A, ON_B])
            },
            0.12,
        );
        told(
            &Plan {
                seed,
                ..plan(&[EVEN, ON_A, ON_TWO])
            },
            0.12,
        );
    }
}

#[test]
fn a_neutral_of_half_the_section_loses_more() {
    told(
        &Plan {
            neutral: 2.0,
            ..plan(&[ON_A])
        },
        0.12,
    );
    told(
        &Plan {
            neutral: 2.0,
            ..plan(&[EVEN, ON_A])
        },
        0.2,
    );
}

#[test]
fn the_bus_is_told_by_chargers_that_idle_or_by_the_master() {
    told(
        &Plan {
            master: false,
            ..plan(&[EVEN, ON_A])
        },
        0.12,
    );
    let alone = Plan {
        phases: 1,
        ..plan(&[EVEN, ON_A])
    };
    for (number, (branch, _, factor)) in found(&alone).into_iter().enumerate() {
        match branch.balance {
            Balance::Uneven { factor: said, .. } => {
                assert!(
                    number == 0 && (said / factor - 1.0).abs() < 0.15,
                    "{number}: {branch:?}"
                );
            }
            said => assert!(
                number > 0 && said == Balance::Unknown,
                "{number}: {branch:?}"
            ),
        }
    }
    let nobody = Plan {
        phases: 1,
        master: false,
        ..plan(&[EVEN, ON_A])
    };
    assert!(
        found(&nobody)
            .iter()
            .all(|(branch, ..)| branch.balance == Balance::Unknown)
    );
}

#[test]
fn loads_that_stand_evenly_are_left_alone() {
    for seed in 1..6 {
        for (loss, unseen) in [(0.002, true), (0.008, false), (0.02, false)] {
            for master in [true, false] {
                for (branch, ..) in found(&Plan {
                    seed,
                    loss,
                    master,
                    ..plan(&[EVEN])
                }) {
                    let fits = branch.balance == Balance::Even
                        || (unseen && branch.balance == Balance::Unknown);
                    assert!(fits, "{loss} {branch:?}");
                }
            }
        }
    }
}

#[test]
fn one_voltage_tells_nothing_of_phases_and_the_loss_is_the_same() {
    let phases = found(&plan(&[EVEN, ON_A]));
    let mean = found(&Plan {
        phases: 0,
        ..plan(&[EVEN, ON_A])
    });
    for ((with, ..), (without, ..)) in phases.iter().zip(&mean) {
        assert_eq!(without.balance, Balance::Unknown);
        assert_eq!((with.loss, with.u), (without.loss, without.u));
    }
}

#[test]
fn a_branch_that_loses_next_to_nothing_is_unknown_rather_than_even() {
    let odd = found(&Plan {
        loss: 0.0004,
        ..plan(&[EVEN, ON_A])
    });
    for (branch, ..) in odd {
        assert!(!matches!(branch.balance, Balance::Even), "{branch:?}");
    }
}

#[test]
fn phases_that_no_load_lets_fall_say_nothing() {
    // Voltages of one phase that fall by 6 % and rise by as much while it charges, of a branch that loses 0.4 %.
    let odd = Plan {
        made_up: 0.06,
        loss: 0.004,
        ..plan(&[EVEN])
    };
    for (number, (branch, ..)) in found(&odd).into_iter().enumerate() {
        let said = if number == 0 {
            Balance::Unknown
        } else {
            Balance::Even
        };
        assert_eq!(branch.balance, said, "{number}: {branch:?}");
    }
}

#[test]
fn vehicles_that_feed_back_on_one_phase_lose_as_much() {
    told(
        &Plan {
            feeds_back: true,
            ..plan(&[EVEN, ON_A])
        },
        0.15,
    );
}
