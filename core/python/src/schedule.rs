//! The factor schedule as a Python class.

use diantan_core::quantity::Factor;
use diantan_core::schedule as core;
use pyo3::prelude::*;

use crate::convert::{ScheduleWhole, optional_factor};
use crate::errors::{ScheduleError, schedule};

/// The carbon factors of one node, slot by slot.
#[pyclass(module = "diantan_core")]
pub(crate) struct FactorSchedule(pub(crate) core::FactorSchedule);

#[pymethods]
impl FactorSchedule {
    #[new]
    #[pyo3(signature = (*, slot_ms = ScheduleWhole(900_000), default = None, hold_ms = None))]
    fn new(
        slot_ms: ScheduleWhole,
        default: Option<&Bound<'_, PyAny>>,
        hold_ms: Option<ScheduleWhole>,
    ) -> PyResult<Self> {
        let default = optional_factor(default, ScheduleError::new_err)?;
        core::FactorSchedule::new(slot_ms.0, default, hold_ms.map(|hold| hold.0))
            .map(Self)
            .map_err(schedule)
    }

    /// Enter one slot's factor; `ScheduleError` unless `start_ms` is a multiple of the slot length.
    fn set(&mut self, start_ms: ScheduleWhole, factor: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let factor = optional_factor(factor, ScheduleError::new_err)?;
        self.0.set(start_ms.0, factor).map_err(schedule)
    }

    /// Enter several slots, all or none.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands extracted sequences over"
    )]
    fn extend(
        &mut self,
        starts_ms: Vec<ScheduleWhole>,
        factors: Vec<Option<Bound<'_, PyAny>>>,
    ) -> PyResult<()> {
        let factors = factors
            .iter()
            .map(|factor| optional_factor(factor.as_ref(), ScheduleError::new_err))
            .collect::<PyResult<Vec<_>>>()?;
        let starts_ms: Vec<i64> = starts_ms.iter().map(|start| start.0).collect();
        self.0.extend(&starts_ms, &factors).map_err(schedule)
    }

    /// Return (factor in mg/kWh or None, quality) of the slot that contains the instant.
    fn at(&self, time_ms: ScheduleWhole) -> (Option<u32>, u8) {
        let (factor, quality) = self.0.at(time_ms.0);
        (factor.map(Factor::mg_per_kwh), quality as u8)
    }

    /// Drop the entries of slots that ended by then, except the last one; return how many.
    fn forget_before(&mut self, time_ms: ScheduleWhole) -> usize {
        self.0.forget_before(time_ms.0)
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }
}
