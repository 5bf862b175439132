//! Ordinary intervals, written as a few lists: most of what a driver takes time for is single values.

use super::SLOT_MS;
use super::row::{MEASURED, Row};

/// Add measured intervals of a quarter of an hour that begin at once, of which nothing is known to flow in reverse.
///
/// `lists`: meters, journals, sequences, energies and registers forward in mWh, whole numbers with commas between. None
/// where these are not equally many, or any is no whole number of 64 bits; what is added by then is not taken back.
pub fn listed(start_ms: i64, lists: [&str; 5], found: &mut Vec<(i64, Row)>) -> Option<()> {
    let mut lists = lists.map(|list| Some(list.as_bytes()));
    while lists.iter().all(Option::is_some) {
        let [meter, journal, sequence, forward_mwh, forward_total_mwh] = lists.each_mut().map(next);
        let row = Row {
            start_ms,
            journal: journal?,
            sequence: sequence?,
            duration_ms: SLOT_MS,
            forward_mwh: forward_mwh?,
            reverse_mwh: 0,
            forward_total_mwh: forward_total_mwh?,
            reverse_total_mwh: 0,
            quality: MEASURED,
        };
        found.push((meter?, row));
    }
    lists.iter().all(Option::is_none).then_some(())
}

/// Take the first number off a list; nothing is left of it after the last one.
fn next(list: &mut Option<&[u8]>) -> Option<i64> {
    let text = (*list)?;
    let (negative, digits) = match text.split_first() {
        Some((b'-', digits)) => (true, digits),
        _ => (false, text),
    };
    let mut size: u64 = 0;
    let mut rest = digits;
    while let Some((digit, after)) = rest.split_first()
        && digit.is_ascii_digit()
    {
        size = size.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        rest = after;
    }
    if rest.len() == digits.len() {
        return None;
    }
    *list = match rest.split_first() {
        None => None,
        Some((b',', after)) => Some(after),
        Some(_) => return None,
    };
    if negative {
        0_i64.checked_sub_unsigned(size)
    } else {
        i64::try_from(size).ok()
    }
}
