//! Nodal carbon flow as Python classes.

use std::num::NonZeroUsize;
use std::sync::Arc;

use diantan_core::carbon_flow as core;
use diantan_core::carbon_flow::reconcile::ReconcileSettings;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::carbon_flow_input::{CarbonSlot, Number};
use crate::carbon_flow_reconcile::{CarbonReconciliation, Deviations, reconcile};
use crate::errors::{CarbonFlowError, quantity};

/// (forward, reverse, loss) in t/h
type BranchOut = (Option<f64>, Option<f64>, Option<f64>);

fn refused(error: &impl ToString) -> PyErr {
    CarbonFlowError::new_err(error.to_string())
}

/// A grid: its nodes, and at which of them each branch, source, load and storage is.
#[pyclass(module = "diantan_core", frozen)]
pub(crate) struct CarbonGrid(pub(crate) Arc<core::NamedGrid>);

#[pymethods]
impl CarbonGrid {
    #[new]
    #[pyo3(signature = (*, nodes, branches, sources, loads = Vec::new(), storages = Vec::new()))]
    fn new(
        nodes: Vec<String>,
        branches: Vec<(String, String, String)>,
        sources: Vec<(String, String)>,
        loads: Vec<(String, String)>,
        storages: Vec<(String, String)>,
    ) -> PyResult<Self> {
        core::NamedGrid::new(nodes, branches, sources, loads, storages)
            .map(|grid| Self(Arc::new(grid)))
            .map_err(|error| refused(&error))
    }

    #[getter]
    fn nodes(&self) -> Vec<String> {
        self.0.nodes.ids().to_vec()
    }

    #[getter]
    fn branches(&self) -> Vec<String> {
        self.0.branches.ids().to_vec()
    }

    #[getter]
    fn sources(&self) -> Vec<String> {
        self.0.sources.ids().to_vec()
    }

    #[getter]
    fn loads(&self) -> Vec<String> {
        self.0.loads.ids().to_vec()
    }

    #[getter]
    fn storages(&self) -> Vec<String> {
        self.0.storages.ids().to_vec()
    }

    /// Solve one slot.
    #[pyo3(signature = (slot, *, dead_below_megawatts = Number(1e-6), max_unknown_share = Number(0.01)))]
    fn solve(
        &self,
        py: Python<'_>,
        slot: &CarbonSlot,
        dead_below_megawatts: Number,
        max_unknown_share: Number,
    ) -> PyResult<CarbonFlow> {
        let settings = settings(dead_below_megawatts, max_unknown_share);
        let mut work = core::Workspace::new();
        py.detach(|| {
            work.solve(&self.0.grid, &slot.borrowed(), &settings)
                .map(|_| ())
        })
        .map_err(|error| refused(&error))?;
        Ok(self.flow(work.take_solution()))
    }

    /// Solve slots that don't depend on each other, in parallel.
    #[pyo3(signature = (slots, *, threads = None, dead_below_megawatts = Number(1e-6), max_unknown_share = Number(0.01)))]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "arguments from Python are owned"
    )]
    fn solve_slots(
        &self,
        py: Python<'_>,
        slots: Vec<PyRef<'_, CarbonSlot>>,
        threads: Option<NonZeroUsize>,
        dead_below_megawatts: Number,
        max_unknown_share: Number,
    ) -> PyResult<Vec<CarbonFlow>> {
        let settings = settings(dead_below_megawatts, max_unknown_share);
        let slots: Vec<core::Slot<'_>> = slots.iter().map(|slot| slot.borrowed()).collect();
        self.flows(py.detach(|| core::solve_slots(&self.0.grid, &slots, &settings, threads)))
    }

    /// Solve slots in order, the tanks of the storages carried from each to the next.
    #[pyo3(signature = (slots, *, threads = None, dead_below_megawatts = Number(1e-6), max_unknown_share = Number(0.01)))]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "arguments from Python are owned"
    )]
    fn solve_day(
        &self,
        py: Python<'_>,
        slots: Vec<PyRef<'_, CarbonSlot>>,
        threads: Option<NonZeroUsize>,
        dead_below_megawatts: Number,
        max_unknown_share: Number,
    ) -> PyResult<Vec<CarbonFlow>> {
        let settings = settings(dead_below_megawatts, max_unknown_share);
        let slots: Vec<core::Slot<'_>> = slots.iter().map(|slot| slot.borrowed()).collect();
        self.flows(py.detach(|| core::solve_day(&self.0.grid, &slots, &settings, threads)))
    }

    /// Reconcile the measurements of a slot that do not balance.
    #[pyo3(signature = (
        slot,
        *,
        flow_sigmas,
        source_sigmas,
        load_sigmas = Vec::new(),
        storage_sigmas = Vec::new(),
        losses = None,
        max_normalised_residual = Number(3.0),
        max_bad_readings = 10,
        missing_sigma_megawatts = Number(1e4)
    ))]
    #[allow(
        clippy::too_many_arguments,
        reason = "keyword arguments of a Python method"
    )]
    fn reconcile(
        &self,
        py: Python<'_>,
        slot: &CarbonSlot,
        flow_sigmas: Vec<(Number, Number)>,
        source_sigmas: Vec<Number>,
        load_sigmas: Vec<Number>,
        storage_sigmas: Vec<Number>,
        losses: Option<Vec<Option<(Number, Number)>>>,
        max_normalised_residual: Number,
        max_bad_readings: usize,
        missing_sigma_megawatts: Number,
    ) -> PyResult<CarbonReconciliation> {
        let deviations = Deviations {
            flows: flow_sigmas,
            sources: source_sigmas,
            loads: load_sigmas,
            storages: storage_sigmas,
            losses,
        };
        let settings = ReconcileSettings {
            max_normalised_residual: max_normalised_residual.0,
            max_bad_readings,
            missing_sigma_megawatts: missing_sigma_megawatts.0,
            ..ReconcileSettings::default()
        };
        reconcile(py, &self.0, slot, &deviations, &settings)
    }

    fn __repr__(&self) -> String {
        format!(
            "<CarbonGrid: {} nodes, {} branches, {} sources, {} loads, {} storages>",
            self.0.nodes.ids().len(),
            self.0.branches.ids().len(),
            self.0.sources.ids().len(),
            self.0.loads.ids().len(),
            self.0.storages.ids().len()
        )
    }
}

