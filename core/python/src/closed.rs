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

/// Rows that stay in the first-level cache while they are spread over the columns.
const BLOCK: usize = 64;

/// Make the columns, each inside the making of the one before: a `bytes` is writable only while it is made, and all
/// of them are written in one pass over the rows. They are done in the opposite order.
fn nest<'py>(
    py: Python<'py>,
    rows: &[Interval],
    open: Vec<&mut [u8]>,
    done: &mut Vec<Bound<'py, PyBytes>>,
) -> PyResult<()> {
    let open = match <[&mut [u8]; COLUMNS]>::try_from(open) {
        Ok(all) => {
            spread(rows, all);
            return Ok(());
        }
        Err(open) => open,
    };
    let column = PyBytes::new_with(py, rows.len() * 8, |bytes| {
        let mut open: Vec<&mut [u8]> = open.into_iter().collect();
        open.push(bytes);
        nest(py, rows, open, done)
    })?;
    done.push(column);
    Ok(())
}

/// The cells of a column that are still to be written.
type Cells<'a> = std::slice::ChunksExactMut<'a, u8>;

fn put(cells: &mut Cells<'_>, rows: &[Interval], read: impl Fn(&Interval) -> i64) {
    for (row, cell) in rows.iter().zip(cells) {
        cell.copy_from_slice(&read(row).to_ne_bytes());
    }
}

fn spread(rows: &[Interval], columns: [&mut [u8]; COLUMNS]) {
    let [
        mut start,
        mut duration,
        mut forward,
        mut reverse,
        mut forward_total,
        mut reverse_total,
        mut factor,
        mut factor_quality,
        mut carbon_forward,
        mut carbon_reverse,
        mut carbon_forward_total,
        mut carbon_reverse_total,
        mut readings,
        mut quality,
    ] = columns.map(|column| column.chunks_exact_mut(8));
    for rows in rows.chunks(BLOCK) {
        put(&mut start, rows, |row| row.start_ms);
        put(&mut duration, rows, |row| row.duration_ms);
        put(&mut forward, rows, |row| row.forward_mwh);
        put(&mut reverse, rows, |row| row.reverse_mwh);
        put(&mut forward_total, rows, |row| row.forward_total_mwh);
        put(&mut reverse_total, rows, |row| row.reverse_total_mwh);
        put(&mut factor, rows, factor_or_minus_one);
        put(&mut factor_quality, rows, |row| {
            i64::from(row.factor_quality as u8)
        });
        put(&mut carbon_forward, rows, |row| row.carbon_forward_ug);
        put(&mut carbon_reverse, rows, |row| row.carbon_reverse_ug);
        put(&mut carbon_forward_total, rows, |row| {
            row.carbon_forward_total_ug
        });
        put(&mut carbon_reverse_total, rows, |row| {
            row.carbon_reverse_total_ug
        });
        put(&mut readings, rows, |row| i64::from(row.readings));
        put(&mut quality, rows, |row| i64::from(row.quality as u8));
    }
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
        let mut columns = Vec::with_capacity(COLUMNS);
        nest(py, &self.0.intervals, Vec::new(), &mut columns)?;
        columns.reverse();
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
