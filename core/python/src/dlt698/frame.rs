//! Frames, the noise between them, and the parser that tells them apart.

use diantan_core::dlt698::{
    Address, AddressKind, Control, Event, Fragment, FragmentKind, Frame, FrameError, MAX_LENGTH,
    Parser, confirmation, split,
};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::{Dlt698FrameError, fragment_error, frame_error};

/// A frame (帧) of DL/T 698.45.
#[pyclass(frozen, eq, hash, module = "diantan_core")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Dlt698Frame(pub(super) Frame);

const KINDS: [(&str, AddressKind); 4] = [
    ("single", AddressKind::Single),
    ("wildcard", AddressKind::Wildcard),
    ("group", AddressKind::Group),
    ("broadcast", AddressKind::Broadcast),
];

fn kind_of(name: &str) -> PyResult<AddressKind> {
    KINDS
        .into_iter()
        .find(|(known, _)| *known == name)
        .map(|(_, kind)| kind)
        .ok_or_else(|| {
            Dlt698FrameError::new_err(format!(
                "kind: expected single, wildcard, group or broadcast, got {name:?}"
            ))
        })
}

/// The bytes of an address written in hexadecimal digits.
fn digits(text: &str) -> PyResult<Vec<u8>> {
    let nibbles: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    match nibbles {
        Some(nibbles) if nibbles.len().is_multiple_of(2) => Ok(nibbles
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |byte, nibble| byte << 4 | nibble))
            .collect()),
        _ => Err(Dlt698FrameError::new_err(format!(
            "address: expected an even number of hexadecimal digits, got {text:?}"
        ))),
    }
}

#[pymethods]
impl Dlt698Frame {
    #[new]
    #[pyo3(signature = (control, address, client, user_data, *, kind = "single", logical = 0, kilobytes = false))]
    fn new(
        control: u8,
        address: &str,
        client: u8,
        user_data: &[u8],
        kind: &str,
        logical: u8,
        kilobytes: bool,
    ) -> PyResult<Self> {
        let server = Address::new(kind_of(kind)?, logical, &digits(address)?)
            .map_err(|error| frame_error(&error))?;
        let frame = Frame::new(Control(control), server, client, user_data.to_vec());
        Ok(Self(Frame { kilobytes, ..frame }))
    }

    #[staticmethod]
    fn decode(data: &[u8]) -> PyResult<Self> {
        Frame::decode(data)
            .map(Self)
            .map_err(|error| frame_error(&error))
    }

    fn encode<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.0.encode().map_err(|error| frame_error(&error))?;
        Ok(PyBytes::new(py, &bytes))
    }

    #[getter]
    fn control(&self) -> u8 {
        self.0.control.0
    }

    #[getter(from_server)]
    fn server_sent(&self) -> bool {
        self.0.control.from_server()
    }

    #[getter]
    fn client_initiated(&self) -> bool {
        self.0.control.client_initiated()
    }

    #[getter]
    fn is_fragment(&self) -> bool {
        self.0.control.fragment()
    }

    #[getter]
    fn scrambled(&self) -> bool {
        self.0.control.scrambled()
    }

    #[getter]
    fn function(&self) -> u8 {
        self.0.control.function()
    }

    #[getter]
    fn address(&self) -> String {
        self.0.server.to_string()
    }

    #[getter]
    fn kind(&self) -> &'static str {
        KINDS
            .into_iter()
            .find(|(_, kind)| *kind == self.0.server.kind())
            .map_or("single", |(name, _)| name)
    }

    #[getter]
    fn logical(&self) -> u8 {
        self.0.server.logical()
    }

    #[getter]
    fn client(&self) -> u8 {
        self.0.client
    }

    #[getter]
    fn user_data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.user_data)
    }

    #[getter]
    fn kilobytes(&self) -> bool {
        self.0.kilobytes
    }

    /// Number, kind and piece of a fragment.
    fn fragment<'py>(&self, py: Python<'py>) -> PyResult<(u16, &'static str, Bound<'py, PyBytes>)> {
        let fragment = Fragment::of(&self.0).map_err(|error| fragment_error(&error))?;
        let kind = match fragment.kind {
            FragmentKind::First => "first",
            FragmentKind::Middle => "middle",
            FragmentKind::Last => "last",
            FragmentKind::Confirm => "confirm",
        };
        Ok((fragment.number, kind, PyBytes::new(py, fragment.piece)))
    }

    fn confirmation(&self) -> PyResult<Self> {
        confirmation(&self.0)
            .map(Self)
            .map_err(|error| fragment_error(&error))
    }

    #[pyo3(signature = (size, first = 0))]
    fn split(&self, size: usize, first: u16) -> PyResult<Vec<Self>> {
        let frames = split(&self.0, size, first).map_err(|error| fragment_error(&error))?;
        Ok(frames.into_iter().map(Self).collect())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let data = self.user_data(py).repr()?;
        let kilobytes = if self.0.kilobytes {
            ", kilobytes=True"
        } else {
            ""
        };
        Ok(format!(
            "Dlt698Frame(0x{:02x}, '{}', 0x{:02x}, {data}, kind='{}', logical={}{kilobytes})",
            self.0.control.0,
            self.0.server,
            self.0.client,
            self.kind(),
            self.0.server.logical(),
        ))
    }
}

/// Bytes that are no frame.
#[pyclass(frozen, eq, module = "diantan_core")]
#[derive(PartialEq, Eq)]
pub(crate) struct Dlt698Noise {
    octets: Vec<u8>,
    reason: FrameError,
}

#[pymethods]
impl Dlt698Noise {
    #[getter]
    fn octets<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.octets)
    }

    #[getter]
    fn kind(&self) -> &'static str {
        match self.reason {
            FrameError::HeaderCheck { .. } => "header_check",
            FrameError::Length { .. } => "length",
            FrameError::FrameCheck { .. } => "frame_check",
            FrameError::End(_) => "end",
            FrameError::Truncated => "truncated",
            _ => "start",
        }
    }

    #[getter]
    fn reason(&self) -> String {
        self.reason.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<Dlt698Noise {} bytes: {}>", self.octets.len(), self.reason)
    }
}

/// Finds frames in a stream of bytes.
#[pyclass(module = "diantan_core")]
pub(crate) struct Dlt698Parser(Parser);

fn events(py: Python<'_>, events: Vec<Event>) -> PyResult<Bound<'_, PyList>> {
    let list = PyList::empty(py);
    for event in events {
        match event {
            Event::Frame(frame) => list.append(Bound::new(py, Dlt698Frame(frame))?)?,
            Event::Noise { octets, reason } => {
                list.append(Bound::new(py, Dlt698Noise { octets, reason })?)?;
            }
        }
    }
    Ok(list)
}

#[pymethods]
impl Dlt698Parser {
    #[new]
    #[pyo3(signature = (max_length = MAX_LENGTH))]
    fn new(max_length: usize) -> Self {
        Self(Parser::new(max_length))
    }

    fn feed<'py>(&mut self, py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyList>> {
        let found = self.0.feed(data);
        events(py, found)
    }

    fn flush<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let found = self.0.flush();
        events(py, found)
    }

    #[getter]
    fn pending(&self) -> usize {
        self.0.pending()
    }
}
