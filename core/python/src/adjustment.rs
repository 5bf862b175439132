//! The adjustment register as a Python class.

use diantan_core::adjustment as core;
use pyo3::prelude::*;

use crate::convert::{optional_factor, quantity_i64, quantity_i128};
use crate::errors::{QuantityError, quantity};

/// The exact carbon that late and corrected factors have added to one meter's register (may be negative).
#[pyclass(module = "diantan_core")]
pub(crate) struct AdjustmentRegister(core::AdjustmentRegister);

#[pymethods]
impl AdjustmentRegister {
    #[new]
    #[pyo3(signature = (forward_ng = None, reverse_ng = None))]
    fn new(
        forward_ng: Option<&Bound<'_, PyAny>>,
        reverse_ng: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let ng = |value: Option<&Bound<'_, PyAny>>, name| {
            value.map_or(Ok(0), |value| quantity_i128(value, name))
        };
        core::AdjustmentRegister::new(ng(forward_ng, "forward_ng")?, ng(reverse_ng, "reverse_ng")?)
            .map(Self)
            .map_err(|error| quantity(&error))
    }

    /// Account one interval's change of factor; return the (forward, reverse) change of the floored register, µg.
    fn apply(
        &mut self,
        forward_mwh: &Bound<'_, PyAny>,
        reverse_mwh: &Bound<'_, PyAny>,
        factor_used: Option<&Bound<'_, PyAny>>,
        factor_now: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<(i64, i64)> {
        self.0
            .apply(
                quantity_i64(forward_mwh, "forward_mwh")?,
                quantity_i64(reverse_mwh, "reverse_mwh")?,
                optional_factor(factor_used, QuantityError::new_err)?,
                optional_factor(factor_now, QuantityError::new_err)?,
            )
            .map_err(|error| quantity(&error))
    }

    #[getter]
    fn forward_ng(&self) -> i128 {
        self.0.forward_ng()
    }

    #[getter]
    fn reverse_ng(&self) -> i128 {
        self.0.reverse_ng()
    }
}
