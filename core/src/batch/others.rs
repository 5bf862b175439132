//! Freeze, adjustment and event records.

use super::column::{differences, integers, nullable_differences, read_column};
use super::group::Sequences;
use super::rows::{Adjustment, Detail, Event, Freeze};
use super::{AMOUNT, DURATION, FACTOR, INCREMENT, TIME};
use crate::cbor::{Kind, Reader, Result, key_within};

const MAX_SOLVE_ID: usize = 32;
const MAX_DETAILS: usize = 16;
const MAX_DETAIL_KEY: i64 = 255;
const MAX_DETAIL_TEXT: usize = 256;

pub(super) fn read_freezes(r: &mut Reader<'_>, sequences: &mut Sequences) -> Result<Vec<Freeze>> {
    let mut fields = r.map()?;
    let f = &mut fields;
    let head = sequences.head(f, r)?;
    let rows = head.rows;
    let meters = head.required_meters()?;
    let times = differences(f, r, 3, rows, "time of the freeze", TIME)?;
    let kinds = integers(f, r, 4, rows, "kind of the freeze", (0, 1))?;
    let totals = [
        integers(f, r, 5, rows, "cumulative energy forward", AMOUNT)?,
        integers(f, r, 6, rows, "cumulative energy reverse", AMOUNT)?,
        integers(f, r, 7, rows, "cumulative carbon forward", AMOUNT)?,
        integers(f, r, 8, rows, "cumulative carbon reverse", AMOUNT)?,
    ];
    let sources = integers(f, r, 9, rows, "source of the freeze", (0, 3))?;
    fields.finish(r)?;
    let [forward, reverse, carbon_forward, carbon_reverse] = totals;
    let amounts = forward
        .into_iter()
        .zip(reverse)
        .zip(carbon_forward.into_iter().zip(carbon_reverse));
    let places = head.sequences.into_iter().zip(meters);
    let states = times.into_iter().zip(kinds).zip(sources);
    Ok(places
        .zip(states)
        .zip(amounts)
        .map(
            |(
                ((sequence, meter), ((time_ms, kind), source)),
                ((forward, reverse), (carbon_fwd, carbon_rev)),
            )| Freeze {
                sequence,
                meter,
                time_ms,
                kind,
                forward_total_mwh: forward,
                reverse_total_mwh: reverse,
                carbon_forward_total_ug: carbon_fwd,
                carbon_reverse_total_ug: carbon_rev,
                source,
            },
        )
        .collect())
}

pub(super) fn read_adjustments(
    r: &mut Reader<'_>,
    sequences: &mut Sequences,
) -> Result<Vec<Adjustment>> {
    let mut fields = r.map()?;
    let f = &mut fields;
    let head = sequences.head(f, r)?;
    let rows = head.rows;
    let meters = head.required_meters()?;
    let starts = differences(f, r, 3, rows, "start of the interval", TIME)?;
    let durations = integers(f, r, 4, rows, "duration (key 4)", DURATION)?;
    let forward = integers(f, r, 5, rows, "energy forward", INCREMENT)?;
    let reverse = integers(f, r, 6, rows, "energy reverse", INCREMENT)?;
    let used = nullable_differences(f, r, 7, rows, "factor used", FACTOR)?;
    let now = nullable_differences(f, r, 8, rows, "factor now", FACTOR)?;
    let carbon_forward = integers(f, r, 9, rows, "change of the carbon forward", AMOUNT)?;
    let carbon_reverse = integers(f, r, 10, rows, "change of the carbon reverse", AMOUNT)?;
    f.require(r, 11, "solve id (key 11)")?;
    let solve_ids = read_column(r, rows, |r| {
        r.bytes("length of the solve id", 1, MAX_SOLVE_ID)
    })?;
    fields.finish(r)?;
    let spans = head
        .sequences
        .into_iter()
        .zip(meters)
        .zip(starts.into_iter().zip(durations));
    let energies = forward.into_iter().zip(reverse);
    let factors = used.into_iter().zip(now);
    let changes = carbon_forward
        .into_iter()
        .zip(carbon_reverse)
        .zip(solve_ids);
    Ok(spans
        .zip(energies)
        .zip(factors.zip(changes))
        .map(
            |(
                (((sequence, meter), (start_ms, duration_ms)), (forward, reverse)),
                (factors, changes),
            )| Adjustment {
                sequence,
                meter,
                start_ms,
                duration_ms,
                forward_mwh: forward,
                reverse_mwh: reverse,
                factor_used: factors.0,
                factor_now: factors.1,
                carbon_forward_ug: changes.0.0,
                carbon_reverse_ug: changes.0.1,
                solve_id: changes.1.to_vec(),
            },
        )
        .collect())
}

pub(super) fn read_events(r: &mut Reader<'_>, sequences: &mut Sequences) -> Result<Vec<Event>> {
    let mut fields = r.map()?;
    let f = &mut fields;
    let head = sequences.head(f, r)?;
    let rows = head.rows;
    let times = differences(f, r, 3, rows, "time of the event", TIME)?;
    let codes = integers(
        f,
        r,
        4,
        rows,
        "code of the event (key 4)",
        (1, i64::from(u16::MAX)),
    )?;
    let mut details = vec![Vec::new(); rows];
    if f.find(r, 5)? {
        r.array("length of a column", rows, rows)?;
        for each in &mut details {
            *each = read_details(r)?;
        }
    }
    fields.finish(r)?;
    let places = head.sequences.into_iter().zip(head.meters);
    let contents = times.into_iter().zip(codes).zip(details);
    Ok(places
        .zip(contents)
        .map(|((sequence, meter), ((time_ms, code), details))| Event {
            sequence,
            meter,
            time_ms,
            code,
            details,
        })
        .collect())
}

fn read_details(r: &mut Reader<'_>) -> Result<Vec<(i64, Detail)>> {
    let mut entries = r.entries("number of details", MAX_DETAILS)?;
    let mut details = Vec::new();
    loop {
        let offset = r.offset();
        let Some(key) = entries.next(r)? else {
            return Ok(details);
        };
        let key = key_within(offset, "key of a detail", key, MAX_DETAIL_KEY)?;
        let value = match r.peek() {
            Kind::Text => {
                Detail::Text(r.text("length of a detail", 0, MAX_DETAIL_TEXT)?.to_owned())
            }
            _ => Detail::Integer(r.integer("detail", i64::MIN, i64::MAX)?),
        };
        details.push((key, value));
    }
}
