//! The receiver's hot path: a batch of records becomes row tuples that a database driver takes as they are.

use diantan_core::batch::{self, Detail};
use diantan_core::cbor;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use crate::errors::DecodeError;

/// A decoded batch of records.
#[pyclass(frozen, module = "diantan_core")]
pub(crate) struct RecordBatch(batch::RecordBatch);

/// Decode a batch strictly and within bounds.
#[pyfunction]
pub(crate) fn decode_batch(py: Python<'_>, payload: &[u8]) -> PyResult<RecordBatch> {
    batch::decode(payload)
        .map(RecordBatch)
        .map_err(|error| refused(py, &error))
}

/// Check that bytes are one deterministic CBOR item without tags and floats.
#[pyfunction]
pub(crate) fn check_cbor(py: Python<'_>, data: &[u8]) -> PyResult<()> {
    cbor::check(data).map_err(|error| refused(py, &error))
}

fn refused(py: Python<'_>, error: &cbor::DecodeError) -> PyErr {
    let raised = DecodeError::new_err(error.to_string());
    match raised.value(py).setattr("offset", error.offset) {
        Ok(()) => raised,
        Err(other) => other,
    }
}

/// Builds rows; the caller's key of the meter and its constants are shared by all of them.
struct Rows<'py> {
    py: Python<'py>,
    meter_keys: Vec<Bound<'py, PyAny>>,
    constants: Vec<Bound<'py, PyAny>>,
    current: Vec<Bound<'py, PyAny>>,
    finished: Vec<Bound<'py, PyTuple>>,
}

impl<'py> Rows<'py> {
    fn new(
        py: Python<'py>,
        batch: &batch::RecordBatch,
        meter_keys: &Bound<'py, PyAny>,
        constants: Option<&Bound<'py, PyTuple>>,
    ) -> PyResult<Self> {
        let meter_keys = meter_keys.try_iter()?.collect::<PyResult<Vec<_>>>()?;
        if meter_keys.len() != batch.meters.len() {
            return Err(PyValueError::new_err(format!(
                "expected {} meter keys, one for each of `meters`, got {}",
                batch.meters.len(),
                meter_keys.len()
            )));
        }
        let constants = constants.map_or_else(Vec::new, |constants| constants.iter().collect());
        Ok(Self {
            py,
            meter_keys,
            constants,
            current: Vec::with_capacity(24),
            finished: Vec::with_capacity(batch.count),
        })
    }

    fn item(&mut self, item: Bound<'py, PyAny>) {
        self.current.push(item);
    }

    fn integer(&mut self, value: i64) -> PyResult<()> {
        let item = value.into_pyobject(self.py)?.into_any();
        self.current.push(item);
        Ok(())
    }

    fn integers<const N: usize>(&mut self, values: [i64; N]) -> PyResult<()> {
        values.into_iter().try_for_each(|value| self.integer(value))
    }

    fn nullable(&mut self, value: Option<i64>) -> PyResult<()> {
        if let Some(value) = value {
            return self.integer(value);
        }
        self.current.push(self.py.None().into_bound(self.py));
        Ok(())
    }

    /// Begin a row with its sequence and the caller's key of the meter; without a meter that is None.
    fn begin(&mut self, sequence: i64, meter: Option<usize>) -> PyResult<()> {
        self.integer(sequence)?;
        let key = meter.and_then(|meter| self.meter_keys.get(meter));
        let key = key.map_or_else(|| self.py.None().into_bound(self.py), Bound::clone);
        self.current.push(key);
        Ok(())
    }

    fn end(&mut self) -> PyResult<()> {
        self.current.extend_from_slice(&self.constants);
        self.finished
            .push(PyTuple::new(self.py, self.current.drain(..))?);
        Ok(())
    }

    fn finish(self) -> PyResult<Bound<'py, PyList>> {
        PyList::new(self.py, self.finished)
    }
}

#[pymethods]
impl RecordBatch {
    #[getter]
    fn schema(&self) -> u8 {
        self.0.schema
    }

