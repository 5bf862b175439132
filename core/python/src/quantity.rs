//! Energy, Carbon and Factor as Python values.
#![allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "a method of a Python class takes &self"
)]

use diantan_core::quantity as core;
use pyo3::prelude::*;

use crate::convert::{decimal_text, factor, quantity_i64, quantity_i128, to_decimal};
use crate::errors::{QuantityError, quantity};

/// An amount of energy (电能量), an integer of 1 mWh = 10⁻⁶ kWh within i64.
#[pyclass(module = "diantan_core", frozen, eq, ord, hash)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Energy(core::Energy);

/// An amount of carbon dioxide (电碳排放量), an integer of 1 ng = 10⁻¹² kg within i128.
#[pyclass(module = "diantan_core", frozen, eq, ord, hash)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Carbon(core::Carbon);

/// A carbon factor (电碳因子), an integer of 1 mg/kWh = 10⁻⁶ kgCO₂/kWh within u32.
#[pyclass(module = "diantan_core", frozen, eq, ord, hash)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Factor(core::Factor);

#[pymethods]
impl Energy {
    #[new]
    #[pyo3(signature = (mwh = None))]
    fn new(mwh: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let mwh = mwh.map_or(Ok(0), |mwh| quantity_i64(mwh, "energy in mWh"))?;
        Ok(Self(core::Energy::from_mwh(mwh)))
    }

    /// Exact conversion; `QuantityError` when finer than 1 mWh or out of range. No float is accepted.
    #[staticmethod]
    fn from_kwh(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        core::Energy::parse_kwh(&decimal_text(value)?)
            .map(Self)
            .map_err(|error| quantity(&error))
    }

    #[getter]
    fn mwh(&self) -> i64 {
        self.0.mwh()
    }

    #[getter]
    fn kwh<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_decimal(py, &self.0.kwh_text())
    }

    fn __add__(&self, other: &Self) -> PyResult<Self> {
        self.0
            .checked_add(other.0)
            .map(Self)
            .map_err(|error| quantity(&error))
    }

    fn __sub__(&self, other: &Self) -> PyResult<Self> {
        self.0
            .checked_sub(other.0)
            .map(Self)
            .map_err(|error| quantity(&error))
    }

    fn __neg__(&self) -> PyResult<Self> {
        self.0
            .checked_neg()
            .map(Self)
            .map_err(|error| quantity(&error))
    }

    fn __mul__(&self, other: &Factor) -> Carbon {
        Carbon(self.0.carbon(other.0))
    }

    fn __repr__(&self) -> String {
        format!("Energy(mwh={})", self.0.mwh())
    }

    fn __str__(&self) -> String {
        format!("{} kWh", self.0.kwh_text())
    }

    fn __getnewargs__(&self) -> (i64,) {
        (self.0.mwh(),)
    }
}

#[pymethods]
impl Carbon {
    #[new]
    #[pyo3(signature = (ng = None))]
    fn new(ng: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let ng = ng.map_or(Ok(0), |ng| quantity_i128(ng, "carbon in ng"))?;
        Ok(Self(core::Carbon::from_ng(ng)))
    }

    /// Exact conversion; `QuantityError` when finer than 1 ng or out of range. No float is accepted.
    #[staticmethod]
    fn from_kg(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        core::Carbon::parse_kg(&decimal_text(value)?)
            .map(Self)
            .map_err(|error| quantity(&error))
    }

    #[getter]
    fn ng(&self) -> i128 {
        self.0.ng()
    }

    /// Whole µg (10⁻⁹ kg), floored: how carbon leaves the core.
    #[getter]
    fn ug(&self) -> i128 {
        self.0.ug()
    }

    #[getter]
    fn kg<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_decimal(py, &self.0.kg_text())
    }

    fn __add__(&self, other: &Self) -> PyResult<Self> {
        self.0
            .checked_add(other.0)
            .map(Self)
            .map_err(|error| quantity(&error))
    }

    fn __sub__(&self, other: &Self) -> PyResult<Self> {
        self.0
            .checked_sub(other.0)
            .map(Self)
            .map_err(|error| quantity(&error))
    }

    fn __neg__(&self) -> PyResult<Self> {
        self.0
            .checked_neg()
            .map(Self)
            .map_err(|error| quantity(&error))
    }

    fn __repr__(&self) -> String {
        format!("Carbon(ng={})", self.0.ng())
    }

    fn __str__(&self) -> String {
        format!("{} kg", self.0.kg_text())
    }

    fn __getnewargs__(&self) -> (i128,) {
        (self.0.ng(),)
    }
}

#[pymethods]
impl Factor {
    #[new]
    fn new(mg_per_kwh: &Bound<'_, PyAny>) -> PyResult<Self> {
        factor(mg_per_kwh, QuantityError::new_err).map(Self)
    }

    /// Exact conversion; `QuantityError` when finer than 1 mg/kWh or out of range. No float is accepted.
    #[staticmethod]
    fn from_kg_per_kwh(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        core::Factor::parse_kg_per_kwh(&decimal_text(value)?)
            .map(Self)
            .map_err(|error| quantity(&error))
    }

    #[getter]
    fn mg_per_kwh(&self) -> u32 {
        self.0.mg_per_kwh()
    }

    #[getter]
    fn kg_per_kwh<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_decimal(py, &self.0.kg_per_kwh_text())
    }

    fn __repr__(&self) -> String {
        format!("Factor(mg_per_kwh={})", self.0.mg_per_kwh())
    }

    fn __str__(&self) -> String {
        format!("{} kg/kWh", self.0.kg_per_kwh_text())
    }

    fn __getnewargs__(&self) -> (u32,) {
        (self.0.mg_per_kwh(),)
    }
}
