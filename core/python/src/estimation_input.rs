//! Chargers and windows of error estimation, from Python.

use diantan_core::estimation as core;
use diantan_core::registers;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;

use crate::buffers::{columns, floats, times};
use crate::estimation::EstimationError;
use crate::register_column::RegisterColumn;

pub(crate) fn refused(error: &core::EstimationError) -> PyErr {
    EstimationError::new_err(error.to_string())
}

/// A value and its standard uncertainty.
pub(crate) type Pair = (f64, f64);

pub(crate) fn known((value, u): Pair) -> core::Known {
    core::Known { value, u }
}

/// One charger behind the master meter.
#[pyclass(module = "diantan_core", frozen)]
#[derive(Clone)]
pub(crate) struct ErrorCharger(pub(crate) core::Charger);

#[pymethods]
impl ErrorCharger {
    #[new]
    #[pyo3(signature = (*, class_limit = 0.02, branch_loss = None, dc_output = false, from_ms = None, verified = None, step_kwh = 0.01, max_kw = 2000.0, branch_measured = None, uneven_loss = None))]
    #[allow(clippy::too_many_arguments, reason = "each is a keyword in Python")]
    fn new(
        class_limit: f64,
        branch_loss: Option<f64>,
        dc_output: bool,
        from_ms: Option<i64>,
        verified: Option<Pair>,
        step_kwh: f64,
        max_kw: f64,
        branch_measured: Option<Pair>,
        uneven_loss: Option<Pair>,
    ) -> Self {
        Self(core::Charger {
            class_limit,
            branch_loss,
            branch_measured: branch_measured.map(known),
            uneven_loss: uneven_loss.map(known),
            dc_output,
            from_ms,
            verified: verified.map(known),
            step_kwh,
            max_kw,
        })
    }

    fn __repr__(&self) -> String {
        let verified = self.0.verified.map_or(String::new(), |known| {
            format!(", verified {} ± {}", known.value, known.u)
        });
        format!(
            "<ErrorCharger: class limit {}{verified}>",
            self.0.class_limit
        )
    }
}

/// Energies by window.
#[pyclass(module = "diantan_core")]
pub(crate) struct ErrorWindows(pub(crate) core::Windows);

/// Spans of each charger, None where there is nothing to say of it.
type Spans = Vec<Option<Vec<(i64, i64)>>>;

impl ErrorWindows {
    fn with(
        mut windows: core::Windows,
        sessions: Option<Spans>,
        told: Option<Spans>,
    ) -> PyResult<Self> {
        let count = windows.chargers();
        for (name, spans) in [("sessions_ms", &sessions), ("told_ms", &told)] {
            if let Some(spans) = spans
                && spans.len() != count
            {
                return Err(EstimationError::new_err(format!(
                    "{name}: expected those of {count} chargers, got {}",
                    spans.len()
                )));
            }
        }
        let sessions = sessions.unwrap_or_else(|| vec![None; count]);
        let told = told.unwrap_or_else(|| vec![None; count]);
        for (charger, (own, told)) in sessions.iter().zip(&told).enumerate() {
            let set = match (own, told) {
                (Some(own), Some(told)) => windows.set_sessions_within(charger, own, told),
                (Some(own), None) => windows.set_sessions(charger, own),
                (None, None) => Ok(()),
                (None, Some(_)) => {
                    return Err(EstimationError::new_err(format!(
                        "told_ms: charger {charger} has none in sessions_ms; expected [] where it had no session"
                    )));
                }
            };
            set.map_err(|error| EstimationError::new_err(format!("charger {charger}: {error}")))?;
        }
        Ok(Self(windows))
    }
}