    #[getter]
    fn gateway(&self) -> &str {
        &self.0.gateway
    }

    #[getter]
    fn context<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.context)
    }

    #[getter]
    fn first(&self) -> i64 {
        self.0.first
    }

    #[getter]
    fn count(&self) -> usize {
        self.0.count
    }

    #[getter]
    fn created_ms(&self) -> i64 {
        self.0.created_ms
    }

    #[getter]
    fn clock_state(&self) -> i64 {
        self.0.clock_state
    }

    #[getter]
    fn meters(&self) -> Vec<&str> {
        self.0.meters.iter().map(String::as_str).collect()
    }

    /// Interval records as rows.
    #[pyo3(signature = (meter_keys, constants = None))]
    fn interval_rows<'py>(
        &self,
        py: Python<'py>,
        meter_keys: &Bound<'py, PyAny>,
        constants: Option<&Bound<'py, PyTuple>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let mut rows = Rows::new(py, &self.0, meter_keys, constants)?;
        for record in &self.0.intervals {
            rows.begin(record.sequence, Some(record.meter))?;
            rows.integers([
                record.start_ms,
                record.duration_ms,
                record.forward_mwh,
                record.reverse_mwh,
                record.forward_total_mwh,
                record.reverse_total_mwh,
            ])?;
            rows.nullable(record.factor)?;
            rows.integers([
                record.factor_quality,
                record.carbon_forward_ug,
                record.carbon_reverse_ug,
                record.carbon_forward_total_ug,
                record.carbon_reverse_total_ug,
                record.readings,
                record.quality,
            ])?;
            rows.end()?;
        }
        rows.finish()
    }

    /// Freeze records as rows.
    #[pyo3(signature = (meter_keys, constants = None))]
    fn freeze_rows<'py>(
        &self,
        py: Python<'py>,
        meter_keys: &Bound<'py, PyAny>,
        constants: Option<&Bound<'py, PyTuple>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let mut rows = Rows::new(py, &self.0, meter_keys, constants)?;
        for record in &self.0.freezes {
            rows.begin(record.sequence, Some(record.meter))?;
            rows.integers([
                record.time_ms,
                record.kind,
                record.forward_total_mwh,
                record.reverse_total_mwh,
                record.carbon_forward_total_ug,
                record.carbon_reverse_total_ug,
                record.source,
            ])?;
            rows.end()?;
        }
        rows.finish()
    }

    /// Adjustment records as rows.
    #[pyo3(signature = (meter_keys, constants = None))]
    fn adjustment_rows<'py>(
        &self,
        py: Python<'py>,
        meter_keys: &Bound<'py, PyAny>,
        constants: Option<&Bound<'py, PyTuple>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let mut rows = Rows::new(py, &self.0, meter_keys, constants)?;
        for record in &self.0.adjustments {
            rows.begin(record.sequence, Some(record.meter))?;
            rows.integers([
                record.start_ms,
                record.duration_ms,
                record.forward_mwh,
                record.reverse_mwh,
            ])?;
            rows.nullable(record.factor_used)?;
            rows.nullable(record.factor_now)?;
            rows.integers([record.carbon_forward_ug, record.carbon_reverse_ug])?;
            rows.item(PyBytes::new(py, &record.solve_id).into_any());
            rows.end()?;
        }
        rows.finish()
    }

    /// Event records as rows.
    fn event_rows<'py>(
        &self,
        py: Python<'py>,
        meter_keys: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyList>> {
        let mut rows = Rows::new(py, &self.0, meter_keys, None)?;
        for record in &self.0.events {
            rows.begin(record.sequence, record.meter)?;
            rows.integers([record.time_ms, record.code])?;
            let details = PyDict::new(py);
            for (key, value) in &record.details {
                match value {
                    Detail::Integer(number) => details.set_item(key, number)?,
                    Detail::Text(text) => details.set_item(key, text)?,
                }
            }
            rows.item(details.into_any());
            rows.end()?;
        }
        rows.finish()
    }
}
