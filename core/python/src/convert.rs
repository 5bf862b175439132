//! Python numbers and buffers to Rust ones, each refusal typed and named.

use diantan_core::quantity::Factor;
use pyo3::buffer::{ElementType, PyUntypedBuffer};
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyInt, PyString, PyType};

use crate::column::prefer_large_pages;
use crate::errors::{IntegrationError, QuantityError, ScheduleError};

static DECIMAL: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static FRACTION: PyOnceLock<Py<PyType>> = PyOnceLock::new();

pub(crate) fn decimal_type(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    DECIMAL.import(py, "decimal", "Decimal")
}

pub(crate) fn fraction_type(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    FRACTION.import(py, "fractions", "Fraction")
}

/// A `Decimal` from its text.
pub(crate) fn to_decimal<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    decimal_type(py)?.call1((text,))
}

/// The text of a `Decimal`, str or int; a float is refused, since its digits are not what was written.
pub(crate) fn decimal_text(value: &Bound<'_, PyAny>) -> PyResult<String> {
    let exact = value.is_instance_of::<PyString>()
        || (value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>())
        || value.is_instance(decimal_type(value.py())?)?;
    if !exact {
        let kind = value.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "expected a Decimal, str or int, got {kind} {}",
            value.repr()?
        )));
    }
    Ok(value.str()?.to_str()?.to_owned())
}

/// An integer of type `T`; one out of its range raises `refuse`.
fn integer<'py, T>(
    value: &Bound<'py, PyAny>,
    refuse: impl FnOnce(String) -> PyErr,
    name: &str,
    expected: &str,
) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py, Error = PyErr>,
{
    value.extract::<T>().map_err(|error| {
        if error.is_instance_of::<PyOverflowError>(value.py()) {
            refuse(format!("{name} {value}: expected {expected}"))
        } else {
            error
        }
    })
}

/// A 64-bit integer of a quantity.
pub(crate) fn quantity_i64(value: &Bound<'_, PyAny>, name: &str) -> PyResult<i64> {
    integer(value, QuantityError::new_err, name, "64 bits")
}

/// A 128-bit integer of a quantity.
pub(crate) fn quantity_i128(value: &Bound<'_, PyAny>, name: &str) -> PyResult<i128> {
    integer(value, QuantityError::new_err, name, "128 bits")
}

/// A setting or an instant given to an integrator or the calendar; beyond 64 bits it raises `IntegrationError`.
#[derive(Clone, Copy)]
pub(crate) struct Whole(pub(crate) i64);

impl<'a, 'py> FromPyObject<'a, 'py> for Whole {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        integration_i64(&value, "integer").map(Self)
    }
}

/// A length or an instant given to a schedule; beyond 64 bits it raises `ScheduleError`.
#[derive(Clone, Copy)]
pub(crate) struct ScheduleWhole(pub(crate) i64);

impl<'a, 'py> FromPyObject<'a, 'py> for ScheduleWhole {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        integer(&value, ScheduleError::new_err, "integer", "64 bits").map(Self)
    }
}

/// A 64-bit integer given to an integrator.
pub(crate) fn integration_i64(value: &Bound<'_, PyAny>, name: &str) -> PyResult<i64> {
    integer(value, IntegrationError::new_err, name, "64 bits")
}

/// A carbon factor in mg/kWh.
pub(crate) fn factor(
    value: &Bound<'_, PyAny>,
    refuse: impl FnOnce(String) -> PyErr,
) -> PyResult<Factor> {
    integer::<u32>(value, refuse, "carbon factor", "0 to 4294967295 mg/kWh")
        .map(Factor::from_mg_per_kwh)
}

/// A carbon factor in mg/kWh, or None.
pub(crate) fn optional_factor(
    value: Option<&Bound<'_, PyAny>>,
    refuse: impl FnOnce(String) -> PyErr,
) -> PyResult<Option<Factor>> {
    value.map(|value| factor(value, refuse)).transpose()
}

/// A copy of a one-dimensional buffer of signed 64-bit integers.
pub(crate) fn column(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Vec<i64>> {
    let refuse = |error: PyErr| {
        IntegrationError::new_err(format!(
            "{name}: expected a buffer of signed 64-bit integers: {error}"
        ))
    };
    let buffer = PyUntypedBuffer::get(value).map_err(refuse)?;
    if buffer.dimensions() != 1 {
        return Err(IntegrationError::new_err(format!(
            "{name}: expected one dimension, got {}",
            buffer.dimensions()
        )));
    }
    let foreign: [u8; 2] = if cfg!(target_endian = "little") {
        *b">!"
    } else {
        *b"<<"
    };
    let format = buffer.format().to_bytes();
    // The typed buffer looks at the size only, and would take the bytes of each value the wrong way round.
    if format.first().is_some_and(|order| foreign.contains(order)) {
        return Err(IntegrationError::new_err(format!(
            "{name}: expected the byte order of this machine, got the format {:?}",
            String::from_utf8_lossy(format)
        )));
    }
    let signed_64 = ElementType::SignedInteger { bytes: 8 };
    if buffer.item_count() == 0 && ElementType::from_format(buffer.format()) == signed_64 {
        // An empty array.array points nowhere in particular, which the typed buffer takes for misaligned.
        return Ok(Vec::new());
    }
    let buffer = buffer.into_typed::<i64>().map_err(refuse)?;
    let mut copy = vec![0; buffer.item_count()];
    prefer_large_pages(&mut copy);
    buffer.copy_to_slice(value.py(), &mut copy)?;
    Ok(copy)
}
