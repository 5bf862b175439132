//! A meter's register on a grid of times, from Python.

use diantan_core::registers as core;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;

use crate::register_history::Mwh;

/// A net register at instants one slot apart.
#[pyclass(module = "diantan_core", frozen)]
pub(crate) struct RegisterColumn(pub(crate) core::Column);

#[pymethods]
impl RegisterColumn {
    /// From values.
    #[new]
    fn new(begin_ms: i64, net_mwh: Vec<Option<Mwh>>) -> Self {
        let cells = net_mwh.into_iter().map(|cell| cell.map(|cell| cell.0));
        Self(core::Column::new(begin_ms, cells.collect()))
    }

    #[getter]
    fn any(&self) -> bool {
        self.0.any()
    }

    fn __getitem__(&self, place: usize) -> PyResult<Option<Mwh>> {
        let cells = self.0.net_mwh();
        match cells.get(place) {
            Some(cell) => Ok(cell.map(Mwh)),
            None => Err(PyIndexError::new_err(format!(
                "instant {place} of {}",
                cells.len()
            ))),
        }
    }

    fn __len__(&self) -> usize {
        self.0.net_mwh().len()
    }

    fn __repr__(&self) -> String {
        format!(
            "<RegisterColumn: {} instants from {} ms>",
            self.0.net_mwh().len(),
            self.0.begin_ms()
        )
    }
}
