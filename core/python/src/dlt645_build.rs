//! Frames of DL/T 645-2007 from Python's dictionaries.

use diantan_core::dlt645::{
    Address, Authority, Baud, Frame, Moment, Outcome, Password, Refusal, Reply, Request, function,
};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::dlt645::{Dlt645Frame, address, raised, refused};
use crate::dlt645_message::KINDS;
use crate::dlt645_values::moment_from_python;

/// Reads a message's dictionary; a key that nobody asked for is refused.
struct In<'a, 'py> {
    fields: &'a Bound<'py, PyDict>,
    asked: Vec<&'static str>,
}

impl<'py> In<'_, 'py> {
    fn refused(&self, text: String) -> PyErr {
        raised(self.fields.py(), text, 0)
    }

    fn optional<T>(&mut self, key: &'static str) -> PyResult<Option<T>>
    where
        T: for<'b> FromPyObject<'b, 'py, Error: Into<PyErr>>,
    {
        self.asked.push(key);
        match self.fields.get_item(key)? {
            Some(value) if !value.is_none() => value.extract().map(Some).map_err(Into::into),
            _ => Ok(None),
        }
    }

    fn required<T>(&mut self, key: &'static str) -> PyResult<T>
    where
        T: for<'b> FromPyObject<'b, 'py, Error: Into<PyErr>>,
    {
        self.optional(key)?
            .ok_or_else(|| self.refused(format!("expected a message with {key:?}")))
    }

    fn bytes(&mut self, key: &'static str) -> PyResult<Vec<u8>> {
        let value: Bound<'py, PyBytes> = self.required(key)?;
        Ok(value.as_bytes().to_vec())
    }

    fn array<const N: usize>(&mut self, key: &'static str) -> PyResult<[u8; N]> {
        let bytes = self.bytes(key)?;
        let found = bytes.len();
        bytes
            .try_into()
            .map_err(|_| self.refused(format!("expected {N} bytes for {key:?}, got {found}")))
    }

    fn address(&mut self, key: &'static str) -> PyResult<Address> {
        let text: String = self.required(key)?;
        address(self.fields.py(), &text)
    }

    fn moment(&mut self, key: &'static str) -> PyResult<Moment> {
        let parts: Bound<'py, PyDict> = self.required(key)?;
        moment_from_python(&parts)
    }

    fn baud(&mut self) -> PyResult<Baud> {
        let py = self.fields.py();
        Baud::new(self.required("baud")?).map_err(|error| refused(py, &error))
    }

    fn password(&mut self, level: &'static str, digits: &'static str) -> PyResult<Password> {
        Ok(Password {
            level: self.required(level)?,
            digits: self.array(digits)?,
        })
    }

    fn authority(&mut self) -> PyResult<Authority> {
        Ok(Authority {
            password: self.password("level", "password")?,
            operator: self.array("operator")?,
        })
    }

    fn end(&self) -> PyResult<()> {
        for key in self.fields.keys() {
            let key: String = key.extract()?;
            if !self.asked.contains(&key.as_str()) {
                return Err(self.refused(format!(
                    "expected a message with no other keys than {:?}, got {key:?}",
                    self.asked
                )));
            }
        }
        Ok(())
    }
}

/// The frame of a message.
#[pyfunction]
pub(crate) fn dlt645_build(
    py: Python<'_>,
    address: &str,
    message: &Bound<'_, PyDict>,
) -> PyResult<Dlt645Frame> {
    let mut fields = In {
        fields: message,
        asked: Vec::new(),
    };
    let kind: String = fields.required("kind")?;
    let known = KINDS.iter().find(|(_, known)| *known == kind);
    let function = known.map(|(function, _)| *function).ok_or_else(|| {
        let kinds = KINDS.map(|(_, known)| known);
        fields.refused(format!("expected a kind of {kinds:?}, got {kind:?}"))
    })?;
    let encoded = if fields.optional("reply")?.unwrap_or(false) {
        let outcome = outcome_in(&mut fields, function)?;
        Reply { function, outcome }.encode()
    } else {
        request_in(&mut fields, function)?.encode()
    };
    fields.end()?;
    let (control, data) = encoded.map_err(|error| refused(py, &error))?;
    Ok(Dlt645Frame(Frame {
        address: self::address(py, address)?,
        control,
        data,
    }))
}

fn request_in(fields: &mut In<'_, '_>, function: u8) -> PyResult<Request> {
    Ok(match function {
        function::READ => Request::Read {
            identifier: fields.required("di")?,
            blocks: fields.optional("blocks")?,
            since: match fields.optional::<Bound<'_, PyDict>>("since")? {
                Some(parts) => Some(moment_from_python(&parts)?),
                None => None,
            },
        },
        function::READ_NEXT => Request::ReadNext {
            identifier: fields.required("di")?,
            sequence: fields.required("seq")?,
        },
        function::READ_ADDRESS => Request::ReadAddress,
        function::WRITE => Request::Write {
            identifier: fields.required("di")?,
            authority: fields.authority()?,
            data: fields.bytes("data")?,
        },
        function::WRITE_ADDRESS => Request::WriteAddress(fields.address("address")?),
        function::TIME_SYNC => Request::TimeSync(fields.moment("time")?),
        function::FREEZE => Request::Freeze(fields.moment("time")?),
        function::CHANGE_BAUD => Request::ChangeBaud(fields.baud()?),
        function::CHANGE_PASSWORD => Request::ChangePassword {
            identifier: fields.required("di")?,
            old: fields.password("level", "password")?,
            new: fields.password("new_level", "new_password")?,
        },
        function::CLEAR_DEMAND => Request::ClearDemand(fields.authority()?),
        function::CLEAR_METER => Request::ClearMeter(fields.authority()?),
        function::CLEAR_EVENTS => Request::ClearEvents {
            authority: fields.authority()?,
            identifier: fields.required("di")?,
        },
        function::CONTROL => Request::Control {
            authority: fields.authority()?,
            data: fields.bytes("data")?,
        },
        function::OUTPUT => Request::Output(fields.bytes("data")?),
        _ => Request::Security(fields.bytes("data")?),
    })
}

fn outcome_in(fields: &mut In<'_, '_>, function: u8) -> PyResult<Outcome> {
    if let Some(error) = fields.optional("error")? {
        // What `dlt645_parse` adds for the reader follows from the error.
        fields.optional::<Bound<'_, PyTuple>>("reasons")?;
        return Ok(Outcome::Refused(Refusal(error)));
    }
    Ok(match function {
        function::READ => Outcome::Read {
            identifier: fields.required("di")?,
            data: fields.bytes("data")?,
            more: fields.optional("more")?.unwrap_or(false),
        },
        function::READ_NEXT => Outcome::ReadNext {
            identifier: fields.required("di")?,
            data: fields.bytes("data")?,
            sequence: fields.required("seq")?,
            more: fields.optional("more")?.unwrap_or(false),
        },
        function::READ_ADDRESS => Outcome::Address(fields.address("address")?),
        function::CHANGE_BAUD => Outcome::Baud(fields.baud()?),
        function::CHANGE_PASSWORD => match fields.optional::<u8>("new_level")? {
            Some(_) => Outcome::Password(Some(fields.password("new_level", "new_password")?)),
            None => Outcome::Password(None),
        },
        function::OUTPUT | function::SECURITY => Outcome::Raw(fields.bytes("data")?),
        _ => Outcome::Done,
    })
}
