//! Integration of cumulative registers.

use crate::calendar::in_range;
use crate::error::{IntegrationError, ReadingFault, TimeOutOfRange};
use crate::intervals::Room;
use crate::ledger::{Ledger, MAX_SPAN_MS, Pair};
use crate::outlet::Outlet;
use crate::record::{Closed, Direction, Event, EventKind};
use crate::schedule::FactorSchedule;
pub use crate::settings::RegisterSettings;
use crate::split::share_before;
use crate::state::{Kind, Reader, Writer};
use crate::step::{Change, Limits};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reading {
    time_ms: i64,
    forward: i64,
    reverse: i64,
}

/// Integrates the cumulative registers of one meter; every call is taken whole or not at all.
#[derive(Debug, Clone)]
pub struct RegisterIntegrator {
    ledger: Ledger,
    limits: Limits,
    last: Option<Reading>,
    exchange_pending: bool,
}

impl RegisterIntegrator {
    /// An integrator that has seen nothing.
    ///
    /// # Errors
    /// For a setting out of range or an unknown time zone.
    pub fn new(settings: &RegisterSettings<'_>) -> Result<Self, IntegrationError> {
        let limits = settings.limits()?;
        Ok(Self {
            ledger: Ledger::new(
                settings.interval_ms,
                settings.timezone,
                settings.measured_gap_ms,
            )?,
            limits,
            last: None,
            exchange_pending: false,
        })
    }

    /// Take readings in columns; `exchanged` says that the first of them is a new meter's.
    ///
    /// # Errors
    /// For columns of different lengths or a reading that can't be taken; the integrator is then as before.
    pub fn feed(
        &mut self,
        times_ms: &[i64],
        forward_mwh: &[i64],
        reverse_mwh: &[i64],
        schedule: &FactorSchedule,
        exchanged: bool,
    ) -> Result<Closed, IntegrationError> {
        let columns = (times_ms, forward_mwh, reverse_mwh);
        self.feed_with(columns, schedule, exchanged, |_| ())
    }

    /// As [`Self::feed`], with the columns of times, forward and reverse registers together; `room` sees the memory
    /// that is set aside for the closed intervals.
    ///
    /// # Errors
    /// As [`Self::feed`].
    pub fn feed_with(
        &mut self,
        (times_ms, forward_mwh, reverse_mwh): (&[i64], &[i64], &[i64]),
        schedule: &FactorSchedule,
        exchanged: bool,
        room: Room,
    ) -> Result<Closed, IntegrationError> {
        for (name, values) in [("forward", forward_mwh), ("reverse", reverse_mwh)] {
            if values.len() != times_ms.len() {
                return Err(IntegrationError::Lengths {
                    times: times_ms.len(),
                    name,
                    values: values.len(),
                });
            }
        }
        let mut next = self.clone();
        next.exchange_pending |= exchanged;
        let mut out = Outlet::new(schedule);
        out.reserve(times_ms, next.ledger.interval_ms(), room);
        if let Some(last) = next.last {
            next.ledger.use_slots(out.slot_ms, last.time_ms)?;
        }
        // The last reading stays in a local of its own, that is in registers, and not behind `next`.
        let mut last = next.last;
        let rows = times_ms.iter().zip(forward_mwh).zip(reverse_mwh);
        for (row, ((&time_ms, &forward), &reverse)) in rows.enumerate() {
            let reading = Reading {
                time_ms,
                forward,
                reverse,
            };
            let used = next
                .take(last, reading, &mut out)
                .map_err(|fault| IntegrationError::Reading { row, fault })?;
            if used {
                last = Some(reading);
            }
        }
        next.last = last;
        *self = next;
        Ok(out.closed)
    }

