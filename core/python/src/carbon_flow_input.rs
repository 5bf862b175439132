//! What was measured in one slot, from Python.

use diantan_core::carbon_flow as core;
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;

use crate::errors::CarbonFlowError;

/// A number; None is NaN, and an integer beyond `f64` infinite: the core tells of both.
#[derive(Clone, Copy)]
pub(crate) struct Number(pub(crate) f64);

impl<'a, 'py> FromPyObject<'a, 'py> for Number {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if value.is_none() {
            return Ok(Self(f64::NAN));
        }
        match value.extract::<f64>() {
            Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => {
                Ok(Self(f64::INFINITY))
            }
            other => other.map(Self),
        }
    }
}

/// The flow of a branch: net power at both ends, or both registers at both ends.
#[derive(FromPyObject)]
enum FlowIn {
    Net(Number, Number),
    Registers(Number, Number, Number, Number),
}

/// A load: its power, or its power and the factor with which it feeds in.
#[derive(FromPyObject)]
enum LoadIn {
    Plain(Number),
    Feeding(Number, Option<Number>),
}

/// (charge, discharge, charge efficiency, discharge efficiency, energy, carbon, energy of unknown origin)
type StorageIn = (Number, Number, Number, Number, Number, Number, Number);

#[derive(Clone, Debug)]
enum OwnedFlows {
    Net(Vec<core::EndPowers>),
    Registers(Vec<core::EndRegisters>),
}

/// What was measured in one slot.
#[pyclass(module = "diantan_core", frozen)]
#[derive(Clone)]
pub(crate) struct CarbonSlot {
    flows: OwnedFlows,
    sources: Vec<core::Source>,
    loads: Vec<core::Load>,
    storages: Vec<core::Storage>,
    hours: f64,
}

#[pymethods]
impl CarbonSlot {
    #[new]
    #[pyo3(signature = (*, flows, sources, loads = Vec::new(), storages = Vec::new(), emissions = None, hours = Number(0.25)))]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "arguments from Python are owned"
    )]
    fn new(
        flows: Vec<FlowIn>,
        sources: Vec<(Number, Option<Number>)>,
        loads: Vec<LoadIn>,
        storages: Vec<StorageIn>,
        emissions: Option<Vec<Option<Number>>>,
        hours: Number,
    ) -> PyResult<Self> {
        Ok(Self {
            flows: take_flows(&flows)?,
            sources: take_sources(&sources, emissions.as_deref())?,
            loads: loads.iter().map(take_load).collect(),
            storages: storages.iter().map(take_storage).collect(),
            hours: hours.0,
        })
    }

    #[getter]
    fn flows(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(match &self.flows {
            OwnedFlows::Net(_) => self.net_flows().into_pyobject(py)?.unbind(),
            OwnedFlows::Registers(flows) => flows
                .iter()
                .map(|flow| {
                    (
                        flow.from_in_megawatts,
                        flow.from_out_megawatts,
                        flow.to_in_megawatts,
                        flow.to_out_megawatts,
                    )
                })
                .collect::<Vec<_>>()
                .into_pyobject(py)?
                .unbind(),
        })
    }

    fn __repr__(&self) -> String {
        let flows = match &self.flows {
            OwnedFlows::Net(flows) => flows.len(),
            OwnedFlows::Registers(flows) => flows.len(),
        };
        format!(
            "<CarbonSlot: {flows} flows, {} sources, {} loads, {} storages>",
            self.sources.len(),
            self.loads.len(),
            self.storages.len()
        )
    }
}

impl CarbonSlot {
    pub(crate) fn borrowed(&self) -> core::Slot<'_> {
        core::Slot {
            flows: match &self.flows {
                OwnedFlows::Net(flows) => core::Flows::Net(flows),
                OwnedFlows::Registers(flows) => core::Flows::Registers(flows),
            },
            sources: &self.sources,
            loads: &self.loads,
            storages: &self.storages,
            hours: self.hours,
        }
    }
}

/// What reconciliation reads and writes.
impl CarbonSlot {
    /// Net power into each branch at its from and its to end.
    pub(crate) fn net_flows(&self) -> Vec<(f64, f64)> {
        match &self.flows {
            OwnedFlows::Net(flows) => flows
                .iter()
                .map(|flow| (flow.from_megawatts, flow.to_megawatts))
                .collect(),
            OwnedFlows::Registers(flows) => flows
                .iter()
                .map(|flow| {
                    (
                        flow.from_in_megawatts - flow.from_out_megawatts,
                        flow.to_in_megawatts - flow.to_out_megawatts,
                    )
                })
                .collect(),
        }
    }

    pub(crate) fn source_powers(&self) -> Vec<f64> {
        self.sources.iter().map(|source| source.megawatts).collect()
    }

    pub(crate) fn load_powers(&self) -> Vec<f64> {
        self.loads.iter().map(|load| load.megawatts).collect()
    }

    /// Charge less discharge.
    pub(crate) fn storage_powers(&self) -> Vec<f64> {
        let storages = self.storages.iter();
        storages
            .map(|storage| storage.charge_megawatts - storage.discharge_megawatts)
            .collect()
    }

