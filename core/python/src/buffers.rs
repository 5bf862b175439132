//! Columns of floats and times, from buffers or sequences.

use pyo3::buffer::{ElementType, PyUntypedBuffer};
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;

use crate::estimation::EstimationError;

/// Whether a buffer has its numbers the other way round: the typed buffer looks at their size only.
fn foreign(format: &[u8]) -> bool {
    let orders: [u8; 2] = if cfg!(target_endian = "little") {
        *b">!"
    } else {
        *b"<<"
    };
    format.first().is_some_and(|order| orders.contains(order))
}

/// A copy of a buffer whose elements are `kind`, None where the value lends no such buffer.
fn buffer<T: pyo3::buffer::Element>(
    value: &Bound<'_, PyAny>,
    name: &str,
    kind: ElementType,
    zero: T,
) -> PyResult<Option<Vec<T>>> {
    let Ok(buffer) = PyUntypedBuffer::get(value) else {
        return Ok(None);
    };
    let format = buffer.format();
    if buffer.dimensions() != 1
        || ElementType::from_format(format) != kind
        || foreign(format.to_bytes())
    {
        return Err(EstimationError::new_err(format!(
            "{name}: expected one dimension of 64-bit numbers of this machine, got {} of format {:?}",
            buffer.dimensions(),
            format.to_string_lossy()
        )));
    }
    // An empty array.array points nowhere in particular, which the typed buffer takes for misaligned.
    if buffer.item_count() == 0 {
        return Ok(Some(Vec::new()));
    }
    let buffer = buffer.into_typed::<T>()?;
    let mut copy = vec![zero; buffer.item_count()];
    buffer.copy_to_slice(value.py(), &mut copy)?;
    Ok(Some(copy))
}

/// The same error with the column's name: the conversion of a value knows none.
fn named(py: Python<'_>, name: &str, error: PyErr) -> PyErr {
    let known =
        error.is_instance_of::<PyTypeError>(py) || error.is_instance_of::<PyOverflowError>(py);
    if known {
        PyErr::from_type(error.get_type(py), format!("{name}: {}", error.value(py)))
    } else {
        error
    }
}

/// Floats from a buffer of doubles or any sequence; None is NaN.
pub(crate) fn floats(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Vec<f64>> {
    if let Some(values) = buffer(value, name, ElementType::Float { bytes: 8 }, 0.0)? {
        return Ok(values);
    }
    let values: PyResult<Vec<Option<f64>>> = value.extract();
    Ok(values
        .map_err(|error| named(value.py(), name, error))?
        .into_iter()
        .map(|value| value.unwrap_or(f64::NAN))
        .collect())
}

/// Times from a buffer of signed 64-bit integers or any sequence.
pub(crate) fn times(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Vec<i64>> {
    match buffer(value, name, ElementType::SignedInteger { bytes: 8 }, 0)? {
        Some(values) => Ok(values),
        None => value
            .extract()
            .map_err(|error| named(value.py(), name, error)),
    }
}

pub(crate) fn columns(values: &[Bound<'_, PyAny>], name: &str) -> PyResult<Vec<Vec<f64>>> {
    let numbered = values.iter().enumerate();
    numbered
        .map(|(column, value)| floats(value, &format!("{name} {column}")))
        .collect()
}
