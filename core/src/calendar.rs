//! Local midnights: where daily (日冻结) and monthly (月冻结) freezes fall.
//!
//! A day starts at its first instant: 00:00, or where the clock jumps over midnight the first instant after the
//! jump, or where midnight comes twice the first one. The starts of successive dates make one rising sequence.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::error::{IntegrationError, TimeOutOfRange};

/// 0001-01-01T00:00Z and 9998-12-31T00:00Z: a margin of a year inside what the calendar computes.
const RANGE_MS: std::ops::Range<i64> = -62_135_596_800_000..253_370_678_400_000;

/// Whether the instant lies in the supported years (1 to 9998).
#[must_use]
pub fn in_range(time_ms: i64) -> bool {
    RANGE_MS.contains(&time_ms)
}

const DAY_MS: i64 = 86_400_000;

/// A stretch of time in which local time runs evenly: days in it are 24 hours long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Even {
    offset_ms: i64,
    until_ms: i64,
}

/// The calendar of one time zone, from the bundled database.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: TimeZone,
}

impl Calendar {
    /// The calendar of an IANA time zone.
    ///
    /// # Errors
    /// [`IntegrationError::TimeZone`] for an unknown name.
    pub fn new(name: &str) -> Result<Self, IntegrationError> {
        TimeZoneDatabase::bundled()
            .get(name)
            .map(|zone| Self { zone })
            .map_err(|_| IntegrationError::TimeZone {
                name: name.chars().take(60).collect(),
            })
    }

    fn date(&self, time_ms: i64) -> Result<Date, TimeOutOfRange> {
        let fault = TimeOutOfRange(time_ms);
        if !in_range(time_ms) {
            return Err(fault);
        }
        let instant = Timestamp::from_millisecond(time_ms).map_err(|_| fault)?;
        Ok(self.zone.to_datetime(instant).date())
    }

    fn start_of(&self, date: Date, time_ms: i64) -> Result<i64, TimeOutOfRange> {
        date.to_zoned(self.zone.clone())
            .and_then(|zoned| zoned.start_of_day())
            .map(|zoned| zoned.timestamp().as_millisecond())
            .map_err(|_| TimeOutOfRange(time_ms))
    }

    /// The local midnight at or before the instant.
    ///
    /// # Errors
    /// [`TimeOutOfRange`] outside the years 1 to 9998.
    pub fn day_start(&self, time_ms: i64) -> Result<i64, TimeOutOfRange> {
        let fault = || TimeOutOfRange(time_ms);
        // Where the clock falls back over midnight the date repeats: its successor may have begun already.
        let mut date = self.date(time_ms)?.tomorrow().map_err(|_| fault())?;
        loop {
            let start = self.start_of(date, time_ms)?;
            if start <= time_ms {
                return Ok(start);
            }
            date = date.yesterday().map_err(|_| fault())?;
        }
    }

    /// The first local midnight after the instant.
    ///
    /// # Errors
    /// [`TimeOutOfRange`] outside the years 1 to 9998.
    pub fn next_day_start(&self, time_ms: i64) -> Result<i64, TimeOutOfRange> {
        let mut date = self.date(time_ms)?;
        loop {
            date = date.tomorrow().map_err(|_| TimeOutOfRange(time_ms))?;
            let start = self.start_of(date, time_ms)?;
            if start > time_ms {
                return Ok(start);
            }
        }
    }

    /// The first local midnight of a month's first day after the instant.
    ///
    /// # Errors
    /// [`TimeOutOfRange`] outside the years 1 to 9998.
    pub fn next_month_start(&self, time_ms: i64) -> Result<i64, TimeOutOfRange> {
        let mut date = self.date(time_ms)?;
        loop {
            date = date
                .last_of_month()
                .tomorrow()
                .map_err(|_| TimeOutOfRange(time_ms))?;
            let start = self.start_of(date, time_ms)?;
            if start > time_ms {
                return Ok(start);
            }
        }
    }

    /// The even stretch that the instant lies in, up to the zone's next transition.
    pub(crate) fn even(&self, time_ms: i64) -> Result<Even, TimeOutOfRange> {
        let instant = Timestamp::from_millisecond(time_ms).map_err(|_| TimeOutOfRange(time_ms))?;
        let next = self.zone.following(instant).next();
        Ok(Even {
            offset_ms: i64::from(self.zone.to_offset(instant).seconds()) * 1000,
            until_ms: next.map_or(RANGE_MS.end, |next| next.timestamp().as_millisecond()),
        })
    }

    /// As [`Self::next_day_start`] for an instant that is a midnight itself, without asking the zone where local
    /// time runs evenly.
    pub(crate) fn after_midnight(
        &self,
        midnight_ms: i64,
        even: &mut Even,
    ) -> Result<i64, TimeOutOfRange> {
        let next = midnight_ms + DAY_MS;
        // A day that began after a jump of the clock did not begin at 00:00: the next one does.
        if next < even.until_ms && (midnight_ms + even.offset_ms).rem_euclid(DAY_MS) == 0 {
            return Ok(next);
        }
        *even = self.even(midnight_ms)?;
        self.next_day_start(midnight_ms)
    }
}
