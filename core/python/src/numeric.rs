//! Relative error, rounding and carbon residuals.

use diantan_core::relative_error as core_error;
use diantan_core::residual::carbon_residual_ng;
use diantan_core::rounding::{self, Rational, RoundingUnit};
use num_bigint::BigInt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt};

use crate::convert::{
    column, decimal_text, decimal_type, fraction_type, quantity_i128, to_decimal,
};
use crate::errors::{IntegrationError, quantity};

/// Return ε = (C − C₀)/C₀ exactly; `CoreError` when `true` is 0 or a value leaves i128.
#[pyfunction]
#[pyo3(signature = (indicated, r#true))]
pub(crate) fn relative_error<'py>(
    py: Python<'py>,
    indicated: &Bound<'py, PyAny>,
    r#true: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let indicated = quantity_i128(indicated, "indicated value")?;
    let true_value = quantity_i128(r#true, "true value")?;
    let ratio =
        core_error::relative_error(indicated, true_value).map_err(|error| quantity(&error))?;
    fraction_type(py)?.call1((ratio.numerator, ratio.denominator))
}

fn rational(value: &Bound<'_, PyAny>) -> PyResult<Rational> {
    let py = value.py();
    let typed = |result: Result<Rational, _>| result.map_err(|error| quantity(&error));
    if value.is_instance(decimal_type(py)?)? {
        return typed(Rational::from_decimal(value.str()?.to_str()?));
    }
    let whole = value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>();
    if whole || value.is_instance(fraction_type(py)?)? {
        let numerator: BigInt = value.getattr("numerator")?.extract()?;
        let denominator: BigInt = value.getattr("denominator")?.extract()?;
        return typed(Rational::new(numerator, denominator));
    }
    Err(PyTypeError::new_err(format!(
        "expected a Fraction, Decimal or int, got {} {}",
        value.get_type().name()?,
        value.repr()?
    )))
}

/// Round once to a multiple of `unit`, half to even on an exact tie only (GB/T 8170, interval method).
#[pyfunction]
pub(crate) fn round_to_interval<'py>(
    py: Python<'py>,
    value: &Bound<'py, PyAny>,
    unit: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let unit = RoundingUnit::parse(&decimal_text(unit)?).map_err(|error| quantity(&error))?;
    to_decimal(py, &rounding::round_to_interval(&rational(value)?, &unit))
}

/// Return `carbon_ug·1000 − energy·factor` per row (factor -1, undefined, counts as 0).
#[pyfunction]
pub(crate) fn carbon_residuals_ng(
    py: Python<'_>,
    energy_mwh: &Bound<'_, PyAny>,
    factor: &Bound<'_, PyAny>,
    carbon_ug: &Bound<'_, PyAny>,
) -> PyResult<Vec<i128>> {
    let energies = column(energy_mwh, "energy_mwh")?;
    let factors = column(factor, "factor")?;
    let carbons = column(carbon_ug, "carbon_ug")?;
    if factors.len() != energies.len() || carbons.len() != energies.len() {
        return Err(IntegrationError::new_err(format!(
            "columns of different lengths: {} energies, {} factors, {} carbons",
            energies.len(),
            factors.len(),
            carbons.len()
        )));
    }
    py.detach(|| {
        let rows = energies.iter().zip(&factors).zip(&carbons);
        rows.map(|((&energy, &factor), &carbon)| carbon_residual_ng(energy, factor, carbon))
            .collect::<Result<Vec<_>, _>>()
    })
    .map_err(|error| quantity(&error))
}
