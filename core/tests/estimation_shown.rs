//! What windows show by themselves.
#![allow(clippy::unwrap_used, reason = "tests")]

use diantan_core::estimation::{Powers, Windows};

const SLOT_MS: i64 = 900_000;

fn windows(columns: &[&[f64]]) -> Windows {
    let count = columns.first().map_or(0, |column| column.len());
    let times: Vec<i64> = (0..=count)
        .filter_map(|place| i64::try_from(place).ok())
        .map(|place| place * SLOT_MS)
        .collect();
    let master: Vec<f64> = (0..count)
        .map(|row| columns.iter().filter_map(|column| column.get(row)).sum())
        .collect();
    Windows::from_energies(&times, &master, columns).unwrap()
}

#[test]
fn a_part_is_what_would_have_been_made_of_it() {
    let sessions = [(450_000, 2_000_000), (3_000_000, 4_100_000)];
    let mut whole = windows(&[&[1.0, 2.0, 3.0, 4.0, 5.0], &[0.5; 5]]);
    whole.set_sessions_within(0, &sessions, &[]).unwrap();
    let part = whole.part(&[0, 1, 4]).unwrap();
    let mut first = Windows::from_energies(
        &[0, SLOT_MS, 2 * SLOT_MS],
        &[1.5, 2.5],
        &[&[1.0, 2.0], &[0.5, 0.5]],
    )
    .unwrap();
    first.set_sessions_within(0, &sessions[..1], &[]).unwrap();
    let mut last =
        Windows::from_energies(&[4 * SLOT_MS, 5 * SLOT_MS], &[5.5], &[&[5.0], &[0.5]]).unwrap();
    last.set_sessions_within(0, &sessions[1..], &[]).unwrap();
    first.append(&last).unwrap();
    assert_eq!(part, first);
    assert_eq!(whole.part(&[0, 1, 2, 3, 4]).unwrap(), whole);
    assert!(whole.part(&[]).unwrap().is_empty());
}

#[test]
fn places_that_are_none_make_no_part() {
    let whole = windows(&[&[1.0, 2.0, 3.0]]);
    for places in [&[1, 0][..], &[1, 1], &[3], &[usize::MAX]] {
        assert_eq!(whole.part(places), None);
    }
}

#[test]
fn powers_are_of_windows_in_which_anything_was_counted() {
    let whole = windows(&[&[0.0, 1.0, -3.0, 2.0], &[0.0; 4]]);
    let expected = Powers {
        used: 3,
        beyond: 1,
        largest_kw: 12.0,
    };
    assert_eq!(whole.powers(0, 8.0), expected);
    assert_eq!(whole.powers(1, 8.0), Powers::default());
    assert_eq!(whole.powers(2, 8.0), Powers::default());
}

#[test]
fn sums_are_of_all_chargers_by_their_weights() {
    let whole = windows(&[&[1.0, 2.0], &[10.0, 20.0]]);
    assert_eq!(whole.weighted_kwh(&[1.0, 1.05]), [11.5, 23.0]);
    assert_eq!(whole.column_kwh(1).collect::<Vec<_>>(), [10.0, 20.0]);
    assert!(windows(&[&[]]).weighted_kwh(&[1.0]).is_empty());
}

#[test]
fn a_charger_is_quiet_away_from_its_own_sessions() {
    //                    quiet     edge charges   edge      quiet
    let own = [0.1, 0.1, 0.1, 10.0, 9.0, 0.0, 0.1, 0.1];
    let whole = windows(&[&own, &[0.0; 8], &[5.0; 8]]);
    assert_eq!(whole.quiet(0, 0.2), 4);
    assert_eq!((whole.quiet(1, 0.2), whole.quiet(2, 0.2)), (0, 0));
    assert_eq!(windows(&[&[]]).quiet(0, 0.2), 0);
}
