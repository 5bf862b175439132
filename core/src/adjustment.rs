//! What late and corrected factors add to a carbon register.

use crate::error::QuantityError;
use crate::quantity::Factor;

/// The exact carbon that changes of factor have added, ng; it may be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AdjustmentRegister {
    forward_ng: i128,
    reverse_ng: i128,
}

fn overflow() -> QuantityError {
    QuantityError::OutOfRange {
        what: "adjustment register",
        text: "after this change".to_owned(),
        expected: "64 bits of µg",
    }
}

fn change(
    register_ng: i128,
    energy_mwh: i64,
    used: Option<Factor>,
    now: Option<Factor>,
) -> Result<(i128, i64), QuantityError> {
    let mg = |factor: Option<Factor>| factor.map_or(0, |f| i128::from(f.mg_per_kwh()));
    let after = i128::from(energy_mwh)
        .checked_mul(mg(now) - mg(used))
        .and_then(|ng| register_ng.checked_add(ng))
        .ok_or_else(overflow)?;
    let ug = |ng: i128| i64::try_from(ng.div_euclid(1000)).map_err(|_| overflow());
    let difference = ug(after)?
        .checked_sub(ug(register_ng)?)
        .ok_or_else(overflow)?;
    Ok((after, difference))
}

impl AdjustmentRegister {
    /// A register that holds so much already.
    ///
    /// # Errors
    /// When it leaves 64 bits of µg.
    pub fn new(forward_ng: i128, reverse_ng: i128) -> Result<Self, QuantityError> {
        for ng in [forward_ng, reverse_ng] {
            i64::try_from(ng.div_euclid(1000)).map_err(|_| overflow())?;
        }
        Ok(Self {
            forward_ng,
            reverse_ng,
        })
    }

    /// Account one interval's change of factor (None counts as no carbon); return the changes of the
    /// floored forward and reverse register in µg.
    ///
    /// # Errors
    /// When a register leaves 64 bits of µg; nothing is changed then.
    pub fn apply(
        &mut self,
        forward_mwh: i64,
        reverse_mwh: i64,
        used: Option<Factor>,
        now: Option<Factor>,
    ) -> Result<(i64, i64), QuantityError> {
        let (forward_after, forward_change) = change(self.forward_ng, forward_mwh, used, now)?;
        let (reverse_after, reverse_change) = change(self.reverse_ng, reverse_mwh, used, now)?;
        self.forward_ng = forward_after;
        self.reverse_ng = reverse_after;
        Ok((forward_change, reverse_change))
    }

    /// The exact forward adjustment, ng.
    #[must_use]
    pub const fn forward_ng(&self) -> i128 {
        self.forward_ng
    }

    /// The exact reverse adjustment, ng.
    #[must_use]
    pub const fn reverse_ng(&self) -> i128 {
        self.reverse_ng
    }
}
