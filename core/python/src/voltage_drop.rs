//! Losses of branches by voltage drop, from Python.

use diantan_core::voltage_drop as core;
use pyo3::prelude::*;

use crate::buffers::{columns, floats, times};
use crate::estimation::EstimationError;
use crate::estimation_input::Pair;

fn refused(error: &core::DropError) -> PyErr {
    EstimationError::new_err(error.to_string())
}

/// Means of one meter by quarter.
#[pyclass(module = "diantan_core", frozen)]
pub(crate) struct DropMeter(core::DropMeter);

#[pymethods]
impl DropMeter {
    #[new]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "arguments from Python are owned"
    )]
    fn new(voltages: Vec<Bound<'_, PyAny>>, power_kw: &Bound<'_, PyAny>) -> PyResult<Self> {
        if voltages.len() > 3 {
            return Err(refused(&core::DropError::Voltages(voltages.len())));
        }
        let voltages = columns(&voltages, "voltages")?;
        core::DropMeter::new(voltages, floats(power_kw, "power_kw")?)
            .map(Self)
            .map_err(|error| refused(&error))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __repr__(&self) -> String {
        format!("<DropMeter: {} quarters>", self.0.len())
    }
}

/// What voltages say of one charger's branch.
#[pyclass(module = "diantan_core", frozen)]
pub(crate) struct DropBranch(core::DropBranch);

#[pymethods]
impl DropBranch {
    #[getter]
    fn loss(&self) -> Option<f64> {
        self.0.loss
    }

    #[getter]
    fn u(&self) -> f64 {
        self.0.u
    }

    #[getter]
    fn reference(&self) -> &'static str {
        self.0.follows.name()
    }

    #[getter]
    fn quarters(&self) -> usize {
        self.0.quarters
    }

    #[getter]
    fn reason(&self) -> Option<&'static str> {
        self.0.reason.map(core::Reason::name)
    }

    #[getter]
    fn even(&self) -> Option<bool> {
        match self.0.balance {
            core::Balance::Unknown => None,
            core::Balance::Even => Some(true),
            core::Balance::Uneven { .. } => Some(false),
        }
    }

    #[getter]
    fn uneven_loss(&self) -> Option<Pair> {
        match self.0.balance {
            core::Balance::Uneven { share, .. } => Some((share.value, share.u)),
            core::Balance::Unknown | core::Balance::Even => None,
        }
    }

    #[getter]
    fn factor(&self) -> f64 {
        match self.0.balance {
            core::Balance::Uneven { factor, .. } => factor,
            core::Balance::Unknown | core::Balance::Even => 1.0,
        }
    }

    fn __repr__(&self) -> String {
        match (self.0.loss, self.reason()) {
            (Some(loss), _) => format!("<DropBranch: {loss} ± {} 1/kW>", self.0.u),
            (None, reason) => format!("<DropBranch: {}>", reason.unwrap_or("nothing")),
        }
    }
}

/// What voltages say of a station.
#[pyclass(module = "diantan_core", frozen)]
pub(crate) struct DropEstimation(core::DropEstimation);

#[pymethods]
impl DropEstimation {
    #[getter]
    fn branches(&self) -> Vec<DropBranch> {
        self.0.branches.iter().copied().map(DropBranch).collect()
    }

    #[getter]
    fn trunk(&self) -> Option<Pair> {
        self.0.trunk.map(|known| (known.value, known.u))
    }

    fn __repr__(&self) -> String {
        let known = self.0.branches.iter();
        let known = known.filter(|branch| branch.loss.is_some()).count();
        format!(
            "<DropEstimation: {known} of {} branches>",
            self.0.branches.len()
        )
    }
}

/// Losses of branches by voltage drop.
#[pyfunction]
#[pyo3(signature = (times_ms, chargers, master = None, *, utc_offset_minutes = 480))]
#[allow(
    clippy::needless_pass_by_value,
    reason = "arguments from Python are owned"
)]
pub(crate) fn voltage_drop(
    py: Python<'_>,
    times_ms: &Bound<'_, PyAny>,
    chargers: Vec<Py<DropMeter>>,
    master: Option<Py<DropMeter>>,
    utc_offset_minutes: i32,
) -> PyResult<DropEstimation> {
    let times = times(times_ms, "times_ms")?;
    let chargers: Vec<&core::DropMeter> = chargers.iter().map(|meter| &meter.get().0).collect();
    let master = master.as_ref().map(|meter| &meter.get().0);
    py.detach(|| core::voltage_drop(&times, &chargers, master, utc_offset_minutes))
        .map(DropEstimation)
        .map_err(|error| refused(&error))
}
