//! Dates and times as DL/T 645 writes them: pairs of digits in a stated order, such as `YYMMDDhhmm`.

use std::fmt;

use super::{Dlt645Error, Fault, Result, bcd};

/// One pair of digits of a date or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `YY`, the year within its century.
    Year,
    /// `MM`.
    Month,
    /// `DD`.
    Day,
    /// `WW`, 0 is Sunday.
    Weekday,
    /// `hh`.
    Hour,
    /// `mm`.
    Minute,
    /// `ss`.
    Second,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 7] = [
        Self::Year,
        Self::Month,
        Self::Day,
        Self::Weekday,
        Self::Hour,
        Self::Minute,
        Self::Second,
    ];

    /// Its letters in the standard's notation.
    #[must_use]
    pub const fn letters(self) -> &'static str {
        match self {
            Self::Year => "YY",
            Self::Month => "MM",
            Self::Day => "DD",
            Self::Weekday => "WW",
            Self::Hour => "hh",
            Self::Minute => "mm",
            Self::Second => "ss",
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Month => "month",
            Self::Day => "day",
            Self::Weekday => "weekday",
            Self::Hour => "hour",
            Self::Minute => "minute",
            Self::Second => "second",
        }
    }

    /// Least and greatest value in the calendar.
    const fn limits(self) -> (u8, u8) {
        match self {
            Self::Year => (0, 99),
            Self::Month => (1, 12),
            Self::Day => (1, 31),
            Self::Weekday => (0, 6),
            Self::Hour => (0, 23),
            Self::Minute | Self::Second => (0, 59),
        }
    }
}

/// The order of the parts, the high one first; on the wire the low one comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout(Vec<Part>);

impl Layout {
    /// Read the standard's notation, such as `YYMMDDhhmmss`; None if it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let part = Part::ALL
                .into_iter()
                .find(|part| rest.starts_with(part.letters()))?;
            if parts.contains(&part) {
                return None;
            }
            parts.push(part);
            rest = rest.get(2..)?;
        }
        (!parts.is_empty()).then_some(Self(parts))
    }

    /// A layout of parts, the high one first.
    #[must_use]
    pub fn of(parts: &[Part]) -> Self {
        Self(parts.to_vec())
    }

    /// The number of bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        self.0.len()
    }

    /// Read bytes that begin at `offset`; one for each part.
    pub(super) fn read(&self, offset: usize, data: &[u8]) -> Result<Moment> {
        let mut moment = Moment::default();
        for (index, (part, byte)) in self.0.iter().rev().zip(data).enumerate() {
            moment.set(*part, bcd::read(offset + index, *byte)?);
        }
        Ok(moment)
    }

    /// The bytes of a moment that has exactly these parts.
    pub(super) fn write(&self, offset: usize, moment: &Moment) -> Result<Vec<u8>> {
        if let Some(part) = Part::ALL
            .into_iter()
            .find(|part| moment.get(*part).is_some() != self.0.contains(part))
        {
            return Err(Dlt645Error::new(
                offset,
                Fault::Unexpected {
                    expected: "exactly the parts of the format",
                    found: format!("format {self} and {} {:?}", part.name(), moment.get(part)),
                },
            ));
        }
        let parts = self.0.iter().rev().enumerate();
        parts
            .map(|(index, part)| {
                let number = moment.get(*part).unwrap_or_default();
                bcd::write(offset + index, part.name(), number)
            })
            .collect()
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|part| formatter.write_str(part.letters()))
    }
}

/// A date or time of which only some parts may be known. Read from a meter's data it is what the meter says, which
/// may be 00 for what never happened or 99 for any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment([Option<u8>; 7]);

impl Moment {
    /// A moment of some parts.
    #[must_use]
    pub fn of(parts: &[(Part, u8)]) -> Self {
        let mut moment = Self::default();
        for (part, number) in parts {
            moment.set(*part, *number);
        }
        moment
    }

    /// A part, if it is known.
    #[must_use]
    pub fn get(&self, part: Part) -> Option<u8> {
        self.0.get(part as usize).copied().flatten()
    }

    fn set(&mut self, part: Part, number: u8) {
        if let Some(place) = self.0.get_mut(part as usize) {
            *place = Some(number);
        }
    }

    /// Refuse a part outside the calendar, unless it is 99 and that is allowed.
    pub(super) fn check(&self, offset: usize, any: bool) -> Result<()> {
        for part in Part::ALL {
            let (low, high) = part.limits();
            if let Some(found) = self.get(part)
                && !(low..=high).contains(&found)
                && !(any && found == 99)
            {
                return Err(Dlt645Error::new(
                    offset,
                    Fault::Range {
                        what: part.name(),
                        low: i64::from(low),
                        high: i64::from(high),
                        found: i64::from(found),
                    },
                ));
            }
        }
        Ok(())
    }
}
