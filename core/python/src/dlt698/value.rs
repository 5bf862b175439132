//! APDUs and data items as plain Python structures.

use diantan_core::dlt698::{self, Dar, DecodeError, EncodeError, Value};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple,
};

use super::{Dlt698DecodeError, Dlt698EncodeError};
use crate::names::name as python_name;

/// How deep a structure may be: an APDU of 16 lists in each other is not as deep.
const MAX_LEVELS: u32 = 64;

/// Decode an APDU.
#[pyfunction]
pub(crate) fn dlt698_decode_apdu<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    decoded(py, dlt698::decode_apdu(data))
}

/// Decode a data item.
#[pyfunction]
pub(crate) fn dlt698_decode_data<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    decoded(py, dlt698::decode_data(data))
}

/// Encode an APDU.
#[pyfunction]
pub(crate) fn dlt698_encode_apdu<'py>(apdu: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let value = from_python(apdu, MAX_LEVELS)?;
    encoded(apdu.py(), dlt698::encode_apdu(&value))
}

/// Encode a data item.
#[pyfunction]
pub(crate) fn dlt698_encode_data<'py>(item: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let value = from_python(item, MAX_LEVELS)?;
    encoded(item.py(), dlt698::encode_data(&value))
}

/// The name of a data access result.
#[pyfunction]
pub(crate) fn dlt698_dar_name(code: u8) -> &'static str {
    Dar::from(code).name()
}

fn decoded(py: Python<'_>, result: Result<Value, DecodeError>) -> PyResult<Bound<'_, PyAny>> {
    match result {
        Ok(value) => to_python(py, value),
        Err(error) => {
            let raised = Dlt698DecodeError::new_err(error.to_string());
            let value = raised.value(py);
            value.setattr("offset", error.offset)?;
            value.setattr("expected", error.expected)?;
            value.setattr("found", error.found)?;
            Err(raised)
        }
    }
}

fn encoded(py: Python<'_>, result: Result<Vec<u8>, EncodeError>) -> PyResult<Bound<'_, PyBytes>> {
    match result {
        Ok(bytes) => Ok(PyBytes::new(py, &bytes)),
        Err(error) => Err(refused(py, error)?),
    }
}

fn refused(py: Python<'_>, error: EncodeError) -> PyResult<PyErr> {
    let raised = Dlt698EncodeError::new_err(error.to_string());
    let value = raised.value(py);
    value.setattr("path", error.path)?;
    value.setattr("expected", error.expected)?;
    value.setattr("found", error.found)?;
    Ok(raised)
}

fn refuse(py: Python<'_>, expected: &str, found: String) -> PyErr {
    let error = EncodeError {
        path: "value".to_owned(),
        expected: expected.to_owned(),
        found,
    };
    refused(py, error).unwrap_or_else(|other| other)
}

fn to_python(py: Python<'_>, value: Value) -> PyResult<Bound<'_, PyAny>> {
    Ok(match value {
        Value::None => py.None().into_bound(py),
        Value::Bool(state) => PyBool::new(py, state).to_owned().into_any(),
        Value::Integer(number) => match i64::try_from(number) {
            Ok(short) => short.into_pyobject(py)?.into_any(),
            Err(_) => number.into_pyobject(py)?.into_any(),
        },
        Value::Float32(bits) => PyFloat::new(py, f64::from(f32::from_bits(bits))).into_any(),
        Value::Float64(bits) => PyFloat::new(py, f64::from_bits(bits)).into_any(),
        Value::Octets(bytes) => PyBytes::new(py, &bytes).into_any(),
        Value::Text(text) => PyString::new(py, &text).into_any(),
        Value::List(items) => {
            let items = items
                .into_iter()
                .map(|item| to_python(py, item))
                .collect::<PyResult<Vec<_>>>()?;
            PyList::new(py, items)?.into_any()
        }
        Value::Record(fields) => {
            let record = PyDict::new(py);
            for (name, field) in fields {
                record.set_item(python_name(py, name), to_python(py, field)?)?;
            }
            record.into_any()
        }
        Value::Choice(name, content) => {
            let name = python_name(py, name).into_any();
            PyTuple::new(py, [name, to_python(py, *content)?])?.into_any()
        }
    })
}

fn from_python(object: &Bound<'_, PyAny>, levels: u32) -> PyResult<Value<PyBackedStr>> {
    let py = object.py();
    let Some(below) = levels.checked_sub(1) else {
        return Err(refuse(
            py,
            "a structure of at most 64 levels",
            "one more".to_owned(),
        ));
    };
    if object.is_none() {
        return Ok(Value::None);
    }
    if let Ok(state) = object.cast::<PyBool>() {
        return Ok(Value::Bool(state.is_true()));
    }
    if let Ok(number) = object.cast::<PyInt>() {
        return number.extract::<i128>().map(Value::Integer).map_err(|_| {
            refuse(
                py,
                "an integer of at most 64 bits",
                "a longer one".to_owned(),
            )
        });
    }
    if let Ok(number) = object.cast::<PyFloat>() {
        return Ok(Value::Float64(number.value().to_bits()));
    }
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(Value::Octets(bytes.as_bytes().to_vec()));
    }
    if let Ok(bytes) = object.cast::<PyByteArray>() {
        return Ok(Value::Octets(bytes.to_vec()));
    }
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(Value::Text(text.to_str()?.to_owned()));
    }
    if let Ok(items) = object.cast::<PyList>() {
        let items = items.iter().map(|item| from_python(&item, below));
        return items.collect::<PyResult<_>>().map(Value::List);
    }
    if let Ok(record) = object.cast::<PyDict>() {
        let fields = record
            .iter()
            .map(|(name, field)| Ok((name_of(&name)?, from_python(&field, below)?)));
        return fields.collect::<PyResult<_>>().map(Value::Record);
    }
    if let Ok(pair) = object.cast::<PyTuple>() {
        let (name, content) = pair
            .extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()
            .map_err(|_| {
                refuse(
                    py,
                    "a tuple of name and value",
                    format!("a tuple of {}", pair.len()),
                )
            })?;
        let content = from_python(&content, below)?;
        return Ok(Value::Choice(name_of(&name)?, Box::new(content)));
    }
    let kind = object.get_type().name()?.to_string();
    Err(refuse(
        py,
        "None, bool, int, float, bytes, str, list, dict or a tuple of name and value",
        kind,
    ))
}

fn name_of(object: &Bound<'_, PyAny>) -> PyResult<PyBackedStr> {
    match object.cast::<PyString>() {
        Ok(name) => PyBackedStr::try_from(name.clone()),
        Err(_) => Err(refuse(
            object.py(),
            "a name",
            object.get_type().name()?.to_string(),
        )),
    }
}
