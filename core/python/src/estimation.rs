//! Remote error estimation as Python classes.

use diantan_core::estimation as core;
use pyo3::create_exception;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::CoreError;
use crate::estimation_input::{ErrorCharger, ErrorWindows, Pair, known, refused};
use crate::estimation_result::ErrorEstimation;

create_exception!(
    diantan_core,
    EstimationError,
    CoreError,
    "Settings, windows or a state of error estimation that can't be taken."
);

/// (first minute of the night, first minute of the day, local time less UTC in minutes, load in kW and its u)
type NightIn = (u32, u32, i32, Pair);

/// A station: its chargers, and what is known of it before its readings.
#[pyclass(module = "diantan_core", frozen)]
pub(crate) struct ErrorEstimator {
    settings: core::Settings,
    chargers: Vec<core::Charger>,
}

#[pymethods]
impl ErrorEstimator {
    #[new]
    #[pyo3(signature = (
        chargers,
        *,
        gain = (0.0, 0.0025),
        cohort_mean = 0.0,
        cohort_sd = 0.0003,
        sound_sd = 0.0035,
        altered_sd = 0.03,
        altered_share = 0.1,
        strange_share = 0.001,
        curve_sd = 0.0008,
        trunk_loss = None,
        trunk_sd = 0.3,
        branch_sd = 0.3,
        branch_own_sd = 0.3,
        loss_share = 0.005,
        offset_sd_s = 60.0,
        max_offset_s = 450.0,
        fit_offsets = true,
        fixed_load_kw = (0.0, 10.0),
        night = Some((1080, 360, 480, (0.0, 2.0))),
        profile_kw = 1.0,
        conversion = (0.05, 0.02),
        conversion_spread = 0.003,
        conversion_doubt = 0.35,
        standby_kw = (0.2, 0.3),
        master_step_kwh = 0.01,
        jitter_s = 1.0,
        white = 0.0005,
        floor_kwh = 0.001,
        fit_noise = true,
        huber = 2.5,
        rounds = 12,
        u_factor = 1.0,
        flag_above = 0.95,
        clear_below = 0.05
    ))]
    #[allow(clippy::too_many_arguments, reason = "each is a keyword in Python")]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "arguments from Python are owned"
    )]
    fn new(
        chargers: Vec<PyRef<'_, ErrorCharger>>,
        gain: Pair,
        cohort_mean: f64,
        cohort_sd: f64,
        sound_sd: f64,
        altered_sd: f64,
        altered_share: f64,
        strange_share: f64,
        curve_sd: f64,
        trunk_loss: Option<f64>,
        trunk_sd: f64,
        branch_sd: f64,
        branch_own_sd: f64,
        loss_share: f64,
        offset_sd_s: f64,
        max_offset_s: f64,
        fit_offsets: bool,
        fixed_load_kw: Pair,
        night: Option<NightIn>,
        profile_kw: f64,
        conversion: Pair,
        conversion_spread: f64,
        conversion_doubt: f64,
        standby_kw: Pair,
        master_step_kwh: f64,
        jitter_s: f64,
        white: f64,
        floor_kwh: f64,
        fit_noise: bool,
        huber: f64,
        rounds: u32,
        u_factor: f64,
        flag_above: f64,
        clear_below: f64,
    ) -> PyResult<Self> {
        let settings = core::Settings {
            gain: known(gain),
            cohort_mean,
            cohort_sd,
            sound_sd,
            altered_sd,
            altered_share,
            strange_share,
            curve_sd,
            trunk_loss,
            trunk_sd,
            branch_sd,
            branch_own_sd,
            loss_share,
            offset_sd_s,
            max_offset_s,
            fit_offsets,
            fixed_load: known(fixed_load_kw),
            night: night.map(
                |(from_minute, to_minute, utc_offset_minutes, load)| core::Night {
                    from_minute,
                    to_minute,
                    utc_offset_minutes,
                    load: known(load),
                },
            ),
            profile_kw,
            conversion: known(conversion),
            conversion_spread,
            conversion_doubt,
            standby: known(standby_kw),
            master_step_kwh,
            jitter_s,
            white,
            floor_kwh,
            fit_noise,
            huber,
            rounds,
            u_factor,
            flag_above,
            clear_below,
        };
        let chargers: Vec<core::Charger> =
            chargers.iter().map(|charger| charger.0.clone()).collect();
        settings.check(&chargers).map_err(|error| refused(&error))?;
        Ok(Self { settings, chargers })
    }

    /// Estimate from all windows.
    fn estimate(&self, py: Python<'_>, windows: &ErrorWindows) -> PyResult<ErrorEstimation> {
        let windows = &windows.0;
        py.detach(|| core::estimate(&self.settings, &self.chargers, windows))
            .map(ErrorEstimation)
            .map_err(|error| refused(&error))
    }

    /// Begin to add windows up, judged as an estimate judged its own.
    fn begin(&self, estimation: &ErrorEstimation) -> PyResult<ErrorAccumulator> {
        let reference = estimation.0.reference.clone();
        core::Accumulator::new(self.settings.clone(), self.chargers.clone(), reference)
            .map(ErrorAccumulator)
            .map_err(|error| refused(&error))
    }

    /// Go on from a state.
    fn restore(&self, state: &[u8]) -> PyResult<ErrorAccumulator> {
        core::Accumulator::from_bytes(self.settings.clone(), self.chargers.clone(), state)
            .map(ErrorAccumulator)
            .map_err(|error| refused(&error))
    }

    fn __repr__(&self) -> String {
        format!("<ErrorEstimator: {} chargers>", self.chargers.len())
    }
}

/// Sums over windows, added day by day.
#[pyclass(module = "diantan_core")]
pub(crate) struct ErrorAccumulator(core::Accumulator);

#[pymethods]
impl ErrorAccumulator {
    /// Add the windows that follow.
    fn push(&mut self, py: Python<'_>, windows: &ErrorWindows) -> PyResult<()> {
        let (sums, windows) = (&mut self.0, &windows.0);
        py.detach(|| sums.push(windows))
            .map_err(|error| refused(&error))
    }

    /// Estimate from all windows so far.
    fn estimate(&self, py: Python<'_>) -> PyResult<ErrorEstimation> {
        let sums = &self.0;
        py.detach(|| sums.estimate())
            .map(ErrorEstimation)
            .map_err(|error| refused(&error))
    }

    #[getter]
    fn state<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.to_bytes())
    }

    #[getter]
    fn end_ms(&self) -> Option<i64> {
        self.0.end_ms()
    }

    fn __repr__(&self) -> String {
        match self.0.end_ms() {
            Some(end) => format!("<ErrorAccumulator: windows until {end} ms>"),
            None => "<ErrorAccumulator: no windows>".to_owned(),
        }
    }
}
