//! The power integrator as a Python class.

use diantan_core::power as core;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::closed::Closed;
use crate::convert::{Whole, column};
use crate::errors::integration;
use crate::schedule::FactorSchedule;

/// Integrates signed power samples by trapezoid, the remainder carried; positive power is forward.
#[pyclass(module = "diantan_core")]
pub(crate) struct PowerIntegrator(core::PowerIntegrator);

#[pymethods]
impl PowerIntegrator {
    #[new]
    #[pyo3(signature = (
        *,
        interval_ms = Whole(900_000),
        timezone = "Asia/Shanghai",
        max_gap_ms = Whole(300_000),
        measured_gap_ms = Whole(120_000)
    ))]
    fn new(
        interval_ms: Whole,
        timezone: &str,
        max_gap_ms: Whole,
        measured_gap_ms: Whole,
    ) -> PyResult<Self> {
        let settings = core::PowerSettings {
            interval_ms: interval_ms.0,
            timezone,
            max_gap_ms: max_gap_ms.0,
            measured_gap_ms: measured_gap_ms.0,
        };
        core::PowerIntegrator::new(&settings)
            .map(Self)
            .map_err(|error| integration(&error))
    }

    /// Take power samples as columns.
    fn feed(
        &mut self,
        py: Python<'_>,
        times_ms: &Bound<'_, PyAny>,
        power_mw: &Bound<'_, PyAny>,
        schedule: &FactorSchedule,
    ) -> PyResult<Closed> {
        let times = column(times_ms, "times_ms")?;
        let power = column(power_mw, "power_mw")?;
        let factors = &schedule.0;
        let integrator = &mut self.0;
        py.detach(|| integrator.feed(&times, &power, factors))
            .map(Closed::new)
            .map_err(|error| integration(&error))
    }

    /// Return everything needed to go on after a restart.
    fn state<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.state())
    }

    /// Take over a state written by `state`; `IntegrationError` when it is not one.
    fn restore(&mut self, state: &[u8]) -> PyResult<()> {
        self.0.restore(state).map_err(|error| integration(&error))
    }

    #[getter]
    fn forward_mwh(&self) -> i64 {
        self.0.forward_mwh()
    }

    #[getter]
    fn reverse_mwh(&self) -> i64 {
        self.0.reverse_mwh()
    }

    #[getter]
    fn carbon_forward_ng(&self) -> i128 {
        self.0.carbon_forward_ng()
    }

    #[getter]
    fn carbon_reverse_ng(&self) -> i128 {
        self.0.carbon_reverse_ng()
    }

    #[getter]
    fn pending_forward_mwh(&self) -> i64 {
        self.0.pending_forward_mwh()
    }

    #[getter]
    fn pending_reverse_mwh(&self) -> i64 {
        self.0.pending_reverse_mwh()
    }

    #[getter]
    fn last_time_ms(&self) -> Option<i64> {
        self.0.last_time_ms()
    }
}
