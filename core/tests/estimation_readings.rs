//! Readings that are late, rare, coarse, broken or another charger's are recognised and named.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "tests; small numbers"
)]

mod estimation_judged;
mod estimation_truth;

use diantan_core::estimation::{Decision, Finding, Reason};
use estimation_judged::{honest, month, names, nobody_decided};

#[test]
fn a_clock_hours_off() {
    for windows in [12_usize, 32] {
        let mut truth = month(|_| {});
        let own = truth.registers[6].clone();
        let count = own.len();
        for (place, kwh) in truth.registers[6].iter_mut().enumerate() {
            // Behind: what it says of an instant it counted so much earlier… later for the rest.
            *kwh = own[(place + windows).min(count - 1)];
        }
        let found = truth.estimate();
        let hours = found.findings.iter().find_map(|finding| match finding {
            Finding::ClockShift {
                charger: 6,
                hours,
                share,
            } => Some((*hours, *share)),
            _ => None,
        });
        let (hours, share) = hours.unwrap_or_else(|| panic!("{windows}: {:?}", found.findings));
        assert!(
            (hours - windows as f64 / 4.0).abs() < 0.3 && share > 0.7,
            "{hours} h, {share}"
        );
        assert!(found.findings.iter().all(
            |finding| !matches!(finding, Finding::ClockShift { charger, .. } if *charger != 6)
        ));
        nobody_decided(&found);
    }
}

#[test]
fn daily_readings_only() {
    let truth = month(|plan| plan.window_minutes = 1440);
    let found = truth.estimate();
    assert!(found.findings.iter().any(
        |finding| matches!(finding, Finding::Daily { hours } if (*hours - 24.0).abs() < 1e-9)
    ));
    honest(&found, &truth);
    let undetermined: Vec<_> = found
        .chargers
        .iter()
        .filter(|one| one.decision == Decision::Undetermined)
        .collect();
    assert!(
        undetermined
            .iter()
            .all(|one| matches!(one.reason, Some(Reason::Daily | Reason::FewWindows)))
    );
    let quarter = month(|_| {}).estimate();
    for (daily, fine) in found.chargers.iter().zip(&quarter.chargers) {
        assert!(daily.error.u > 1.2 * fine.error.u);
    }
}

#[test]
fn a_coarse_master() {
    let truth = month(|plan| {
        plan.days = 5;
        plan.master_step = 20.0;
    });
    let found = truth.estimate();
    assert!(
        names(&found).contains(&"master_register"),
        "{:?}",
        found.findings
    );
    honest(&found, &truth);
    let undetermined = found
        .chargers
        .iter()
        .filter(|one| one.decision == Decision::Undetermined);
    assert!(undetermined.clone().count() > 0);
    for one in undetermined {
        assert!(
            matches!(one.reason, Some(Reason::MasterRegister)),
            "{one:?}"
        );
    }
}

#[test]
fn a_coarse_master_is_no_reason_where_the_uncertainty_suits() {
    let truth = month(|plan| {
        plan.days = 30;
        plan.master_step = 0.8;
        plan.gain_sd = 0.0001;
        plan.altered = vec![(3, 0.02)];
    });
    let found = truth.estimate();
    assert!(
        names(&found).contains(&"master_register"),
        "{:?}",
        found.findings
    );
    let near = &found.chargers[3];
    assert!(6.0 * near.error.u < 0.02, "{near:?}");
    assert_eq!(near.decision, Decision::Undetermined, "{near:?}");
    assert_eq!(near.reason, Some(Reason::NearLimit));
}

#[test]
fn sessions_of_another_charger() {
    let mut truth = month(|plan| plan.sessions_known = true);
    truth.sessions.swap(1, 5);
    let found = truth.estimate();
    assert!(
        found.findings.contains(&Finding::Swapped {
            first: 1,
            second: 5
        }),
        "{:?}",
        found.findings
    );
    let mut truth = month(|plan| plan.sessions_known = true);
    truth.sessions[1].truncate(10);
    let found = truth.estimate();
    let told = found.findings.iter().any(
        |finding| matches!(finding, Finding::OutsideSessions { charger: 1, share } if *share > 0.8),
    );
    assert!(told, "{:?}", found.findings);
    // Swapped registers are two chargers with each other's names: the balance is the same, and so is what is said of them.
    let mut truth = month(|_| {});
    let plain = truth.estimate();
    truth.registers.swap(1, 2);
    let swapped = truth.estimate();
    assert_eq!(swapped.chargers[1].decision, Decision::Flag);
    assert!((swapped.chargers[1].error.value - plain.chargers[2].error.value).abs() < 1e-9);
}

#[test]
fn broken_readings_are_left_out_and_counted() {
    let mut truth = month(|_| {});
    let place = 500;
    for kwh in truth.registers[1].iter_mut().skip(place) {
        *kwh -= 300.0;
    }
    truth.registers[0][700] += 1e6;
    truth.master[900] = f64::INFINITY;
    let found = truth.estimate();
    assert_eq!(found.excluded, [2, 2, 1]);
    assert_eq!(names(&found), ["excluded"]);
    assert_eq!(
        (
            found.chargers[1].excluded_windows,
            found.chargers[0].excluded_windows
        ),
        (1, 2)
    );
    honest(&found, &truth);
    assert_eq!(found.chargers[2].decision, Decision::Flag);
}
