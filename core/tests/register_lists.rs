//! Ordinary intervals, written as lists.
#![allow(clippy::unwrap_used, reason = "tests")]

use diantan_core::registers::{MEASURED, Row, SLOT_MS, listed};

fn of(lists: [&str; 5]) -> Option<Vec<(i64, Row)>> {
    let mut found = Vec::new();
    listed(7, lists, &mut found)?;
    Some(found)
}

#[test]
fn each_place_is_a_row() {
    let row = |journal, sequence, forward_mwh, forward_total_mwh| Row {
        start_ms: 7,
        journal,
        sequence,
        duration_ms: SLOT_MS,
        forward_mwh,
        reverse_mwh: 0,
        forward_total_mwh,
        reverse_total_mwh: 0,
        quality: MEASURED,
    };
    let most = i64::MAX.to_string();
    let found = of(["2,3", "1,1", "40,-41", "0,-5", &format!("{most},12")]).unwrap();
    assert_eq!(
        found,
        [(2, row(1, 40, 0, i64::MAX)), (3, row(1, -41, -5, 12))]
    );
    let least = i64::MIN.to_string();
    let found = of(["2", "1", "40", &least, "0"]).unwrap();
    assert_eq!(found, [(2, row(1, 40, i64::MIN, 0))]);
}

#[test]
fn what_is_no_list_of_whole_numbers_is_none() {
    for list in [
        "",
        ",",
        "1,",
        ",1",
        "1,2",
        "1.5",
        "-",
        "--1",
        "+1",
        "1 ",
        "x",
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999999",
    ] {
        for place in 0..5 {
            let mut lists = ["1"; 5];
            if let Some(cell) = lists.get_mut(place) {
                *cell = list;
            }
            assert_eq!(of(lists), None, "{list:?} in place {place}");
        }
        if list != "1,2" {
            assert_eq!(of([list; 5]), None, "{list:?}");
        }
    }
}
