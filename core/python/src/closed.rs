//! What a call closed, as rows or as columns.

use diantan_core::record::{self as core, Interval};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

/// What one call of `feed` closed, in order of time.
#[pyclass(module = "diantan_core", frozen)]
pub(crate) struct Closed(pub(crate) core::Closed);

const COLUMNS: usize = 14;
const COLUMN_NAMES: [&str; COLUMNS] = [
    "start_ms",
    "duration_ms",
    "forward_mwh",
    "reverse_mwh",
    "forward_total_mwh",
    "reverse_total_mwh",
    "factor",
    "factor_quality",
    "carbon_forward_ug",
    "carbon_reverse_ug",
    "carbon_forward_total_ug",
    "carbon_reverse_total_ug",
    "readings",
    "quality",
];

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

fn factor_or_none<'py>(py: Python<'py>, interval: &Interval) -> PyResult<Bound<'py, PyAny>> {
    Ok(match interval.factor {
        Some(factor) => factor.mg_per_kwh().into_pyobject(py)?.into_any(),
        None => py.None().into_bound(py),
    })
}

fn factor_or_minus_one(row: &Interval) -> i64 {
    row.factor
        .map_or(-1, |factor| i64::from(factor.mg_per_kwh()))
}

fn interval_row<'py>(py: Python<'py>, interval: &Interval) -> PyResult<Bound<'py, PyTuple>> {
    let int = |value: i64| value.into_pyobject(py).map(Bound::into_any);
    PyTuple::new(
        py,
        [
            int(interval.start_ms)?,
            int(interval.duration_ms)?,
            int(interval.forward_mwh)?,
            int(interval.reverse_mwh)?,
            int(interval.forward_total_mwh)?,
            int(interval.reverse_total_mwh)?,
            factor_or_none(py, interval)?,
            int(i64::from(interval.factor_quality as u8))?,
            int(interval.carbon_forward_ug)?,
            int(interval.carbon_reverse_ug)?,
            int(interval.carbon_forward_total_ug)?,
            int(interval.carbon_reverse_total_ug)?,
            int(i64::from(interval.readings))?,
            int(i64::from(interval.quality as u8))?,
        ],
    )
}

fn column<'py>(
    py: Python<'py>,
    rows: &[Interval],
    read: impl Fn(&Interval) -> i64,
) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, rows.len() * 8, |bytes| {
        for (cell, row) in bytes.chunks_exact_mut(8).zip(rows) {
            cell.copy_from_slice(&read(row).to_ne_bytes());
        }
        Ok(())
    })
}

#[pymethods]
impl Closed {
    #[getter]
    fn intervals<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let rows = PyList::empty(py);
        for interval in &self.0.intervals {
            rows.append(interval_row(py, interval)?)?;
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

    /// The closed intervals as columns of native 64-bit integers.
    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let rows = &self.0.intervals;
        let columns: [Bound<'py, PyBytes>; COLUMNS] = [
            column(py, rows, |row| row.start_ms)?,
            column(py, rows, |row| row.duration_ms)?,
            column(py, rows, |row| row.forward_mwh)?,
            column(py, rows, |row| row.reverse_mwh)?,
            column(py, rows, |row| row.forward_total_mwh)?,
            column(py, rows, |row| row.reverse_total_mwh)?,
            column(py, rows, factor_or_minus_one)?,
            column(py, rows, |row| i64::from(row.factor_quality as u8))?,
            column(py, rows, |row| row.carbon_forward_ug)?,
            column(py, rows, |row| row.carbon_reverse_ug)?,
            column(py, rows, |row| row.carbon_forward_total_ug)?,
            column(py, rows, |row| row.carbon_reverse_total_ug)?,
            column(py, rows, |row| i64::from(row.readings))?,
            column(py, rows, |row| i64::from(row.quality as u8))?,
        ];
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
