//! The register integrator as a Python class.

use diantan_core::register as core;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::closed::Closed;
use crate::column::prefer_large_pages;
use crate::convert::{Whole, column, integration_i64};
use crate::errors::integration;
use crate::schedule::FactorSchedule;

/// Integrates cumulative registers of one meter.
#[pyclass(module = "diantan_core")]
pub(crate) struct RegisterIntegrator(core::RegisterIntegrator);

#[pymethods]
impl RegisterIntegrator {
    #[new]
    #[pyo3(signature = (
        *,
        interval_ms = Whole(900_000),
        timezone = "Asia/Shanghai",
        rollover_mwh = None,
        max_power_mw = None,
        measured_gap_ms = Whole(120_000),
        resolution_mwh = Whole(10_000)
    ))]
    fn new(
        interval_ms: Whole,
        timezone: &str,
        rollover_mwh: Option<Whole>,
        max_power_mw: Option<Whole>,
        measured_gap_ms: Whole,
        resolution_mwh: Whole,
    ) -> PyResult<Self> {
        let settings = core::RegisterSettings {
            interval_ms: interval_ms.0,
            timezone,
            rollover_mwh: rollover_mwh.map(|value| value.0),
            max_power_mw: max_power_mw.map(|value| value.0),
            measured_gap_ms: measured_gap_ms.0,
            resolution_mwh: resolution_mwh.0,
        };
        core::RegisterIntegrator::new(&settings)
            .map(Self)
            .map_err(|error| integration(&error))
    }

    /// Take readings as columns; `exchanged` says that the first of them is a new meter's.
    #[pyo3(signature = (times_ms, forward_mwh, reverse_mwh, schedule, *, exchanged = false))]
    fn feed(
        &mut self,
        py: Python<'_>,
        times_ms: &Bound<'_, PyAny>,
        forward_mwh: &Bound<'_, PyAny>,
        reverse_mwh: &Bound<'_, PyAny>,
        schedule: &FactorSchedule,
        exchanged: bool,
    ) -> PyResult<Closed> {
        let times = column(times_ms, "times_ms")?;
        let forward = column(forward_mwh, "forward_mwh")?;
        let reverse = column(reverse_mwh, "reverse_mwh")?;
        let factors = &schedule.0;
        let integrator = &mut self.0;
        let columns = (&*times, &*forward, &*reverse);
        py.detach(|| integrator.feed_with(columns, factors, exchanged, prefer_large_pages))
            .map(Closed::new)
            .map_err(|error| integration(&error))
    }

    /// Take one reading.
    #[pyo3(signature = (time_ms, forward_mwh, reverse_mwh, schedule, *, exchanged = false))]
    fn feed_one(
        &mut self,
        time_ms: &Bound<'_, PyAny>,
        forward_mwh: &Bound<'_, PyAny>,
        reverse_mwh: &Bound<'_, PyAny>,
        schedule: &FactorSchedule,
        exchanged: bool,
    ) -> PyResult<Closed> {
        let time = integration_i64(time_ms, "time_ms")?;
        let forward = integration_i64(forward_mwh, "forward_mwh")?;
        let reverse = integration_i64(reverse_mwh, "reverse_mwh")?;
        self.0
            .feed(&[time], &[forward], &[reverse], &schedule.0, exchanged)
            .map(Closed::new)
            .map_err(|error| integration(&error))
    }

    /// Take the last reading as one of another time: the clock that dated it was wrong.
    fn relocate(
        &mut self,
        time_ms: &Bound<'_, PyAny>,
        schedule: &FactorSchedule,
    ) -> PyResult<Closed> {
        let time = integration_i64(time_ms, "time_ms")?;
        self.0
            .relocate(time, &schedule.0)
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
