//! What object attribute descriptors stand for, for Python.

use diantan_core::dlt698::{Field, Layout, Oad, Object};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// A member of a structure, or the element itself.
#[pyclass(frozen, module = "diantan_core")]
pub(crate) struct Dlt698Field(Field);

#[pymethods]
impl Dlt698Field {
    #[getter]
    fn name(&self) -> &'static str {
        self.0.name
    }

    #[getter]
    fn name_zh(&self) -> &'static str {
        self.0.chinese
    }

    #[getter]
    fn data_type(&self) -> &'static str {
        self.0.data_type
    }

    #[getter]
    fn exponent(&self) -> i8 {
        self.0.exponent
    }

    #[getter]
    fn unit(&self) -> &'static str {
        self.0.unit
    }

    fn __repr__(&self) -> String {
        let Field {
            name,
            data_type,
            exponent,
            unit,
            ..
        } = self.0;
        format!("<Dlt698Field {name} {data_type} 10^{exponent} {unit}>")
    }
}

/// What an object attribute descriptor stands for.
#[pyclass(frozen, module = "diantan_core")]
pub(crate) struct Dlt698Object(Object);

impl Dlt698Object {
    /// The one field of an element, or the one that the index picks out of a structure.
    fn value(&self) -> Option<&'static Field> {
        match (self.0.layout, usize::from(self.0.oad.index())) {
            (Layout::Members, 0) => None,
            (Layout::Members, index) => self.0.fields.get(index - 1),
            _ => match self.0.fields {
                [only] => Some(only),
                _ => None,
            },
        }
    }
}

#[pymethods]
impl Dlt698Object {
    #[getter]
    fn oad(&self) -> u32 {
        self.0.oad.0
    }

    #[getter]
    fn oi(&self) -> u16 {
        self.0.oad.object()
    }

    #[getter]
    fn attribute(&self) -> u8 {
        self.0.oad.attribute()
    }

    #[getter]
    fn feature(&self) -> u8 {
        self.0.oad.feature()
    }

    #[getter]
    fn index(&self) -> u8 {
        self.0.oad.index()
    }

    #[getter]
    fn interface_class(&self) -> Option<u8> {
        Some(self.0.class).filter(|class| *class != 0)
    }

    #[getter]
    fn name(&self) -> String {
        self.0.name()
    }

    #[getter]
    fn name_zh(&self) -> String {
        self.0.chinese()
    }

    #[getter]
    fn data_type(&self) -> Option<&'static str> {
        match self.value() {
            Some(field) => Some(field.data_type),
            None => (self.0.fields.len() > 1).then_some("structure"),
        }
    }

    #[getter]
    fn exponent(&self) -> Option<i8> {
        self.value().map(|field| field.exponent)
    }

    #[getter]
    fn unit(&self) -> Option<&'static str> {
        self.value().map(|field| field.unit)
    }

    #[getter]
    fn array(&self) -> Option<bool> {
        self.0.layout.is_array()
    }

    #[getter]
    fn layout(&self) -> &'static str {
        match self.0.layout {
            Layout::Single => "single",
            Layout::Members => "members",
            Layout::Tariffs => "tariffs",
            Layout::Phases => "phases",
            Layout::TotalPhases => "total_phases",
            Layout::Harmonics => "harmonics",
            Layout::Numbered => "numbered",
            Layout::Records => "records",
            Layout::Unknown => "unknown",
        }
    }

    #[getter]
    fn fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let structure = self.value().is_none();
        let fields = self.0.fields.iter().filter(|_| structure);
        let fields = fields
            .map(|field| Bound::new(py, Dlt698Field(*field)))
            .collect::<PyResult<Vec<_>>>()?;
        PyTuple::new(py, fields)
    }

    /// The names of an element.
    fn element(&self, index: u8) -> (String, String) {
        self.0.element(index)
    }

    fn __repr__(&self) -> String {
        format!("<Dlt698Object {:08X} {}>", self.0.oad.0, self.0.name())
    }
}

/// The object of a descriptor, if the table knows it.
#[pyfunction]
pub(crate) fn dlt698_object(oad: u32) -> Option<Dlt698Object> {
    Object::find(Oad(oad)).map(Dlt698Object)
}
