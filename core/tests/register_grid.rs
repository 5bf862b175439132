//! Registers on a grid of times: against what their definition says instant by instant, and windows between them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod meter_rows;

use diantan_core::estimation::{EstimationError, Windows};
use diantan_core::registers::{Column, History, Known, Row, SLOT_MS, kwh, windows};
use meter_rows::{KWH, history, row, steady};
use proptest::collection::vec;
use proptest::prelude::*;

/// Intervals with gaps, in which the register mostly stands still; sometimes it begins anew.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    let steps = (
        0_i64..4,
        prop_oneof![3 => Just(0_i64), 1 => 1_i64..5],
        prop::bool::weighted(0.05),
    );
    vec(steps, 0..40).prop_map(|steps| {
        let (mut slot, mut total) = (0, 100);
        let mut rows = Vec::new();
        for (gap, counted, anew) in steps {
            slot += gap;
            total = if anew { 0 } else { total + counted };
            rows.push(row(slot, total, if anew { 0 } else { counted }));
            slot += 1;
        }
        rows
    })
}

/// The register at an instant: as it was read there, or as it stood from one reading to the next.
fn at(known: &[Known], time_ms: i64, every: i64) -> Option<i128> {
    if let Some(one) = known.iter().find(|one| one.time_ms == time_ms) {
        return Some(one.net_mwh());
    }
    let before = known.iter().rfind(|one| one.time_ms < time_ms)?;
    let after = known.iter().find(|one| one.time_ms > time_ms)?;
    let phase = ((time_ms - before.time_ms) / SLOT_MS) % every;
    (before.still(after) && phase == 0).then(|| before.net_mwh())
}

proptest! {
    #[test]
    fn a_column_is_what_is_known_at_every_instant(rows in rows(), begin in -3_i64..60, count in 0_usize..80, every in 1_usize..5) {
        let found = history(&rows);
        let begin_ms = begin * SLOT_MS;
        let column = found.column(begin_ms, count, every);
        let step = i64::try_from(every).unwrap();
        let expected: Vec<Option<i128>> = (0..i64::try_from(count).unwrap())
            .map(|place| at(found.known(), begin_ms + place * SLOT_MS, step))
            .collect();
        prop_assert_eq!(column.net_mwh(), &expected[..]);
        prop_assert_eq!(column.any(), expected.iter().any(Option::is_some));
    }

    #[test]
    fn instants_are_counted_one_by_one(rows in rows(), first in -5_i64..60, length in 0_i64..80, step in 1_i64..6, odd: bool) {
        let found = history(&rows);
        let (first_ms, step_ms) = (first * SLOT_MS, step * SLOT_MS + if odd { SLOT_MS / 2 } else { 0 });
        let end_ms = first_ms + length * SLOT_MS;
        for standing in [false, true] {
            let mut count = 0;
            let mut time_ms = first_ms;
            while time_ms < end_ms {
                let on = time_ms % SLOT_MS == 0;
                let stood = at(found.known(), time_ms, if standing { 1 } else { i64::MAX }).is_some();
                count += usize::from(on && stood);
                time_ms += step_ms;
            }
            prop_assert_eq!(found.instants(standing).count(first_ms, end_ms, step_ms), count);
        }
        let first_ms = found.known().first().map(|one| one.time_ms);
        prop_assert_eq!(found.instants(true).first_ms(), first_ms);
    }

    #[test]
    fn kwh_are_rounded_once(mwh in prop_oneof![any::<i64>().prop_map(i128::from), -(1_i128 << 107)..1 << 107, -(1_i128 << 60)..1 << 60]) {
        let exact: f64 = format!("{mwh}e-6").parse().unwrap();
        prop_assert_eq!(kwh(mwh).to_bits(), if mwh == 0 { 0 } else { exact.to_bits() });
    }
}

#[test]
fn kwh_at_ties() {
    // Half-way between floats of 2⁵³ and more, in kWh; and just beside.
    for mwh in [
        (1_i128 << 53) + 1,
        ((1 << 53) + 1) * 1_000_000,
        ((1 << 53) + 1) * 1_000_000 + 1,
        ((1 << 53) + 3) * 1_000_000 - 1,
    ] {
        assert_eq!(
            kwh(mwh).to_bits(),
            format!("{mwh}e-6").parse::<f64>().unwrap().to_bits()
        );
        assert_eq!(
            kwh(-mwh).to_bits(),
            format!("-{mwh}e-6").parse::<f64>().unwrap().to_bits()
        );
    }
}

