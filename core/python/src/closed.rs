//! What a call closed, as rows or as columns.

use std::sync::Arc;

use diantan_core::intervals::{COLUMN_NAMES, COLUMNS, UNDEFINED};
use diantan_core::record as core;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::column::Column;

/// What one call of `feed` closed, in order of time.
#[pyclass(module = "diantan_core", frozen)]
pub(crate) struct Closed(Arc<core::Closed>);

impl Closed {
    pub(crate) fn new(closed: core::Closed) -> Self {
        Self(Arc::new(closed))
    }
}

/// The place of the factor among the columns: the one that has None in a row.
const FACTOR: usize = 6;

static COLUMNS_TYPE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The named tuple `Columns`.
pub(crate) fn columns_type(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    COLUMNS_TYPE
        .get_or_try_init(py, || {
            let options = PyDict::new(py);
            options.set_item("module", "diantan_core")?;
            py.import("collections")?
                .getattr("namedtuple")?
                .call(("Columns", COLUMN_NAMES), Some(&options))
                .map(Bound::unbind)
        })
        .map(|columns| columns.bind(py))
}

#[pymethods]
impl Closed {
    #[getter]
    fn intervals<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let columns = self.0.intervals.columns();
        let rows = PyList::empty(py);
        for row in 0..self.0.intervals.len() {
            let mut cells = Vec::with_capacity(COLUMNS);
            for (index, column) in columns.iter().enumerate() {
                cells.push(match column.get(row) {
                    Some(&UNDEFINED) if index == FACTOR => py.None().into_bound(py),
                    cell => cell.into_pyobject(py)?,
                });
            }
            rows.append(PyTuple::new(py, cells)?)?;
        }
        Ok(rows)
    }

    #[getter]
    fn freezes(&self) -> Vec<(i64, u8, i64, i64, i64, i64, u8)> {
        let rows = self.0.freezes.iter().map(|freeze| {
            (
                freeze.time_ms,
                freeze.kind as u8,
                freeze.forward_mwh,
                freeze.reverse_mwh,
                freeze.carbon_forward_ug,
                freeze.carbon_reverse_ug,
                freeze.quality as u8,
            )
        });
        rows.collect()
    }

    #[getter]
    fn events(&self) -> Vec<(i64, u8, u8, i64, i64)> {
        let rows = self.0.events.iter().map(|event| {
            (
                event.time_ms,
                event.kind as u8,
                event.direction as u8,
                event.before,
                event.after,
            )
        });
        rows.collect()
    }

    /// The closed intervals as columns: read-only views of native 64-bit integers.
    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let columns = (0..COLUMNS)
            .map(|index| Column::view(py, &self.0, index))
            .collect::<PyResult<Vec<_>>>()?;
        columns_type(py)?.call1(PyTuple::new(py, columns)?)
    }

    fn __len__(&self) -> usize {
        self.0.intervals.len()
    }

    fn __repr__(&self) -> String {
        format!(
            "<Closed: {} intervals, {} freezes, {} events>",
            self.0.intervals.len(),
            self.0.freezes.len(),
            self.0.events.len()
        )
    }
}
