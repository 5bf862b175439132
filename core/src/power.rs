//! Integration of signed power samples.

use crate::calendar::in_range;
use crate::error::{IntegrationError, ReadingFault, TimeOutOfRange};
use crate::ledger::{Ledger, Pair};
use crate::outlet::Outlet;
use crate::record::{Closed, Direction, Event, EventKind};
use crate::schedule::FactorSchedule;
pub use crate::settings::PowerSettings;
use crate::state::{Kind, Reader, Writer};
use crate::trapezoid::{MAX_POWER_MW, QUANTA_PER_MWH, Step};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    time_ms: i64,
    power_mw: i64,
}

/// Integrates the power samples of one meter by trapezoid; every call is taken whole or not at all.
#[derive(Debug, Clone)]
pub struct PowerIntegrator {
    ledger: Ledger,
    max_gap_ms: i64,
    last: Option<Sample>,
    /// The quanta of energy that do not make a whole mWh yet.
    rest: Pair<i128>,
}

/// Cumulative mWh after `quanta` more, and the rest; None beyond 64 bits.
fn carry(base_mwh: i64, rest: i128, quanta: i128) -> Option<(i64, i128)> {
    let quanta = rest.checked_add(quanta)?;
    let whole = i64::try_from(quanta.div_euclid(QUANTA_PER_MWH)).ok()?;
    Some((
        base_mwh.checked_add(whole)?,
        quanta.rem_euclid(QUANTA_PER_MWH),
    ))
}

impl PowerIntegrator {
    /// An integrator that has seen nothing.
    ///
    /// # Errors
    /// For a setting out of range or an unknown time zone.
    pub fn new(settings: &PowerSettings<'_>) -> Result<Self, IntegrationError> {
        let max_gap_ms = settings.checked_gap()?;
        Ok(Self {
            ledger: Ledger::new(
                settings.interval_ms,
                settings.timezone,
                settings.measured_gap_ms,
            )?,
            max_gap_ms,
            last: None,
            rest: Pair::default(),
        })
    }

    /// Take samples in columns.
    ///
    /// # Errors
    /// For columns of different lengths or a sample that can't be taken; the integrator is then as before.
    pub fn feed(
        &mut self,
        times_ms: &[i64],
        power_mw: &[i64],
        schedule: &FactorSchedule,
    ) -> Result<Closed, IntegrationError> {
        if power_mw.len() != times_ms.len() {
            return Err(IntegrationError::Lengths {
                times: times_ms.len(),
                name: "power_mw",
                values: power_mw.len(),
            });
        }
        let mut next = self.clone();
        let mut out = Outlet::new(schedule);
        out.reserve(times_ms, next.ledger.interval_ms(), |_| ());
        if let Some(last) = next.last {
            next.ledger.use_slots(out.slot_ms, last.time_ms)?;
        }
        for (row, (&time_ms, &power_mw)) in times_ms.iter().zip(power_mw).enumerate() {
            next.take(Sample { time_ms, power_mw }, &mut out)
                .map_err(|fault| IntegrationError::Reading { row, fault })?;
        }
        *self = next;
        Ok(out.closed)
    }

    fn take(&mut self, sample: Sample, out: &mut Outlet) -> Result<(), ReadingFault> {
        if !in_range(sample.time_ms) {
            return Err(TimeOutOfRange(sample.time_ms).into());
        }
        if !(-MAX_POWER_MW..=MAX_POWER_MW).contains(&sample.power_mw) {
            return Err(ReadingFault::Power(sample.power_mw));
        }
        let Some(last) = self.last else {
            self.last = Some(sample);
            return self.ledger.begin(sample.time_ms, out);
        };
        let span = sample.time_ms - last.time_ms;
        let kind = if span <= 0 {
            EventKind::TimeBack
        } else if span > self.max_gap_ms {
            EventKind::Gap
        } else {
            self.last = Some(sample);
            return self.flow(last, sample, out);
        };
        out.closed.events.push(Event {
            time_ms: sample.time_ms,
            kind,
            direction: Direction::Both,
            before: last.time_ms,
            after: sample.time_ms,
        });
        if kind == EventKind::TimeBack {
            return Ok(());
        }
        self.last = Some(sample);
        self.ledger.uncovered(last.time_ms, sample.time_ms, out)
    }

    fn flow(&mut self, last: Sample, sample: Sample, out: &mut Outlet) -> Result<(), ReadingFault> {
        let span = sample.time_ms - last.time_ms;
        let step = Step::new(last.power_mw, sample.power_mw, span);
        let (base, rest) = (self.ledger.energy, self.rest);
        let all = step.before(span);
        let (forward, forward_rest) = carry(base.forward, rest.forward, all.forward)
            .ok_or(ReadingFault::EnergyOverflow("forward"))?;
        let (reverse, reverse_rest) = carry(base.reverse, rest.reverse, all.reverse)
            .ok_or(ReadingFault::EnergyOverflow("reverse"))?;
        let total = Pair { forward, reverse };
        let at = |boundary: i64| {
            let part = step.before(boundary - last.time_ms);
            // A part is never more than the whole, which fitted.
            Pair {
                forward: carry(base.forward, rest.forward, part.forward)
                    .map_or(total.forward, |(mwh, _)| mwh),
                reverse: carry(base.reverse, rest.reverse, part.reverse)
                    .map_or(total.reverse, |(mwh, _)| mwh),
            }
        };
        self.rest = Pair {
            forward: forward_rest,
            reverse: reverse_rest,
        };
        self.ledger
            .covered(last.time_ms, sample.time_ms, total, at, out)
    }

    /// Everything needed to go on after a restart.
    #[must_use]
    pub fn state(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::Power);
        writer.wide(self.rest.forward);
        writer.wide(self.rest.reverse);
        writer.flag(self.last.is_some());
        if let Some(last) = self.last {
            writer.int(last.time_ms);
            writer.int(last.power_mw);
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
        let mut reader = Reader::new(state, Kind::Power)?;
        next.rest = Pair {
            forward: reader.wide()?,
            reverse: reader.wide()?,
        };
        next.last = if reader.flag()? {
            Some(Sample {
                time_ms: reader.time()?,
                power_mw: reader.int()?,
            })
        } else {
            None
        };
        let whole = 0..QUANTA_PER_MWH;
        let power = next.last.map_or(0, |last| last.power_mw);
        if !whole.contains(&next.rest.forward)
            || !whole.contains(&next.rest.reverse)
            || !(-MAX_POWER_MW..=MAX_POWER_MW).contains(&power)
        {
            return Err(IntegrationError::State("a figure is out of range"));
        }
        reader.ledger(&mut next.ledger, next.last.map(|last| last.time_ms))?;
        reader.finish()?;
        *self = next;
        Ok(())
    }

    /// Cumulative energy forward at the last sample, mWh.
    #[must_use]
    pub fn forward_mwh(&self) -> i64 {
        self.ledger.energy.forward
    }

    /// Cumulative energy reverse at the last sample, mWh.
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

    /// Time of the last sample used.
    #[must_use]
    pub fn last_time_ms(&self) -> Option<i64> {
        self.last.map(|last| last.time_ms)
    }
}