fn settings(dead_below_megawatts: Number, max_unknown_share: Number) -> core::Settings {
    core::Settings {
        dead_below_megawatts: dead_below_megawatts.0,
        max_unknown_share: max_unknown_share.0,
    }
}

impl CarbonGrid {
    fn flow(&self, solution: core::Solution) -> CarbonFlow {
        CarbonFlow {
            grid: Arc::clone(&self.0),
            solution,
        }
    }

    fn flows(
        &self,
        solved: Result<Vec<core::Solution>, core::SlotError>,
    ) -> PyResult<Vec<CarbonFlow>> {
        let solutions = solved.map_err(|error| refused(&error))?;
        Ok(solutions
            .into_iter()
            .map(|solution| self.flow(solution))
            .collect())
    }
}

/// The solution of one slot.
#[pyclass(module = "diantan_core", frozen)]
pub(crate) struct CarbonFlow {
    grid: Arc<core::NamedGrid>,
    solution: core::Solution,
}

impl CarbonFlow {
    fn each_node<T>(&self, value: impl Fn(usize) -> T) -> Vec<T> {
        (0..self.solution.nodes()).map(value).collect()
    }
}

#[pymethods]
impl CarbonFlow {
    #[getter]
    fn factors(&self) -> Vec<Option<f64>> {
        self.each_node(|node| self.solution.factor(node))
    }

    #[getter]
    fn factors_mg_per_kwh(&self) -> PyResult<Vec<Option<u32>>> {
        (0..self.solution.nodes())
            .map(|node| {
                let factor = self.solution.factor_mg_per_kwh(node);
                factor
                    .map(|factor| factor.map(diantan_core::quantity::Factor::mg_per_kwh))
                    .map_err(|error| quantity(&error))
            })
            .collect()
    }

    #[getter]
    fn qualities(&self) -> Vec<&'static str> {
        self.each_node(|node| self.solution.quality(node).unwrap_or_default().name())
    }

    #[getter]
    fn flux_megawatts(&self) -> Vec<f64> {
        self.each_node(|node| self.solution.flux_megawatts(node).unwrap_or_default())
    }

    #[getter]
    fn unknown_shares(&self) -> Vec<Option<f64>> {
        self.each_node(|node| self.solution.unknown_share(node))
    }

    #[getter]
    fn imbalances_megawatts(&self) -> Vec<f64> {
        self.each_node(|node| self.solution.imbalance_megawatts(node).unwrap_or_default())
    }

    #[getter]
    fn branches(&self) -> Vec<BranchOut> {
        (0..self.solution.branches())
            .filter_map(|branch| self.solution.branch(branch))
            .map(|carbon| (carbon.forward, carbon.reverse, carbon.loss))
            .collect()
    }

    #[getter]
    fn sources(&self) -> Vec<Option<f64>> {
        let count = self.grid.sources.ids().len();
        (0..count).map(|at| self.solution.source(at)).collect()
    }

    #[getter]
    fn loads(&self) -> Vec<Option<f64>> {
        let count = self.grid.loads.ids().len();
        (0..count).map(|at| self.solution.load(at)).collect()
    }

    #[getter]
    fn storages(&self) -> Vec<Option<f64>> {
        let count = self.grid.storages.ids().len();
        (0..count).map(|at| self.solution.storage(at)).collect()
    }

    #[getter]
    fn tanks(&self) -> Vec<(f64, f64, f64)> {
        let tanks = self.solution.tanks().iter();
        tanks
            .map(|tank| {
                (
                    tank.megawatt_hours,
                    tank.tonnes,
                    tank.unknown_megawatt_hours,
                )
            })
            .collect()
    }

    #[getter]
    fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        let faults = self.solution.faults().iter();
        faults
            .map(|fault| {
                let id = self.grid.names(fault.element).id(fault.index);
                (fault.element.name(), id, fault.kind.text())
            })
            .collect()
    }

    #[getter]
    fn balance<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let balance = self.solution.balance();
        let fields = PyDict::new(py);
        for (name, value) in [
            ("sources", balance.sources),
            ("loads", balance.loads),
            ("losses", balance.losses),
            ("negative_sources", balance.negative_sources),
            ("storages", balance.storages),
            ("dropped", balance.dropped),
            ("imbalance", balance.imbalance),
            ("residual", balance.residual),
            ("relative_residual", balance.relative_residual()),
            ("without_factor", balance.without_factor),
            ("untraced", balance.untraced),
            ("unknown_megawatts", balance.unknown_megawatts),
            ("imbalance_megawatts", balance.imbalance_megawatts),
        ] {
            fields.set_item(name, value)?;
        }
        Ok(fields)
    }

    fn __repr__(&self) -> String {
        let defined = (0..self.solution.nodes())
            .filter(|node| self.solution.factor(*node).is_some())
            .count();
        format!(
            "<CarbonFlow: {defined} of {} nodes have a factor, {} faults>",
            self.solution.nodes(),
            self.solution.faults().len()
        )
    }
}
