//! What is estimated of a station, as Python classes.

use diantan_core::estimation as core;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::estimation_input::Pair;
use crate::names::name;

/// Name, chargers, numbers, and whether it leaves all chargers undetermined.
type FindingOut<'py> = (&'static str, Vec<usize>, Bound<'py, PyDict>, bool);

fn pair(known: core::Known) -> Pair {
    (known.value, known.u)
}

/// What is said of one charger.
#[pyclass(module = "diantan_core", frozen)]
pub(crate) struct ErrorEstimate(core::ChargerEstimate);

#[pymethods]
impl ErrorEstimate {
    #[getter]
    fn charger(&self) -> usize {
        self.0.charger
    }

    #[getter]
    fn error(&self) -> f64 {
        self.0.error.value
    }

    #[getter]
    fn u(&self) -> f64 {
        self.0.error.u
    }

    #[getter]
    fn u_common(&self) -> f64 {
        self.0.u_common
    }

    #[getter]
    fn u_own(&self) -> f64 {
        self.0.u_own
    }

    #[getter]
    fn probability(&self) -> f64 {
        self.0.probability
    }

    #[getter]
    fn decision(&self) -> &'static str {
        self.0.decision.name()
    }

    #[getter]
    fn reason(&self) -> Option<&'static str> {
        self.0.reason.map(core::Reason::name)
    }

    #[getter]
    fn altered(&self) -> f64 {
        self.0.altered
    }

    #[getter]
    fn identified(&self) -> f64 {
        self.0.identified
    }

    #[getter]
    fn offset_s(&self) -> Option<Pair> {
        self.0.offset_s.map(pair)
    }

    #[getter]
    fn branch_loss(&self) -> Pair {
        pair(self.0.branch_loss)
    }

    #[getter]
    fn active_windows(&self) -> u64 {
        self.0.active_windows
    }

    #[getter]
    fn energy_kwh(&self) -> f64 {
        self.0.energy_kwh
    }

    #[getter]
    fn excluded_windows(&self) -> u64 {
        self.0.excluded_windows
    }

    fn __repr__(&self) -> String {
        let reason = self
            .0
            .reason
            .map_or(String::new(), |reason| format!(" ({})", reason.name()));
        format!(
            "<ErrorEstimate: charger {}, {:+.3} % ± {:.3} %, {}{reason}>",
            self.0.charger,
            100.0 * self.0.error.value,
            100.0 * self.0.error.u,
            self.0.decision.name()
        )
    }
}

/// What is said of a station.
#[pyclass(module = "diantan_core", frozen)]
pub(crate) struct ErrorEstimation(pub(crate) core::Estimation);

fn estimates(all: &[core::ChargerEstimate]) -> Vec<ErrorEstimate> {
    all.iter().cloned().map(ErrorEstimate).collect()
}

#[pymethods]
impl ErrorEstimation {
    #[getter]
    fn chargers(&self) -> Vec<ErrorEstimate> {
        estimates(&self.0.chargers)
    }

    #[getter]
    fn earlier(&self) -> Vec<ErrorEstimate> {
        estimates(&self.0.earlier)
    }

    #[getter]
    fn u_common(&self) -> f64 {
        self.0.u_common
    }

    #[getter]
    fn gain(&self) -> Pair {
        pair(self.0.gain)
    }

    #[getter]
    fn cohort(&self) -> Pair {
        pair(self.0.cohort)
    }

    #[getter]
    fn trunk_loss(&self) -> Pair {
        pair(self.0.trunk_loss)
    }

    #[getter]
    fn fixed_load_kw(&self) -> Pair {
        pair(self.0.fixed_load_kw)
    }

    #[getter]
    fn night_load_kw(&self) -> Option<Pair> {
        self.0.night_load_kw.map(pair)
    }

    #[getter]
    fn standby_kw(&self) -> Option<Pair> {
        self.0.standby_kw.map(pair)
    }

    #[getter]
    fn conversion(&self) -> Option<Pair> {
        self.0.conversion.map(pair)
    }

    #[getter]
    fn conversion_spread(&self) -> Option<Pair> {
        self.0.conversion_spread.map(pair)
    }

    #[getter]
    fn load_profile_kw(&self) -> Vec<Pair> {
        self.0.load_profile_kw.iter().copied().map(pair).collect()
    }

    #[getter]
    fn floor_kwh(&self) -> f64 {
        self.0.reference.floor_kwh()
    }

    #[getter]
    fn white(&self) -> f64 {
        self.0.reference.white()
    }

    #[getter]
    fn jitter_s(&self) -> f64 {
        self.0.reference.jitter_s()
    }