fn cells(slots: &[Option<i64>]) -> Column {
    let kwh = slots
        .iter()
        .map(|cell| cell.map(|kwh| i128::from(kwh * KWH)));
    Column::new(0, kwh.collect())
}

fn said(found: &Windows) -> Vec<(i64, i64, f64, Vec<f64>)> {
    (0..found.len())
        .map(|window| {
            let span = (
                found.starts_ms()[window] / SLOT_MS,
                found.ends_ms()[window] / SLOT_MS,
            );
            (
                span.0,
                span.1,
                found.master_kwh()[window],
                found.energies_kwh(window).to_vec(),
            )
        })
        .collect()
}

#[test]
fn a_window_lies_between_instants_at_which_all_are_known() {
    let charger = cells(&[Some(0), Some(2), None, Some(6), Some(9)]);
    let grid = cells(&[Some(10), Some(13), Some(15), None, Some(30)]);
    let own_use = cells(&[Some(1), Some(2), Some(2), Some(2), Some(2)]);
    let others = [(&grid, false), (&own_use, true)];
    let found = windows(&[Some(&charger), None], &others, 0..5).unwrap();
    assert_eq!(
        said(&found),
        [(0, 1, 2.0, vec![2.0, 0.0]), (1, 4, 17.0, vec![7.0, 0.0])]
    );
    let part = windows(&[Some(&charger), None], &others, 1..5).unwrap();
    assert_eq!(said(&part), said(&found)[1..]);
}

#[test]
fn there_are_none_where_a_charger_in_service_is_never_known() {
    let grid = cells(&[Some(10), Some(13), Some(15)]);
    let silent = cells(&[None, None, None]);
    let partly = cells(&[Some(1), None, None]);
    let count =
        |chargers: &[Option<&Column>]| windows(chargers, &[(&grid, false)], 0..3).unwrap().len();
    assert_eq!(
        [count(&[]), count(&[None]), count(&[Some(&silent)])],
        [2, 2, 0]
    );
    assert_eq!(
        windows(&[Some(&partly)], &[(&grid, false)], 1..3)
            .unwrap()
            .len(),
        0
    );
    assert_eq!(
        windows(&[None], &[(&grid, false), (&silent, false)], 0..3)
            .unwrap()
            .len(),
        0
    );
    assert_eq!(windows(&[None], &[], 0..3).unwrap(), Windows::empty(1));
}

#[test]
fn columns_of_other_grids_are_refused() {
    let grid = cells(&[Some(10), Some(13), Some(15)]);
    let short = cells(&[Some(1), Some(2)]);
    let late = Column::new(SLOT_MS, vec![Some(0); 3]);
    let refused =
        |charger: &Column, end: usize| windows(&[Some(charger)], &[(&grid, false)], 0..end);
    assert!(matches!(
        refused(&short, 2),
        Err(EstimationError::Length {
            name: "columns",
            ..
        })
    ));
    assert!(matches!(
        refused(&late, 3),
        Err(EstimationError::Order { name: "column", .. })
    ));
    assert!(matches!(
        refused(&grid, 4),
        Err(EstimationError::Length { name: "places", .. })
    ));
}

#[test]
fn sums_are_those_of_all_windows() {
    let mut found =
        Windows::from_energies(&[0, 1, 2], &[1.0, 1.0], &[&[0.5, f64::NAN], &[1.0, 2.0]]).unwrap();
    assert_eq!(found.sums_kwh(), [0.5, 3.0]);
    found
        .append(&Windows::from_energies(&[2, 3], &[1.0], &[&[0.25], &[0.0]]).unwrap())
        .unwrap();
    assert_eq!(found.sums_kwh(), [0.75, 3.0]);
}

#[test]
fn a_step_divides_all_that_was_counted() {
    assert_eq!(history(&steady(0..4)).step_mwh(), 1_000_000);
    assert_eq!(
        history(&[row(0, 106, 6), row(1, 115, 9)]).step_mwh(),
        3_000_000
    );
    assert_eq!(history(&[row(0, 106, 0)]).step_mwh(), 0);
    assert_eq!(History::default().step_mwh(), 0);
}
