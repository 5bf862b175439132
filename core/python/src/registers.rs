//! Registers of a station's meters, from Python.

use std::collections::{BTreeMap, BTreeSet};

use diantan_core::registers as core;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::register_history::RegisterHistory;

/// What gateways knew of their clocks.
#[pyclass(module = "diantan_core")]
pub(crate) struct RegisterClocks(core::Clocks);

#[pymethods]
impl RegisterClocks {
    #[new]
    fn new() -> Self {
        Self(core::Clocks::default())
    }

    /// Say what of a journal was sent by a clock that was not right.
    fn know(&mut self, journal: i64, sent: Vec<(i64, i64, i64)>) {
        let sent = sent.into_iter();
        let sent = sent.map(|(first, end, state)| core::Sent { first, end, state });
        self.0.know(journal, &sent.collect::<Vec<_>>());
    }

    /// Whether the clock had not stepped.
    fn trusted(&mut self, journal: i64, sequence: i64) -> bool {
        self.0.trusted(journal, sequence)
    }

    #[getter]
    fn right(&self) -> bool {
        self.0.right()
    }

    #[getter]
    fn unknown(&self) -> u64 {
        self.0.unknown()
    }

    fn __repr__(&self) -> &'static str {
        if self.0.right() {
            "<RegisterClocks: all right>"
        } else {
            "<RegisterClocks: not all right>"
        }
    }
}

/// Intervals as the driver of the store gives them.
#[pyclass(module = "diantan_core", frozen)]
pub(crate) struct RegisterRows(Vec<(i64, core::Row)>);

/// Columns of a row.
const COLUMNS: usize = 10;

fn row(value: &Bound<'_, PyAny>) -> PyResult<(i64, core::Row)> {
    let cells = value.cast::<PyTuple>()?;
    if cells.len() != COLUMNS {
        return Err(PyValueError::new_err(format!(
            "expected {COLUMNS} columns, got {}",
            cells.len()
        )));
    }
    let cell = |place: usize| -> PyResult<i64> { cells.get_borrowed_item(place)?.extract() };
    let found = core::Row {
        start_ms: cell(0)?,
        journal: cell(2)?,
        sequence: cell(3)?,
        duration_ms: cell(4)?,
        forward_mwh: cell(5)?,
        reverse_mwh: cell(6)?,
        forward_total_mwh: cell(7)?,
        reverse_total_mwh: cell(8)?,
        quality: cell(9)?,
    };
    Ok((cell(1)?, found))
}

/// What is written of rows that begin at once: meters, journals, sequences, energies and registers.
type Written<'a> = (i64, &'a str, &'a str, &'a str, &'a str, &'a str);

fn written(found: &mut Vec<(i64, core::Row)>, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let (start_ms, meters, journals, sequences, energies, registers): Written<'_> =
        value.extract()?;
    core::listed(
        start_ms,
        [meters, journals, sequences, energies, registers],
        found,
    )
    .ok_or_else(|| PyValueError::new_err("expected as many whole numbers of each kind"))
}

#[pymethods]
impl RegisterRows {
    /// From rows as the driver gives them, and those that are `ordinary` as lists of those that begin at once.
    #[new]
    #[pyo3(signature = (rows, ordinary = None))]
    fn new(rows: &Bound<'_, PyAny>, ordinary: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let mut found = Vec::with_capacity(rows.len().unwrap_or(0));
        for value in rows.try_iter()? {
            found.push(row(&value?)?);
        }
        if let Some(ordinary) = ordinary {
            for value in ordinary.try_iter()? {
                written(&mut found, &value?)?;
            }
        }
        Ok(Self(found))
    }

    /// The lowest and the highest record of each journal.
    #[getter]
    fn sequences(&self) -> BTreeMap<i64, (i64, i64)> {
        let mut found: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
        for (_, row) in &self.0 {
            let (low, high) = found
                .entry(row.journal)
                .or_insert((row.sequence, row.sequence));
            *low = row.sequence.min(*low);
            *high = row.sequence.max(*high);
        }
        found
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __repr__(&self) -> String {
        format!("<RegisterRows: {}>", self.0.len())
    }
}

/// What is known of the registers of a station's meters.
#[pyclass(module = "diantan_core")]
pub(crate) struct StationRegisters(core::Registers);

#[pymethods]
impl StationRegisters {
    #[new]
    #[pyo3(signature = (imported = BTreeSet::new(), inverted = BTreeSet::new()))]
    fn new(imported: BTreeSet<i64>, inverted: BTreeSet<i64>) -> Self {
        Self(core::Registers::new(imported, inverted))
    }

    /// Add intervals that follow.
    #[pyo3(signature = (rows, clocks = None))]
    fn add(
        &mut self,
        py: Python<'_>,
        rows: &RegisterRows,
        clocks: Option<PyRefMut<'_, RegisterClocks>>,
    ) {
        let registers = &mut self.0;
        match clocks {
            None => py.detach(|| registers.add(&rows.0, None)),
            Some(mut clocks) => {
                let clocks = &mut clocks.0;
                py.detach(|| registers.add(&rows.0, Some(clocks)));
            }
        }
    }

    /// A meter's history.
    fn of(&self, meter: i64) -> RegisterHistory {
        RegisterHistory(self.0.of(meter))
    }

    fn __repr__(&self) -> String {
        format!("<StationRegisters: {} meters>", self.0.meters())
    }
}