    #[getter]
    fn scale(&self) -> f64 {
        self.0.scale
    }

    #[getter]
    fn chi_square(&self) -> f64 {
        self.0.chi_square
    }

    #[getter]
    fn windows(&self) -> u64 {
        self.0.windows
    }

    #[getter]
    fn excluded<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = PyDict::new(py);
        for (key, count) in ["no_number", "decreasing", "too_much"]
            .into_iter()
            .zip(self.0.excluded)
        {
            counts.set_item(name(py, key), count)?;
        }
        Ok(counts)
    }

    #[getter]
    fn unknowns(&self) -> usize {
        self.0.unknowns
    }

    #[getter]
    fn span_ms(&self) -> Option<(i64, i64)> {
        self.0.span_ms
    }

    #[getter]
    fn hours(&self) -> f64 {
        self.0.hours
    }

    #[getter]
    fn master_kwh(&self) -> f64 {
        self.0.master_kwh
    }

    #[getter]
    fn energy_kwh(&self) -> f64 {
        self.0.energy_kwh
    }

    /// (name, chargers, numbers, whether it leaves all chargers undetermined)
    #[getter]
    fn findings<'py>(&self, py: Python<'py>) -> PyResult<Vec<FindingOut<'py>>> {
        let findings = self.0.findings.iter();
        findings
            .map(|finding| {
                Ok((
                    finding.name(),
                    finding.chargers(),
                    numbers(py, finding)?,
                    finding.blocks(),
                ))
            })
            .collect()
    }

    /// (start, end, plain, whitened, weight), each a column.
    #[getter]
    #[allow(clippy::type_complexity, reason = "the stub says what it is")]
    fn residuals(&self) -> (Vec<i64>, Vec<i64>, Vec<f64>, Vec<f64>, Vec<f64>) {
        let residuals = &self.0.residuals;
        (
            residuals.start_ms.clone(),
            residuals.end_ms.clone(),
            residuals.plain_kwh.clone(),
            residuals.whitened.clone(),
            residuals.weight.clone(),
        )
    }

    fn __repr__(&self) -> String {
        let flagged = self
            .0
            .chargers
            .iter()
            .filter(|one| one.decision == core::Decision::Flag)
            .count();
        format!(
            "<ErrorEstimation: {flagged} of {} chargers flagged, {} windows, {} findings>",
            self.0.chargers.len(),
            self.0.windows,
            self.0.findings.len()
        )
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts of windows")]
fn numbers<'py>(py: Python<'py>, finding: &core::Finding) -> PyResult<Bound<'py, PyDict>> {
    use core::Finding as F;
    let shown: Vec<(&'static str, f64)> = match finding {
        F::Excluded {
            windows: [no_number, decreasing, too_much],
        } => vec![
            ("no_number", *no_number as f64),
            ("decreasing", *decreasing as f64),
            ("too_much", *too_much as f64),
        ],
        F::FewWindows { windows, unknowns } => {
            vec![("windows", *windows as f64), ("unknowns", *unknowns as f64)]
        }
        F::Daily { hours } => vec![("hours", *hours)],
        F::NeverCharged { .. } | F::Swapped { .. } => Vec::new(),
        F::Negative { windows, kwh, .. } => vec![("windows", *windows as f64), ("kwh", *kwh)],
        F::Collinear { cosine, .. } => vec![("cosine", *cosine)],
        F::Gain { ratio, tension } => vec![("ratio", *ratio), ("tension", *tension)],
        F::Implausible { ratio, .. } => vec![("ratio", *ratio)],
        F::Offset { seconds, u, .. } => vec![("seconds", *seconds), ("u", *u)],
        F::ClockShift { hours, share, .. } => vec![("hours", *hours), ("share", *share)],
        F::OutsideSessions { share, .. }
        | F::Unexplained { share }
        | F::MasterRegister { share }
        | F::ChargerRegister { share } => vec![("share", *share)],
        F::Generation {
            windows,
            fixed_load_kw,
            by_day_kw,
        } => vec![
            ("windows", *windows as f64),
            ("fixed_load_kw", *fixed_load_kw),
            ("by_day_kw", *by_day_kw),
        ],
        F::UnexplainedLoad { share, kw } => vec![("share", *share), ("kw", *kw)],
        F::Misfit { scale, white } => vec![("scale", *scale), ("white", *white)],
    };
    let dict = PyDict::new(py);
    for (key, value) in shown {
        dict.set_item(name(py, key), value)?;
    }
    if let F::Implausible { suspicion, .. } = finding {
        dict.set_item(name(py, "suspicion"), suspicion.name())?;
    }
    Ok(dict)
}