    /// The same slot with other powers.
    pub(crate) fn corrected(
        &self,
        flows: &[[f64; 2]],
        sources: &[f64],
        loads: &[f64],
        storages: &[f64],
    ) -> Self {
        let mut other = self.clone();
        match &mut other.flows {
            OwnedFlows::Net(all) => {
                for (flow, [from, to]) in all.iter_mut().zip(flows) {
                    flow.from_megawatts = *from;
                    flow.to_megawatts = *to;
                }
            }
            OwnedFlows::Registers(all) => {
                for (flow, [from, to]) in all.iter_mut().zip(flows) {
                    turn(
                        &mut flow.from_in_megawatts,
                        &mut flow.from_out_megawatts,
                        *from,
                    );
                    turn(&mut flow.to_in_megawatts, &mut flow.to_out_megawatts, *to);
                }
            }
        }
        for (source, megawatts) in other.sources.iter_mut().zip(sources) {
            source.megawatts = *megawatts;
        }
        for (load, megawatts) in other.loads.iter_mut().zip(loads) {
            load.megawatts = *megawatts;
        }
        for (storage, net) in other.storages.iter_mut().zip(storages) {
            turn(
                &mut storage.charge_megawatts,
                &mut storage.discharge_megawatts,
                *net,
            );
        }
        other
    }
}

/// Give two registers a net value: the correction goes to the larger, and what that can't take to the other.
fn turn(ahead: &mut f64, back: &mut f64, net: f64) {
    let correction = net - (*ahead - *back);
    if !correction.is_finite() {
        (*ahead, *back) = (net.max(0.0), (-net).max(0.0));
    } else if *ahead >= *back {
        *ahead += correction;
    } else {
        *back -= correction;
    }
    if *ahead < 0.0 {
        *back -= *ahead;
        *ahead = 0.0;
    }
    if *back < 0.0 {
        *ahead -= *back;
        *back = 0.0;
    }
}

/// Net flows if all are; with one that has registers, the others must have them too: a net flow says less.
fn take_flows(flows: &[FlowIn]) -> PyResult<OwnedFlows> {
    let mut net = Vec::with_capacity(flows.len());
    let mut both = Vec::new();
    for flow in flows {
        match flow {
            FlowIn::Net(from, to) => net.push(core::EndPowers {
                from_megawatts: from.0,
                to_megawatts: to.0,
            }),
            FlowIn::Registers(from_in, from_out, to_in, to_out) => both.push(core::EndRegisters {
                from_in_megawatts: from_in.0,
                from_out_megawatts: from_out.0,
                to_in_megawatts: to_in.0,
                to_out_megawatts: to_out.0,
            }),
        }
    }
    if both.is_empty() {
        Ok(OwnedFlows::Net(net))
    } else if net.is_empty() {
        Ok(OwnedFlows::Registers(both))
    } else {
        Err(PyTypeError::new_err(format!(
            "flows: expected 2 numbers for each branch or 4 for each, got {} with 2 and {} with 4",
            net.len(),
            both.len()
        )))
    }
}

fn take_sources(
    sources: &[(Number, Option<Number>)],
    emissions: Option<&[Option<Number>]>,
) -> PyResult<Vec<core::Source>> {
    if let Some(emissions) = emissions
        && emissions.len() != sources.len()
    {
        return Err(CarbonFlowError::new_err(format!(
            "{} emissions for {} sources",
            emissions.len(),
            sources.len()
        )));
    }
    let mut taken = Vec::with_capacity(sources.len());
    for (index, (power, factor)) in sources.iter().enumerate() {
        let emission = emissions.and_then(|emissions| emissions.get(index).copied().flatten());
        let origin = match (factor, emission) {
            (Some(_), Some(_)) => {
                return Err(CarbonFlowError::new_err(format!(
                    "source number {index}: expected a factor or an emission, got both"
                )));
            }
            (Some(factor), None) => core::Origin::Factor(factor.0),
            (None, Some(rate)) => core::Origin::Emission(rate.0),
            (None, None) => core::Origin::Unknown,
        };
        taken.push(core::Source {
            megawatts: power.0,
            origin,
        });
    }
    Ok(taken)
}

fn take_load(load: &LoadIn) -> core::Load {
    match load {
        LoadIn::Plain(power) => core::Load {
            megawatts: power.0,
            factor: None,
        },
        LoadIn::Feeding(power, factor) => core::Load {
            megawatts: power.0,
            factor: factor.map(|factor| factor.0),
        },
    }
}

fn take_storage(storage: &StorageIn) -> core::Storage {
    let (charge, discharge, charge_efficiency, discharge_efficiency, energy, carbon, unknown) =
        storage;
    core::Storage {
        charge_megawatts: charge.0,
        discharge_megawatts: discharge.0,
        charge_efficiency: charge_efficiency.0,
        discharge_efficiency: discharge_efficiency.0,
        tank: core::Tank {
            megawatt_hours: energy.0,
            tonnes: carbon.0,
            unknown_megawatt_hours: unknown.0,
        },
    }
}
