//! The settings of the integrators and their checks.

use crate::error::IntegrationError;
use crate::step::Limits;
use crate::trapezoid::MAX_STEP_MS;

/// Settings of a [`crate::register::RegisterIntegrator`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisterSettings<'a> {
    /// Interval length, ms: a divisor of 900 000, at least a minute.
    pub interval_ms: i64,
    /// IANA time zone of the local midnights.
    pub timezone: &'a str,
    /// The register counts modulo this, mWh.
    pub rollover_mwh: Option<i64>,
    /// The most power the meter can have seen, mW.
    pub max_power_mw: Option<i64>,
    /// Steps up to this length count as measured, ms.
    pub measured_gap_ms: i64,
    /// One unit of the register, mWh: a rise by it is never a jump.
    pub resolution_mwh: i64,
}

impl Default for RegisterSettings<'_> {
    fn default() -> Self {
        Self {
            interval_ms: 900_000,
            timezone: "Asia/Shanghai",
            rollover_mwh: None,
            max_power_mw: None,
            measured_gap_ms: 120_000,
            resolution_mwh: 10_000,
        }
    }
}

/// Settings of a [`crate::power::PowerIntegrator`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerSettings<'a> {
    /// Interval length, ms: a divisor of 900 000, at least a minute.
    pub interval_ms: i64,
    /// IANA time zone of the local midnights.
    pub timezone: &'a str,
    /// Longer steps are not integrated, ms: at most an hour.
    pub max_gap_ms: i64,
    /// Steps up to this length count as measured, ms.
    pub measured_gap_ms: i64,
}

impl Default for PowerSettings<'_> {
    fn default() -> Self {
        Self {
            interval_ms: 900_000,
            timezone: "Asia/Shanghai",
            max_gap_ms: 300_000,
            measured_gap_ms: 120_000,
        }
    }
}

fn positive(name: &'static str, value: Option<i64>) -> Result<(), IntegrationError> {
    match value {
        Some(value) if value <= 0 => Err(IntegrationError::Setting {
            name,
            value,
            expected: "more than 0",
        }),
        _ => Ok(()),
    }
}

impl RegisterSettings<'_> {
    pub(crate) fn limits(&self) -> Result<Limits, IntegrationError> {
        positive("rollover_mwh", self.rollover_mwh)?;
        positive("max_power_mw", self.max_power_mw)?;
        if self.resolution_mwh < 0 {
            return Err(IntegrationError::Setting {
                name: "resolution_mwh",
                value: self.resolution_mwh,
                expected: "0 or more",
            });
        }
        Ok(Limits {
            rollover_mwh: self.rollover_mwh,
            max_power_mw: self.max_power_mw,
            resolution_mwh: self.resolution_mwh,
        })
    }
}

impl PowerSettings<'_> {
    pub(crate) fn checked_gap(&self) -> Result<i64, IntegrationError> {
        if !(1..=MAX_STEP_MS).contains(&self.max_gap_ms) {
            return Err(IntegrationError::Setting {
                name: "max_gap_ms",
                value: self.max_gap_ms,
                expected: "1 to 3600000 (an hour)",
            });
        }
        Ok(self.max_gap_ms)
    }
}
