//! What is known of one meter's registers, from Python.

use std::convert::Infallible;
use std::sync::Arc;

use diantan_core::estimation::MAX_WINDOWS;
use diantan_core::registers as core;
use pyo3::prelude::*;
use pyo3::types::PyInt;

use crate::estimation::EstimationError;
use crate::register_column::RegisterColumn;

/// An energy in mWh; nearly every one fits the machine's own integers, which become Python's far quicker.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mwh(pub(crate) i128);

impl<'py> IntoPyObject<'py> for Mwh {
    type Target = PyInt;
    type Output = Bound<'py, PyInt>;
    type Error = Infallible;

    fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, Self::Error> {
        match i64::try_from(self.0) {
            Ok(small) => small.into_pyobject(py),
            Err(_) => self.0.into_pyobject(py),
        }
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Mwh {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match value.extract::<i64>() {
            Ok(small) => Ok(Self(small.into())),
            Err(_) => value.extract().map(Self),
        }
    }
}

/// A register at an instant.
#[pyclass(module = "diantan_core", frozen, eq)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct RegisterKnown(core::Known);

#[pymethods]
impl RegisterKnown {
    #[getter]
    fn time_ms(&self) -> i64 {
        self.0.time_ms
    }

    #[getter]
    fn forward_mwh(&self) -> Mwh {
        Mwh(self.0.forward_mwh)
    }

    #[getter]
    fn reverse_mwh(&self) -> Mwh {
        Mwh(self.0.reverse_mwh)
    }

    #[getter]
    fn net_mwh(&self) -> Mwh {
        Mwh(self.0.net_mwh())
    }

    #[getter]
    fn segment(&self) -> u64 {
        self.0.segment
    }

    fn __repr__(&self) -> String {
        format!(
            "<RegisterKnown: {} ms, {} mWh, {} mWh, segment {}>",
            self.0.time_ms, self.0.forward_mwh, self.0.reverse_mwh, self.0.segment
        )
    }
}

/// Where a register was another one.
#[pyclass(module = "diantan_core", frozen, eq)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct RegisterJump(core::Jump);

#[pymethods]
impl RegisterJump {
    #[getter]
    fn before_ms(&self) -> i64 {
        self.0.before_ms
    }

    #[getter]
    fn time_ms(&self) -> i64 {
        self.0.time_ms
    }

    #[getter]
    fn before_mwh(&self) -> Mwh {
        Mwh(self.0.before_mwh)
    }

    #[getter]
    fn after_mwh(&self) -> Mwh {
        Mwh(self.0.after_mwh)
    }

    fn __repr__(&self) -> String {
        format!(
            "<RegisterJump: {} mWh at {} ms, {} mWh at {} ms>",
            self.0.before_mwh, self.0.before_ms, self.0.after_mwh, self.0.time_ms
        )
    }
}

/// Instants at which a register is known.
#[pyclass(module = "diantan_core", frozen)]
pub(crate) struct RegisterInstants(core::Instants);

#[pymethods]
impl RegisterInstants {
    #[getter]
    fn first_ms(&self) -> Option<i64> {
        self.0.first_ms()
    }

    /// How many there are among first, first + step, … before end.
    fn count(&self, first_ms: i64, end_ms: i64, step_ms: i64) -> usize {
        self.0.count(first_ms, end_ms, step_ms)
    }
}

/// What is known of one meter's registers.
#[pyclass(module = "diantan_core", frozen)]
pub(crate) struct RegisterHistory(pub(crate) Arc<core::History>);

fn listed(known: &[core::Known]) -> Vec<RegisterKnown> {
    known.iter().copied().map(RegisterKnown).collect()
}

#[pymethods]
impl RegisterHistory {
    #[new]
    fn new() -> Self {
        Self(Arc::default())
    }

    #[getter]
    fn known(&self) -> Vec<RegisterKnown> {
        listed(self.0.known())
    }

    /// What is known, as plain numbers.
    #[getter]
    fn nets(&self) -> Vec<(i64, Mwh, u64)> {
        let known = self.0.known().iter();
        known
            .map(|one| (one.time_ms, Mwh(one.net_mwh()), one.segment))
            .collect()
    }

    #[getter]
    fn breaks(&self) -> Vec<i64> {
        self.0.breaks().to_vec()
    }

    #[getter]
    fn jumps(&self) -> Vec<RegisterJump> {
        self.0.jumps().iter().copied().map(RegisterJump).collect()
    }

    #[getter]
    fn unclear(&self) -> u64 {
        self.0.unclear()
    }

    #[getter]
    fn imported(&self) -> bool {
        self.0.imported()
    }

    /// What the intervals that begin in a span counted.
    fn counted_mwh(&self, first_ms: i64, end_ms: i64) -> Mwh {
        Mwh(self.0.counted_mwh(first_ms, end_ms))
    }

    /// What is known in a span, and one instant before and after.
    fn between(&self, first_ms: i64, last_ms: i64) -> Vec<RegisterKnown> {
        listed(self.0.between(first_ms, last_ms))
    }

    /// What was counted over spans.
    fn over(&self, spans: Vec<(i64, i64)>) -> Vec<Option<(i64, Mwh)>> {
        let spans = spans.into_iter();
        spans
            .map(|(first_ms, last_ms)| self.0.over(first_ms, last_ms))
            .map(|found| found.map(|(length_ms, energy)| (length_ms, Mwh(energy))))
            .collect()
    }

    #[getter]
    fn step_mwh(&self) -> u128 {
        self.0.step_mwh()
    }

    /// The instants at which it is known.
    #[pyo3(signature = (*, standing = false))]
    fn instants(&self, standing: bool) -> RegisterInstants {
        RegisterInstants(self.0.instants(standing))
    }

    /// The net register on a grid of times.
    #[pyo3(signature = (begin_ms, count, every = 1))]
    fn column(&self, begin_ms: i64, count: usize, every: usize) -> PyResult<RegisterColumn> {
        if count > MAX_WINDOWS {
            return Err(EstimationError::new_err(format!(
                "{count} instants: expected at most {MAX_WINDOWS}"
            )));
        }
        Ok(RegisterColumn(self.0.column(begin_ms, count, every)))
    }

    fn __repr__(&self) -> String {
        format!("<RegisterHistory: {} known>", self.0.known().len())
    }
}
