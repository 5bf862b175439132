//! DL/T 645-2007 for Python: frames, addresses and the stream parser.

use diantan_core::dlt645::{self, Address, Cause, Control, Event};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::Dlt645Error;

/// The exception of a core error, with its offset.
pub(crate) fn refused(py: Python<'_>, error: &dlt645::Dlt645Error) -> PyErr {
    raised(py, error.to_string(), error.offset)
}

/// The exception of a message, with its offset.
pub(crate) fn raised(py: Python<'_>, text: String, offset: usize) -> PyErr {
    let raised = Dlt645Error::new_err(text);
    match raised.value(py).setattr("offset", offset) {
        Ok(()) => raised,
        Err(other) => other,
    }
}

pub(crate) fn address(py: Python<'_>, text: &str) -> PyResult<Address> {
    Address::parse(text).map_err(|error| refused(py, &error))
}

/// A frame of DL/T 645-2007.
#[pyclass(frozen, eq, hash, module = "diantan_core")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Dlt645Frame(pub(crate) dlt645::Frame);

#[pymethods]
impl Dlt645Frame {
    #[new]
    #[pyo3(signature = (address, control, data = None))]
    fn new(py: Python<'_>, address: &str, control: u8, data: Option<&[u8]>) -> PyResult<Self> {
        Ok(Self(dlt645::Frame {
            address: self::address(py, address)?,
            control: Control(control),
            data: data.unwrap_or_default().to_vec(),
        }))
    }

    #[getter]
    fn address(&self) -> String {
        self.0.address.to_string()
    }

    #[getter]
    fn control(&self) -> u8 {
        self.0.control.0
    }

    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.data)
    }

    #[getter]
    fn function(&self) -> u8 {
        self.0.control.function()
    }

    #[getter(from_meter)]
    fn sent_by_meter(&self) -> bool {
        self.0.control.from_meter()
    }

    #[getter]
    fn abnormal(&self) -> bool {
        self.0.control.abnormal()
    }

    #[getter]
    fn more(&self) -> bool {
        self.0.control.more()
    }

    /// The bytes on the wire.
    #[pyo3(signature = (preamble = 4))]
    fn encode<'py>(&self, py: Python<'py>, preamble: u8) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.0.encode(usize::from(preamble));
        bytes
            .map(|bytes| PyBytes::new(py, &bytes))
            .map_err(|error| refused(py, &error))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (address, control) = (self.0.address, self.0.control.0);
        let data = self.data(py).repr()?;
        Ok(format!("Dlt645Frame('{address}', 0x{control:02x}, {data})"))
    }
}

/// Bytes in the stream that are no frame.
#[pyclass(frozen, module = "diantan_core")]
pub(crate) struct Dlt645Noise {
    bytes: Vec<u8>,
    cause: Cause,
}

#[pymethods]
impl Dlt645Noise {
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.bytes)
    }

    #[getter]
    fn cause(&self) -> &'static str {
        match self.cause {
            Cause::Garbage => "garbage",
            Cause::Checksum { .. } => "checksum",
            Cause::Truncated => "truncated",
        }
    }

    #[getter]
    fn expected(&self) -> Option<u8> {
        match self.cause {
            Cause::Checksum { expected, .. } => Some(expected),
            Cause::Garbage | Cause::Truncated => None,
        }
    }

    #[getter]
    fn found(&self) -> Option<u8> {
        match self.cause {
            Cause::Checksum { found, .. } => Some(found),
            Cause::Garbage | Cause::Truncated => None,
        }
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let data = self.data(py).repr()?;
        Ok(format!("<Dlt645Noise {} {data}>", self.cause()))
    }
}

/// Finds frames in a stream.
#[pyclass(module = "diantan_core")]
pub(crate) struct Dlt645Parser(dlt645::Parser);

impl Dlt645Parser {
    fn events(py: Python<'_>, events: Vec<Event>) -> PyResult<Vec<Bound<'_, PyAny>>> {
        let objects = events.into_iter().map(|event| match event {
            Event::Frame { frame, .. } => Ok(Bound::new(py, Dlt645Frame(frame))?.into_any()),
            Event::Noise { bytes, cause } => {
                Ok(Bound::new(py, Dlt645Noise { bytes, cause })?.into_any())
            }
        });
        objects.collect()
    }
}

#[pymethods]
impl Dlt645Parser {
    #[new]
    #[pyo3(signature = (limit = dlt645::DEFAULT_LIMIT))]
    fn new(limit: u8) -> Self {
        Self(dlt645::Parser::new(limit))
    }

    #[getter]
    fn pending(&self) -> usize {
        self.0.pending()
    }

    /// Take bytes as they come.
    fn feed<'py>(&mut self, py: Python<'py>, data: &[u8]) -> PyResult<Vec<Bound<'py, PyAny>>> {
        Self::events(py, self.0.feed(data))
    }

    /// Give up what waits for more bytes.
    fn flush<'py>(&mut self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        Self::events(py, self.0.flush())
    }
}

/// Whether a request to an address is meant for a meter.
#[pyfunction]
pub(crate) fn dlt645_matches(py: Python<'_>, requested: &str, meter: &str) -> PyResult<bool> {
    Ok(address(py, requested)?.matches(address(py, meter)?))
}

/// The shortened address of some low digits.
#[pyfunction]
pub(crate) fn dlt645_shortened(py: Python<'_>, digits: &str) -> PyResult<String> {
    Address::shortened(digits)
        .map(|address| address.to_string())
        .map_err(|error| refused(py, &error))
}