    /// Take the last reading as one of another time: the clock that dated it was wrong.
    ///
    /// The open interval closes as partial, with the energy it has (or, if `time_ms` lies in it, will close as partial);
    /// the next reading's difference counts from `time_ms` on. Nothing happens before the first reading.
    ///
    /// # Errors
    /// For a time out of range or a carbon register beyond its range; the integrator is then as before.
    pub fn relocate(
        &mut self,
        time_ms: i64,
        schedule: &FactorSchedule,
    ) -> Result<Closed, IntegrationError> {
        let mut next = self.clone();
        let mut out = Outlet::new(schedule);
        if let Some(last) = &mut next.last {
            let fault = |fault| IntegrationError::Reading { row: 0, fault };
            if !in_range(time_ms) {
                return Err(fault(TimeOutOfRange(time_ms).into()));
            }
            next.ledger.use_slots(out.slot_ms, last.time_ms)?;
            last.time_ms = time_ms;
            next.ledger.relocate(time_ms, &mut out).map_err(fault)?;
        }
        *self = next;
        Ok(out.closed)
    }

    /// Take one reading after the last one; say whether it was used.
    #[inline]
    fn take(
        &mut self,
        last: Option<Reading>,
        reading: Reading,
        out: &mut Outlet,
    ) -> Result<bool, ReadingFault> {
        if !in_range(reading.time_ms) {
            return Err(TimeOutOfRange(reading.time_ms).into());
        }
        if reading.forward < 0 {
            return Err(ReadingFault::NegativeRegister("forward", reading.forward));
        }
        if reading.reverse < 0 {
            return Err(ReadingFault::NegativeRegister("reverse", reading.reverse));
        }
        let Some(last) = last else {
            self.ledger.energy = Pair {
                forward: reading.forward,
                reverse: reading.reverse,
            };
            self.exchange_pending = false;
            self.ledger.begin(reading.time_ms, out)?;
            return Ok(true);
        };
        let span = reading.time_ms - last.time_ms;
        if span <= 0 {
            out.closed.events.push(Event {
                time_ms: reading.time_ms,
                kind: EventKind::TimeBack,
                direction: Direction::Both,
                before: last.time_ms,
                after: reading.time_ms,
            });
            return Ok(false);
        }
        if self.exchange_pending || span > MAX_SPAN_MS {
            self.interrupted(last, reading, out)?;
            return Ok(true);
        }
        let forward = self.limits.classify(last.forward, reading.forward, span);
        let reverse = self.limits.classify(last.reverse, reading.reverse, span);
        if let (Change::Rise(forward), Change::Rise(reverse)) = (forward, reverse) {
            self.flow(last.time_ms, span, Pair { forward, reverse }, out)?;
        } else {
            self.irregular(last, reading, Pair { forward, reverse }, out)?;
        }
        Ok(true)
    }

    #[inline]
    fn flow(
        &mut self,
        from_ms: i64,
        span: i64,
        moved: Pair<i64>,
        out: &mut Outlet,
    ) -> Result<(), ReadingFault> {
        let base = self.ledger.energy;
        let energy = Pair {
            forward: base
                .forward
                .checked_add(moved.forward)
                .ok_or(ReadingFault::EnergyOverflow("forward"))?,
            reverse: base
                .reverse
                .checked_add(moved.reverse)
                .ok_or(ReadingFault::EnergyOverflow("reverse"))?,
        };
        let at = |boundary: i64| Pair {
            forward: base.forward + share_before(moved.forward, boundary - from_ms, span),
            reverse: base.reverse + share_before(moved.reverse, boundary - from_ms, span),
        };
        self.ledger
            .covered(from_ms, from_ms + span, energy, at, out)
    }

    /// A step in which a register rolled over, was reset or jumped.
    #[cold]
    fn irregular(
        &mut self,
        last: Reading,
        reading: Reading,
        change: Pair<Change>,
        out: &mut Outlet,
    ) -> Result<(), ReadingFault> {
        let mut moved = Pair::default();
        let mut broken = false;
        let registers = [
            (
                Direction::Forward,
                change.forward,
                last.forward,
                reading.forward,
                &mut moved.forward,
            ),
            (
                Direction::Reverse,
                change.reverse,
                last.reverse,
                reading.reverse,
                &mut moved.reverse,
            ),
        ];
        for (direction, change, before, after, moved) in registers {
            let kind = match change {
                Change::Rise(rise) => {
                    *moved = rise;
                    continue;
                }
                Change::Rollover(rise) => {
                    *moved = rise;
                    EventKind::Rollover
                }
                Change::Reset => EventKind::Reset,
                Change::Jump => EventKind::Jump,
            };
            broken |= kind != EventKind::Rollover;
            out.closed.events.push(Event {
                time_ms: reading.time_ms,
                kind,
                direction,
                before,
                after,
            });
        }
        if broken {
            self.ledger.uncovered(last.time_ms, reading.time_ms, out)
        } else {
            self.flow(last.time_ms, reading.time_ms - last.time_ms, moved, out)
        }
    }

