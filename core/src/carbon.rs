//! A cumulative carbon register that never falls.

use crate::quantity::Factor;

const NG_PER_UG: u64 = 1000;

/// An exact carbon register in ng, kept as whole µg and a rest, which is how it leaves the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct CarbonRegister {
    ug: i64,
    rest_ng: u16,
}

impl CarbonRegister {
    /// Take a register back from its ng; None when it is negative or its µg leave 64 bits.
    pub(crate) fn from_ng(ng: i128) -> Option<Self> {
        if ng < 0 {
            return None;
        }
        Some(Self {
            ug: i64::try_from(ng / i128::from(NG_PER_UG)).ok()?,
            rest_ng: u16::try_from(ng % i128::from(NG_PER_UG)).ok()?,
        })
    }

    /// Whole µg, floored.
    #[inline]
    pub(crate) fn ug(self) -> i64 {
        self.ug
    }

    /// The exact register.
    pub(crate) fn ng(self) -> i128 {
        i128::from(self.ug) * i128::from(NG_PER_UG) + i128::from(self.rest_ng)
    }

    /// Add the carbon of an energy; return the change in whole µg. None when the register leaves 64 bits.
    #[inline]
    pub(crate) fn add(&mut self, energy_mwh: i64, factor: Factor) -> Option<i64> {
        if energy_mwh == 0 {
            return Some(0);
        }
        let energy = u64::try_from(energy_mwh).ok()?;
        let small = energy
            .checked_mul(u64::from(factor.mg_per_kwh()))
            .and_then(|ng| ng.checked_add(u64::from(self.rest_ng)));
        let (ug, rest) = if let Some(ng) = small {
            (i64::try_from(ng / NG_PER_UG).ok()?, ng % NG_PER_UG)
        } else {
            let ng =
                u128::from(energy) * u128::from(factor.mg_per_kwh()) + u128::from(self.rest_ng);
            let rest = u64::try_from(ng % u128::from(NG_PER_UG)).ok()?;
            (i64::try_from(ng / u128::from(NG_PER_UG)).ok()?, rest)
        };
        self.ug = self.ug.checked_add(ug)?;
        self.rest_ng = u16::try_from(rest).ok()?;
        Some(ug)
    }
}
