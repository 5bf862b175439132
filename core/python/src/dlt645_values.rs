//! The values of DL/T 645-2007's data identifiers for Python.

use diantan_core::dlt645::{
    self, Format, Item, Moment, Number, Part, Value, decode_fields, encode_fields,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyInt, PyString, PyTuple};

use crate::dlt645::{raised, refused};
use crate::names::name;

/// What a data identifier stands for.
#[pyclass(frozen, module = "diantan_core")]
pub(crate) struct Dlt645Item(Item);

#[pymethods]
impl Dlt645Item {
    #[getter]
    fn di(&self) -> u32 {
        self.0.identifier
    }

    #[getter]
    fn name(&self) -> String {
        self.0.name()
    }

    #[getter]
    fn name_zh(&self) -> String {
        self.0.chinese()
    }

    #[getter]
    fn formats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.fields.iter().map(|field| field.format))
    }

    #[getter]
    fn units<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.fields.iter().map(|field| field.unit))
    }

    #[getter]
    fn repeats(&self) -> bool {
        self.0.repeats
    }

    fn __repr__(&self) -> String {
        format!("<Dlt645Item {:08X} {}>", self.0.identifier, self.0.name())
    }
}

/// The item of a data identifier, if the table knows it.
#[pyfunction]
pub(crate) fn dlt645_item(di: u32) -> Option<Dlt645Item> {
    Item::find(di).map(Dlt645Item)
}

/// The formats to use and whether they repeat: the caller's, or the table's.
fn layout(
    py: Python<'_>,
    di: u32,
    formats: Option<Vec<String>>,
    repeats: bool,
) -> PyResult<(Vec<Format>, bool)> {
    let (formats, repeats) = match (formats, Item::find(di)) {
        (Some(texts), _) => (dlt645::formats(texts.iter().map(String::as_str)), repeats),
        (None, Some(item)) => (item.formats(), item.repeats),
        (None, None) => {
            let text =
                format!("expected a data identifier of the table or formats for it, got {di:08X}");
            return Err(raised(py, text, 0));
        }
    };
    let formats = formats.map_err(|error| refused(py, &error))?;
    Ok((formats, repeats))
}

/// The values in the data behind a data identifier.
#[pyfunction]
#[pyo3(signature = (di, data, formats = None, *, repeats = false))]
pub(crate) fn dlt645_decode<'py>(
    py: Python<'py>,
    di: u32,
    data: &[u8],
    formats: Option<Vec<String>>,
    repeats: bool,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let (formats, repeats) = layout(py, di, formats, repeats)?;
    let values = decode_fields(&formats, repeats, data).map_err(|error| refused(py, &error))?;
    values
        .into_iter()
        .map(|value| to_python(py, value))
        .collect()
}

/// The data of values, to go behind a data identifier.
#[pyfunction]
#[pyo3(signature = (di, values, formats = None, *, repeats = false))]
pub(crate) fn dlt645_encode<'py>(
    py: Python<'py>,
    di: u32,
    values: &Bound<'py, PyAny>,
    formats: Option<Vec<String>>,
    repeats: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let (formats, repeats) = layout(py, di, formats, repeats)?;
    let values = values
        .try_iter()?
        .map(|value| from_python(&value?))
        .collect::<PyResult<Vec<_>>>()?;
    encode_fields(&formats, repeats, &values)
        .map(|data| PyBytes::new(py, &data))
        .map_err(|error| refused(py, &error))
}

fn to_python(py: Python<'_>, value: Value) -> PyResult<Bound<'_, PyAny>> {
    Ok(match value {
        Value::Number(number) => (number.mantissa, number.exponent)
            .into_pyobject(py)?
            .into_any(),
        Value::Moment(moment) => moment_to_python(py, &moment)?.into_any(),
        Value::Text(text) => PyString::new(py, &text).into_any(),
        Value::Bits(word) => word.into_pyobject(py)?.into_any(),
        Value::Raw(data) => PyBytes::new(py, &data).into_any(),
    })
}

fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    if value.is_instance_of::<PyBool>() {
        return Err(PyTypeError::new_err(
            "expected a value of a field, got a bool",
        ));
    }
    if value.is_instance_of::<PyInt>() {
        return value.extract().map(Value::Bits);
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(Value::Text(text.to_string()));
    }
    if let Ok(data) = value.cast::<PyBytes>() {
        return Ok(Value::Raw(data.as_bytes().to_vec()));
    }
    if let Ok(parts) = value.cast::<PyDict>() {
        return moment_from_python(parts).map(Value::Moment);
    }
    let (mantissa, exponent) = value.extract::<(i64, i32)>()?;
    Ok(Value::Number(Number { mantissa, exponent }))
}

pub(crate) fn moment_to_python<'py>(
    py: Python<'py>,
    moment: &Moment,
) -> PyResult<Bound<'py, PyDict>> {
    let parts = PyDict::new(py);
    for part in Part::ALL {
        if let Some(number) = moment.get(part) {
            parts.set_item(name(py, part.name()), number)?;
        }
    }
    Ok(parts)
}

pub(crate) fn moment_from_python(parts: &Bound<'_, PyDict>) -> PyResult<Moment> {
    let mut known = Vec::new();
    for (name, number) in parts {
        let name: String = name.extract()?;
        let part = Part::ALL.into_iter().find(|part| part.name() == name);
        let part = part.ok_or_else(|| {
            raised(
                parts.py(),
                format!("expected year, month, day, weekday, hour, minute or second, got {name:?}"),
                0,
            )
        })?;
        known.push((part, number.extract()?));
    }
    Ok(Moment::of(&known))
}