    /// A step across an exchange of the meter, or too long to say anything about.
    #[cold]
    fn interrupted(
        &mut self,
        last: Reading,
        reading: Reading,
        out: &mut Outlet,
    ) -> Result<(), ReadingFault> {
        let time_ms = reading.time_ms;
        if time_ms - last.time_ms > MAX_SPAN_MS {
            out.closed.events.push(Event {
                time_ms,
                kind: EventKind::Gap,
                direction: Direction::Both,
                before: last.time_ms,
                after: time_ms,
            });
        }
        let kind = if self.exchange_pending {
            EventKind::Exchange
        } else {
            EventKind::Jump
        };
        self.exchange_pending = false;
        for (direction, before, after) in [
            (Direction::Forward, last.forward, reading.forward),
            (Direction::Reverse, last.reverse, reading.reverse),
        ] {
            out.closed.events.push(Event {
                time_ms,
                kind,
                direction,
                before,
                after,
            });
        }
        self.ledger.uncovered(last.time_ms, time_ms, out)
    }

    /// Everything needed to go on after a restart.
    #[must_use]
    pub fn state(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::Register);
        writer.flag(self.exchange_pending);
        writer.flag(self.last.is_some());
        if let Some(last) = self.last {
            writer.int(last.time_ms);
            writer.int(last.forward);
            writer.int(last.reverse);
        }
        writer.ledger(&self.ledger);
        writer.finish()
    }

    /// Take over a state written by [`Self::state`]; the settings stay this integrator's.
    ///
    /// # Errors
    /// [`IntegrationError::State`] when it is not one; the integrator is then as before.
    pub fn restore(&mut self, state: &[u8]) -> Result<(), IntegrationError> {
        let mut next = self.clone();
        let mut reader = Reader::new(state, Kind::Register)?;
        next.exchange_pending = reader.flag()?;
        next.last = if reader.flag()? {
            Some(Reading {
                time_ms: reader.time()?,
                forward: reader.natural()?,
                reverse: reader.natural()?,
            })
        } else {
            None
        };
        reader.ledger(&mut next.ledger, next.last.map(|last| last.time_ms))?;
        reader.finish()?;
        *self = next;
        Ok(())
    }

    /// Cumulative energy forward at the last reading, mWh.
    #[must_use]
    pub fn forward_mwh(&self) -> i64 {
        self.ledger.energy.forward
    }

    /// Cumulative energy reverse at the last reading, mWh.
    #[must_use]
    pub fn reverse_mwh(&self) -> i64 {
        self.ledger.energy.reverse
    }

    /// Exact carbon forward of the closed intervals, ng.
    #[must_use]
    pub fn carbon_forward_ng(&self) -> i128 {
        self.ledger.carbon.forward.ng()
    }

    /// Exact carbon reverse of the closed intervals, ng.
    #[must_use]
    pub fn carbon_reverse_ng(&self) -> i128 {
        self.ledger.carbon.reverse.ng()
    }

    /// Energy forward of closed intervals whose factor was undefined, mWh.
    #[must_use]
    pub fn pending_forward_mwh(&self) -> i64 {
        self.ledger.pending.forward
    }

    /// Energy reverse of closed intervals whose factor was undefined, mWh.
    #[must_use]
    pub fn pending_reverse_mwh(&self) -> i64 {
        self.ledger.pending.reverse
    }

    /// Time of the last reading used.
    #[must_use]
    pub fn last_time_ms(&self) -> Option<i64> {
        self.last.map(|last| last.time_ms)
    }
}