#[pymethods]
impl ErrorWindows {
    /// From the energies between consecutive boundaries.
    #[staticmethod]
    #[pyo3(signature = (boundaries_ms, master_kwh, energies_kwh, *, sessions_ms = None, told_ms = None))]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "arguments from Python are owned"
    )]
    fn from_energies(
        boundaries_ms: &Bound<'_, PyAny>,
        master_kwh: &Bound<'_, PyAny>,
        energies_kwh: Vec<Bound<'_, PyAny>>,
        sessions_ms: Option<Spans>,
        told_ms: Option<Spans>,
    ) -> PyResult<Self> {
        let boundaries = times(boundaries_ms, "boundaries_ms")?;
        let master = floats(master_kwh, "master_kwh")?;
        let energies = columns(&energies_kwh, "energies_kwh")?;
        let lent: Vec<&[f64]> = energies.iter().map(Vec::as_slice).collect();
        let windows = core::Windows::from_energies(&boundaries, &master, &lent);
        Self::with(
            windows.map_err(|error| refused(&error))?,
            sessions_ms,
            told_ms,
        )
    }

    /// From cumulative registers; a reading that is missing makes the window longer.
    #[staticmethod]
    #[pyo3(signature = (times_ms, master_kwh, registers_kwh, *, sessions_ms = None, told_ms = None))]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "arguments from Python are owned"
    )]
    fn from_registers(
        times_ms: &Bound<'_, PyAny>,
        master_kwh: &Bound<'_, PyAny>,
        registers_kwh: Vec<Bound<'_, PyAny>>,
        sessions_ms: Option<Spans>,
        told_ms: Option<Spans>,
    ) -> PyResult<Self> {
        let at = times(times_ms, "times_ms")?;
        let master = floats(master_kwh, "master_kwh")?;
        let registers = columns(&registers_kwh, "registers_kwh")?;
        let lent: Vec<&[f64]> = registers.iter().map(Vec::as_slice).collect();
        let windows = core::Windows::from_registers(&at, &master, &lent);
        Self::with(
            windows.map_err(|error| refused(&error))?,
            sessions_ms,
            told_ms,
        )
    }

    /// From registers of a station's meters.
    #[staticmethod]
    #[pyo3(signature = (chargers, others, first, end, *, sessions_ms = None, told_ms = None))]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "arguments from Python are owned"
    )]
    fn from_columns(
        chargers: Vec<Option<PyRef<'_, RegisterColumn>>>,
        others: Vec<(PyRef<'_, RegisterColumn>, bool)>,
        first: usize,
        end: usize,
        sessions_ms: Option<Spans>,
        told_ms: Option<Spans>,
    ) -> PyResult<Self> {
        let chargers: Vec<_> = chargers
            .iter()
            .map(|column| column.as_deref().map(|column| &column.0))
            .collect();
        let others: Vec<_> = others
            .iter()
            .map(|(column, against)| (&column.0, *against))
            .collect();
        let windows = registers::windows(&chargers, &others, first..end);
        Self::with(
            windows.map_err(|error| refused(&error))?,
            sessions_ms,
            told_ms,
        )
    }

    /// Add what came later.
    fn append(&mut self, later: &Self) -> PyResult<()> {
        self.0.append(&later.0).map_err(|error| refused(&error))
    }

    #[getter]
    fn chargers(&self) -> usize {
        self.0.chargers()
    }

    #[getter]
    fn starts_ms(&self) -> Vec<i64> {
        self.0.starts_ms().to_vec()
    }

    #[getter]
    fn ends_ms(&self) -> Vec<i64> {
        self.0.ends_ms().to_vec()
    }

    #[getter]
    fn master_kwh(&self) -> Vec<f64> {
        self.0.master_kwh().to_vec()
    }

    /// Energies in one window by charger.
    fn energies_kwh(&self, window: i64) -> PyResult<Vec<f64>> {
        let place = usize::try_from(window).ok();
        let Some(place) = place.filter(|place| *place < self.0.len()) else {
            return Err(PyIndexError::new_err(format!(
                "window {window} of {}",
                self.0.len()
            )));
        };
        Ok(self.0.energies_kwh(place).to_vec())
    }

    /// Some of the windows.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "arguments from Python are owned"
    )]
    fn part(&self, places: Vec<usize>) -> PyResult<Self> {
        self.0.part(&places).map(Self).ok_or_else(|| {
            PyIndexError::new_err(format!(
                "expected rising places of {} windows",
                self.0.len()
            ))
        })
    }

    /// Energies by charger, then by window.
    fn columns_kwh(&self) -> Vec<Vec<f64>> {
        (0..self.0.chargers())
            .map(|charger| self.0.column_kwh(charger).collect())
            .collect()
    }

    /// Energies of all chargers together by window, each times a weight.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "arguments from Python are owned"
    )]
    fn weighted_kwh(&self, weights: Vec<f64>) -> PyResult<Vec<f64>> {
        if weights.len() != self.0.chargers() {
            return Err(EstimationError::new_err(format!(
                "weights: expected those of {} chargers, got {}",
                self.0.chargers(),
                weights.len()
            )));
        }
        Ok(self.0.weighted_kwh(&weights))
    }

    /// How the power of a charger compares with a limit.
    fn powers(&self, charger: usize, limit_kw: f64) -> (usize, usize, f64) {
        let found = self.0.powers(charger, limit_kw);
        (found.used, found.beyond, found.largest_kw)
    }

    /// In how many windows a charger counts anything while it doesn't charge.
    fn quiet(&self, charger: usize, share: f64) -> usize {
        self.0.quiet(charger, share)
    }

    /// Energies in all windows by charger.
    #[getter]
    fn sums_kwh(&self) -> Vec<f64> {
        self.0.sums_kwh()
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __repr__(&self) -> String {
        format!(
            "<ErrorWindows: {} windows of {} chargers>",
            self.0.len(),
            self.0.chargers()
        )
    }
}
