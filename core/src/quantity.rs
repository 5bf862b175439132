//! Energy, carbon and factor: integers that carry their unit in their type.

use crate::decimal::{format_scaled, parse_scaled};
use crate::error::QuantityError;

/// Decimals of kWh in 1 mWh, and of kg/kWh in 1 mg/kWh.
const MICRO: i32 = 6;
/// Decimals of kg in 1 ng.
const PICO: i32 = 12;

/// An amount of energy (电能量): an integer of 1 mWh = 10⁻⁶ kWh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Energy(i64);

/// An amount of carbon dioxide (电碳排放量): an integer of 1 ng = 10⁻¹² kg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Carbon(i128);

/// A carbon factor (电碳因子): an integer of 1 mg/kWh = 10⁻⁶ kgCO₂/kWh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Factor(u32);

fn out_of_range(what: &'static str, text: &str, expected: &'static str) -> QuantityError {
    QuantityError::OutOfRange {
        what,
        text: text.to_owned(),
        expected,
    }
}

const ENERGY_RANGE: &str = "64 bits of mWh";
const CARBON_RANGE: &str = "128 bits of ng";
const FACTOR_RANGE: &str = "0 to 4294.967295 kg/kWh";

impl Energy {
    /// An energy of so many mWh.
    #[must_use]
    pub const fn from_mwh(mwh: i64) -> Self {
        Self(mwh)
    }

    /// Parse a decimal number of kWh.
    ///
    /// # Errors
    /// When it is no decimal, finer than 1 mWh, or out of range.
    pub fn parse_kwh(text: &str) -> Result<Self, QuantityError> {
        let mwh = parse_scaled(text, MICRO, "energy", "1 mWh (0.000001 kWh)")?;
        i64::try_from(mwh)
            .map(Self)
            .map_err(|_| out_of_range("energy", text, ENERGY_RANGE))
    }

    /// The number of mWh.
    #[must_use]
    pub const fn mwh(self) -> i64 {
        self.0
    }

    /// The number of kWh, with six decimals.
    #[must_use]
    pub fn kwh_text(self) -> String {
        format_scaled(i128::from(self.0), 6)
    }

    /// The sum.
    ///
    /// # Errors
    /// When it leaves 64 bits.
    pub fn checked_add(self, other: Self) -> Result<Self, QuantityError> {
        self.0
            .checked_add(other.0)
            .map(Self)
            .ok_or_else(|| out_of_range("energy", "of the sum", ENERGY_RANGE))
    }

    /// The difference.
    ///
    /// # Errors
    /// When it leaves 64 bits.
    pub fn checked_sub(self, other: Self) -> Result<Self, QuantityError> {
        self.0
            .checked_sub(other.0)
            .map(Self)
            .ok_or_else(|| out_of_range("energy", "of the difference", ENERGY_RANGE))
    }

    /// The energy with the other sign.
    ///
    /// # Errors
    /// When it leaves 64 bits.
    pub fn checked_neg(self) -> Result<Self, QuantityError> {
        Self(0).checked_sub(self)
    }

    /// The carbon of this energy at a factor, exactly: mWh · mg/kWh = ng.
    #[must_use]
    pub fn carbon(self, factor: Factor) -> Carbon {
        Carbon(i128::from(self.0) * i128::from(factor.0))
    }
}

impl Carbon {
    /// A carbon of so many ng.
    #[must_use]
    pub const fn from_ng(ng: i128) -> Self {
        Self(ng)
    }

    /// Parse a decimal number of kg.
    ///
    /// # Errors
    /// When it is no decimal, finer than 1 ng, or out of range.
    pub fn parse_kg(text: &str) -> Result<Self, QuantityError> {
        parse_scaled(text, PICO, "carbon", "1 ng (0.000000000001 kg)").map(Self)
    }

    /// The number of ng.
    #[must_use]
    pub const fn ng(self) -> i128 {
        self.0
    }

    /// Whole µg, floored.
    #[must_use]
    pub const fn ug(self) -> i128 {
        self.0.div_euclid(1000)
    }

    /// The number of kg, with twelve decimals.
    #[must_use]
    pub fn kg_text(self) -> String {
        format_scaled(self.0, 12)
    }

    /// The sum.
    ///
    /// # Errors
    /// When it leaves 128 bits.
    pub fn checked_add(self, other: Self) -> Result<Self, QuantityError> {
        self.0
            .checked_add(other.0)
            .map(Self)
            .ok_or_else(|| out_of_range("carbon", "of the sum", CARBON_RANGE))
    }

    /// The difference.
    ///
    /// # Errors
    /// When it leaves 128 bits.
    pub fn checked_sub(self, other: Self) -> Result<Self, QuantityError> {
        self.0
            .checked_sub(other.0)
            .map(Self)
            .ok_or_else(|| out_of_range("carbon", "of the difference", CARBON_RANGE))
    }

    /// The carbon with the other sign.
    ///
    /// # Errors
    /// When it leaves 128 bits.
    pub fn checked_neg(self) -> Result<Self, QuantityError> {
        Self(0).checked_sub(self)
    }
}

impl Factor {
    /// A factor of so many mg/kWh.
    #[must_use]
    pub const fn from_mg_per_kwh(mg_per_kwh: u32) -> Self {
        Self(mg_per_kwh)
    }

    /// Parse a decimal number of kg/kWh.
    ///
    /// # Errors
    /// When it is no decimal, finer than 1 mg/kWh, negative or out of range.
    pub fn parse_kg_per_kwh(text: &str) -> Result<Self, QuantityError> {
        let mg = parse_scaled(text, MICRO, "carbon factor", "1 mg/kWh (0.000001 kg/kWh)")?;
        u32::try_from(mg)
            .map(Self)
            .map_err(|_| out_of_range("carbon factor", text, FACTOR_RANGE))
    }

    /// The number of mg/kWh.
    #[must_use]
    pub const fn mg_per_kwh(self) -> u32 {
        self.0
    }

    /// The number of kg/kWh, with six decimals.
    #[must_use]
    pub fn kg_per_kwh_text(self) -> String {
        format_scaled(i128::from(self.0), 6)
    }
}
