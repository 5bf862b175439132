//! What the four groups share: their number of rows, sequences and meters.

use super::MAX_RECORDS;
use super::column::{integers, limited, read_nullable};
use crate::cbor::{DecodeError, Fault, Fields, Reader, Result};

/// Which sequences of the batch have been seen, over all groups.
pub(super) struct Sequences {
    first: i64,
    seen: Vec<bool>,
    rows: usize,
    meters: usize,
}

/// A group's rows, as far as all groups have the same columns.
pub(super) struct Head {
    pub(super) offset: usize,
    pub(super) rows: usize,
    pub(super) sequences: Vec<i64>,
    /// None: the gateway itself (events only).
    pub(super) meters: Vec<Option<usize>>,
}

impl Sequences {
    pub(super) fn new(first: i64, count: usize, meters: usize) -> Self {
        Self {
            first,
            seen: vec![false; count],
            rows: 0,
            meters,
        }
    }

    /// Read the keys 0 to 2 of a group.
    pub(super) fn head<'a>(
        &mut self,
        fields: &mut Fields<'a>,
        reader: &mut Reader<'a>,
    ) -> Result<Head> {
        let offset = reader.offset();
        fields.require(reader, 0, "number of rows (key 0)")?;
        let high = self.seen.len().saturating_sub(self.rows);
        let rows = reader.integer("number of rows", 1, i64::try_from(high).unwrap_or(0))?;
        let rows = usize::try_from(rows).unwrap_or(MAX_RECORDS);
        self.rows += rows;
        let skipped = integers(fields, reader, 1, rows, "skipped sequences", (0, 4096))?;
        let sequences = self.place(offset, &skipped)?;
        let meters = self.meters(fields, reader, rows)?;
        Ok(Head {
            offset,
            rows,
            sequences,
            meters,
        })
    }

    fn place(&mut self, offset: usize, skipped: &[i64]) -> Result<Vec<i64>> {
        let mut next = 0_usize;
        let mut sequences = Vec::with_capacity(skipped.len());
        for skip in skipped {
            let here = next.saturating_add(usize::try_from(*skip).unwrap_or(MAX_RECORDS));
            let Some(seen) = self.seen.get_mut(here) else {
                return Err(fault(offset, "a sequence is behind the batch's last one"));
            };
            if std::mem::replace(seen, true) {
                return Err(fault(offset, "two records have the same sequence"));
            }
            // `decode` has checked that first + count fits.
            sequences.push(
                self.first
                    .saturating_add(i64::try_from(here).unwrap_or(i64::MAX)),
            );
            next = here + 1;
        }
        Ok(sequences)
    }

    /// Each meter as its step from the one after the row before's, modulo their number.
    fn meters<'a>(
        &self,
        fields: &mut Fields<'a>,
        reader: &mut Reader<'a>,
        rows: usize,
    ) -> Result<Vec<Option<usize>>> {
        let offset = reader.offset();
        let highest = i64::try_from(self.meters).unwrap_or(i64::MAX) - 1;
        let steps = if fields.find(reader, 2)? {
            read_nullable(reader, rows, "step to the meter", |offset, step| {
                limited(offset, "step to the meter", i128::from(step), (0, highest)).map(Some)
            })?
        } else if self.meters == 0 {
            return Err(fault(
                offset,
                "a record refers to a meter, and the batch has none",
            ));
        } else {
            vec![Some(0); rows]
        };
        let mut next = 0_usize;
        let index = |step: Option<i64>| {
            let step = usize::try_from(step?).unwrap_or_default();
            let index = (next + step).checked_rem(self.meters)?;
            next = index + 1;
            Some(index)
        };
        Ok(steps.into_iter().map(index).collect())
    }

    /// Every sequence of the batch has its record.
    pub(super) fn complete(&self, offset: usize) -> Result<()> {
        // No sequence comes twice, so as many rows as sequences cover them all.
        if self.rows == self.seen.len() {
            return Ok(());
        }
        Err(fault(
            offset,
            "the groups have fewer records than the batch says",
        ))
    }
}

impl Head {
    /// The meters of a group whose records all have one.
    pub(super) fn required_meters(&self) -> Result<Vec<usize>> {
        self.meters
            .iter()
            .map(|meter| {
                meter.ok_or_else(|| fault(self.offset, "a record of this kind needs a meter"))
            })
            .collect()
    }
}

pub(super) fn fault(offset: usize, what: &'static str) -> DecodeError {
    DecodeError {
        offset,
        fault: Fault::Inconsistent(what),
    }
}
