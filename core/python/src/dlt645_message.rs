//! What frames of DL/T 645-2007 mean, for Python: dictionaries with a `kind`.

use diantan_core::dlt645::{Authority, Frame, Moment, Outcome, Password, Reply, Request, function};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::dlt645::{Dlt645Frame, refused};
use crate::dlt645_values::moment_to_python;
use crate::names::name;

pub(crate) const KINDS: [(u8, &str); 15] = [
    (function::SECURITY, "security"),
    (function::TIME_SYNC, "time_sync"),
    (function::READ, "read"),
    (function::READ_NEXT, "read_next"),
    (function::READ_ADDRESS, "read_address"),
    (function::WRITE, "write"),
    (function::WRITE_ADDRESS, "write_address"),
    (function::FREEZE, "freeze"),
    (function::CHANGE_BAUD, "change_baud"),
    (function::CHANGE_PASSWORD, "change_password"),
    (function::CLEAR_DEMAND, "clear_demand"),
    (function::CLEAR_METER, "clear_meter"),
    (function::CLEAR_EVENTS, "clear_events"),
    (function::CONTROL, "control"),
    (function::OUTPUT, "output"),
];

/// Writes a message's dictionary.
struct Out<'py> {
    py: Python<'py>,
    fields: Bound<'py, PyDict>,
}

impl<'py> Out<'py> {
    fn new(py: Python<'py>, function: u8, reply: bool) -> PyResult<Self> {
        let fields = PyDict::new(py);
        let kind = KINDS.iter().find(|(known, _)| *known == function);
        let out = Self { py, fields };
        out.item("kind", kind.map(|(_, kind)| name(py, kind)))?;
        out.item("reply", reply)?;
        Ok(out)
    }

    fn item(&self, key: &'static str, value: impl IntoPyObject<'py>) -> PyResult<()> {
        self.fields.set_item(name(self.py, key), value)
    }

    fn bytes(&self, key: &'static str, value: &[u8]) -> PyResult<()> {
        self.item(key, PyBytes::new(self.py, value))
    }

    fn moment(&self, key: &'static str, value: &Moment) -> PyResult<()> {
        self.item(key, moment_to_python(self.py, value)?)
    }

    fn password(
        &self,
        level: &'static str,
        digits: &'static str,
        password: Password,
    ) -> PyResult<()> {
        self.item(level, password.level)?;
        self.bytes(digits, &password.digits)
    }

    fn authority(&self, authority: Authority) -> PyResult<()> {
        self.password("level", "password", authority.password)?;
        self.bytes("operator", &authority.operator)
    }
}

/// The meaning of a frame.
#[pyfunction]
pub(crate) fn dlt645_parse<'py>(
    py: Python<'py>,
    frame: &Dlt645Frame,
) -> PyResult<Bound<'py, PyDict>> {
    let Frame { control, data, .. } = &frame.0;
    if control.from_meter() {
        let reply = Reply::decode(*control, data).map_err(|error| refused(py, &error))?;
        return reply_out(py, &reply);
    }
    let request = Request::decode(*control, data).map_err(|error| refused(py, &error))?;
    request_out(py, &request)
}

fn request_out<'py>(py: Python<'py>, request: &Request) -> PyResult<Bound<'py, PyDict>> {
    let out = Out::new(py, request.function(), false)?;
    match request {
        Request::Read {
            identifier,
            blocks,
            since,
        } => {
            out.item("di", identifier)?;
            if let Some(blocks) = blocks {
                out.item("blocks", blocks)?;
            }
            if let Some(since) = since {
                out.moment("since", since)?;
            }
        }
        Request::ReadNext {
            identifier,
            sequence,
        } => {
            out.item("di", identifier)?;
            out.item("seq", sequence)?;
        }
        Request::ReadAddress => {}
        Request::Write {
            identifier,
            authority,
            data,
        } => {
            out.item("di", identifier)?;
            out.authority(*authority)?;
            out.bytes("data", data)?;
        }
        Request::WriteAddress(address) => out.item("address", address.to_string())?,
        Request::TimeSync(time) | Request::Freeze(time) => out.moment("time", time)?,
        Request::ChangeBaud(baud) => out.item("baud", baud.rate())?,
        Request::ChangePassword {
            identifier,
            old,
            new,
        } => {
            out.item("di", identifier)?;
            out.password("level", "password", *old)?;
            out.password("new_level", "new_password", *new)?;
        }
        Request::ClearDemand(authority) | Request::ClearMeter(authority) => {
            out.authority(*authority)?;
        }
        Request::ClearEvents {
            authority,
            identifier,
        } => {
            out.authority(*authority)?;
            out.item("di", identifier)?;
        }
        Request::Control { authority, data } => {
            out.authority(*authority)?;
            out.bytes("data", data)?;
        }
        Request::Output(raw) | Request::Security(raw) => out.bytes("data", raw)?,
    }
    Ok(out.fields)
}

fn reply_out<'py>(py: Python<'py>, reply: &Reply) -> PyResult<Bound<'py, PyDict>> {
    let out = Out::new(py, reply.function, true)?;
    match &reply.outcome {
        Outcome::Read {
            identifier,
            data,
            more,
        } => {
            out.item("di", identifier)?;
            out.bytes("data", data)?;
            out.item("more", *more)?;
        }
        Outcome::ReadNext {
            identifier,
            data,
            sequence,
            more,
        } => {
            out.item("di", identifier)?;
            out.bytes("data", data)?;
            out.item("seq", sequence)?;
            out.item("more", *more)?;
        }
        Outcome::Address(address) => out.item("address", address.to_string())?,
        Outcome::Baud(baud) => out.item("baud", baud.rate())?,
        Outcome::Password(Some(password)) => {
            out.password("new_level", "new_password", *password)?;
        }
        Outcome::Password(None) | Outcome::Done => {}
        Outcome::Raw(raw) => out.bytes("data", raw)?,
        Outcome::Refused(refusal) => {
            out.item("error", refusal.0)?;
            let reasons: Vec<&str> = refusal.reasons().collect();
            out.item("reasons", PyTuple::new(py, reasons)?)?;
        }
    }
    Ok(out.fields)
}
