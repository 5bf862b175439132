//! Clocks that are off by more than a window can lend, registers that go on by nothing, and what flows backwards.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test fails loudly; small numbers"
)]

mod estimation_truth;

use diantan_core::estimation::{Estimation, Windows, estimate};
use estimation_truth::{Plan, Station, station};

/// Some windows of a minute among those of a quarter.
fn uneven(truth: &Station) -> Windows {
    let rows: Vec<usize> = (0..truth.times_ms.len())
        .filter(|row| row % 15 == 0 || row % 60 == 1)
        .collect();
    let chosen = |values: &[f64]| -> Vec<f64> { rows.iter().map(|row| values[*row]).collect() };
    let times: Vec<i64> = rows.iter().map(|row| truth.times_ms[*row]).collect();
    let registers: Vec<Vec<f64>> = truth.registers.iter().map(|own| chosen(own)).collect();
    let columns: Vec<&[f64]> = registers.iter().map(Vec::as_slice).collect();
    Windows::from_registers(&times, &chosen(&truth.master), &columns).unwrap()
}

fn within(found: &Estimation, truth: &Station, most: f64) {
    for one in &found.chargers {
        let off = one.error.value - truth.errors[one.charger];
        assert!(
            off.abs() < 4.0 * one.error.u && one.error.u < most,
            "{one:?} {off}"
        );
    }
}

/// What one window lends, the one beside it borrows, however long either is.
#[test]
fn clocks_may_be_off_by_more_than_the_shortest_window() {
    let truth = station(|plan| {
        plan.days = 7;
        plan.chargers = 4;
        plan.window_minutes = 1;
        plan.offset_sd_s = 120.0;
        plan.altered = Vec::new();
    });
    let found = estimate(&truth.settings(), &truth.chargers(), &uneven(&truth)).unwrap();
    within(&found, &truth, 0.003);
    assert!(found.scale < 2.0, "{}", found.scale);
    for (one, true_s) in found.chargers.iter().zip(&truth.offsets_s) {
        let offset = one.offset_s.unwrap();
        assert!((offset.value - true_s).abs() < 30.0, "{offset:?} {true_s}");
    }
}

#[test]
fn a_clock_further_off_than_a_window_takes_nothing_from_the_others_where_readings_are_missing() {
    let mut truth = station(|plan| {
        plan.days = 14;
        plan.chargers = 6;
        plan.missing = 0.3;
        plan.altered = Vec::new();
    });
    // Twenty minutes: it shows what it will show so much later.
    let own = truth.registers[2].clone();
    let last = own.len() - 1;
    truth.registers[2] = (0..=last)
        .map(|row| {
            let at = (row as f64 + 1200.0 / 900.0).min(last as f64);
            let before = (at as usize).min(last - 1);
            let kwh = own[before] + (own[before + 1] - own[before]) * (at - before as f64);
            (kwh * 100.0).floor() / 100.0
        })
        .collect();
    for (from, to) in &mut truth.sessions[2] {
        *from -= 1_200_000;
        *to -= 1_200_000;
    }
    let found = truth.estimate();
    assert!(
        found
            .findings
            .iter()
            .any(|finding| finding.name() == "offset" && finding.chargers() == [2])
    );
    within(&found, &truth, 0.002);
}

fn energies(truth: &Station, idle: f64) -> Estimation {
    let differences = |register: &[f64]| -> Vec<f64> {
        let each = register.windows(2).map(|pair| pair[1] - pair[0]);
        each.map(|kwh| if kwh == 0.0 { idle } else { kwh })
            .collect()
    };
    let columns: Vec<Vec<f64>> = truth.registers.iter().map(|own| differences(own)).collect();
    let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let windows =
        Windows::from_energies(&truth.times_ms, &differences(&truth.master), &columns).unwrap();
    estimate(&truth.settings(), &truth.chargers(), &windows).unwrap()
}

fn clocks_off(plan: &mut Plan) {
    plan.days = 10;
    plan.chargers = 5;
    plan.offset_sd_s = 120.0;
    plan.altered = Vec::new();
}

#[test]
fn nothing_counted_has_no_sign() {
    let truth = station(clocks_off);
    let (plain, turned) = (energies(&truth, 0.0), energies(&truth, -0.0));
    for (one, other) in plain.chargers.iter().zip(&turned.chargers) {
        assert_eq!(one, other);
    }
}

/// Also where it counted nothing and only its clock says that it flowed.
#[test]
fn what_flows_backwards_flows_backwards_at_the_edges_too() {
    let truth = station(clocks_off);
    let straight = energies(&truth, 0.0);
    let mut turned = station(clocks_off);
    for kwh in &mut turned.registers[0] {
        *kwh = -*kwh;
    }
    let found = energies(&turned, 0.0);
    let left = |found: &Estimation| -> f64 {
        let squares = found.residuals.plain_kwh.iter().map(|kwh| kwh * kwh);
        squares.sum::<f64>().sqrt()
    };
    let (before, after) = (left(&straight), left(&found));
    assert!((after / before - 1.0).abs() < 1e-4, "{before} {after}");
}
