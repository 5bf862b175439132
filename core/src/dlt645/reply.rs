//! What a meter answers.

use super::authority::{password, put_password};
use super::cursor::Cursor;
use super::request::refused;
use super::{Address, Baud, Control, Password, Result, function};

/// Why a meter refuses: the ERR byte (错误信息字).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal(pub u8);

impl Refusal {
    const NAMES: [&'static str; 8] = [
        "other",
        "no_such_data",
        "not_authorised",
        "baud_fixed",
        "too_many_year_zones",
        "too_many_day_periods",
        "too_many_tariffs",
        "reserved",
    ];

    /// The names of the bits that are set, from bit 0 on.
    pub fn reasons(self) -> impl Iterator<Item = &'static str> {
        let bits = Self::NAMES.into_iter().enumerate();
        bits.filter(move |(bit, _)| self.0 >> bit & 1 == 1)
            .map(|(_, name)| name)
    }
}

/// What a reply brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// 91H, B1H.
    Read {
        /// The data identifier.
        identifier: u32,
        /// Its value, or the first part of it.
        data: Vec<u8>,
        /// Whether more follows.
        more: bool,
    },
    /// 92H, B2H.
    ReadNext {
        /// The data identifier.
        identifier: u32,
        /// The next part of the value.
        data: Vec<u8>,
        /// The request's SEQ.
        sequence: u8,
        /// Whether more follows.
        more: bool,
    },
    /// 93H.
    Address(Address),
    /// 97H.
    Baud(Baud),
    /// 98H, with the new password where the meter repeats it.
    Password(Option<Password>),
    /// 94H, 95H, 96H, 99H, 9AH, 9BH, 9CH.
    Done,
    /// 9DH and 83H, as on the wire.
    Raw(Vec<u8>),
    /// Abnormal: D1H to DDH, and C3H.
    Refused(Refusal),
}

/// What a meter sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Of which function.
    pub function: u8,
    /// What it brings.
    pub outcome: Outcome,
}

impl Reply {
    /// Read a reply's control code and data.
    ///
    /// # Errors
    /// A control code that is no reply of DL/T 645-2007, or data that are not what its function says.
    pub fn decode(control: Control, data: &[u8]) -> Result<Self> {
        if !control.from_meter() {
            return Err(refused(control, "not a reply of DL/T 645-2007"));
        }
        let function = control.function();
        if !matches!(
            function,
            function::SECURITY | function::READ..=function::OUTPUT
        ) {
            return Err(refused(control, "not a reply of DL/T 645-2007"));
        }
        let more = control.more();
        if more && !matches!(function, function::READ | function::READ_NEXT if !control.abnormal())
        {
            return Err(refused(control, "nothing can follow it"));
        }
        let mut cursor = Cursor::new(data);
        let outcome = match function {
            _ if control.abnormal() => Outcome::Refused(Refusal(cursor.byte("the ERR byte")?)),
            function::READ => Outcome::Read {
                identifier: cursor.identifier()?,
                data: cursor.rest().to_vec(),
                more,
            },
            function::READ_NEXT => {
                let identifier = cursor.identifier()?;
                let (sequence, data) = match cursor.rest().split_last() {
                    Some((sequence, data)) => (*sequence, data.to_vec()),
                    None => (cursor.byte("the sequence")?, Vec::new()),
                };
                Outcome::ReadNext {
                    identifier,
                    data,
                    sequence,
                    more,
                }
            }
            function::READ_ADDRESS => {
                Outcome::Address(Address::from_wire(cursor.array("the address")?))
            }
            function::CHANGE_BAUD => Outcome::Baud(Baud::read(&mut cursor)?),
            function::CHANGE_PASSWORD if cursor.left() > 0 => {
                Outcome::Password(Some(password(&mut cursor)?))
            }
            function::CHANGE_PASSWORD => Outcome::Password(None),
            function::OUTPUT | function::SECURITY => Outcome::Raw(cursor.rest().to_vec()),
            _ => Outcome::Done,
        };
        cursor.end("the end of the reply")?;
        Ok(Self { function, outcome })
    }

    /// The control code and data of the reply.
    ///
    /// # Errors
    /// An outcome that the function does not have.
    pub fn encode(&self) -> Result<(Control, Vec<u8>)> {
        let mut data = Vec::new();
        let mut control = Control::reply(self.function, false);
        match &self.outcome {
            Outcome::Read {
                identifier,
                data: value,
                more,
            } => {
                control = Control::reply(self.function, *more);
                data.extend(identifier.to_le_bytes());
                data.extend(value);
            }
            Outcome::ReadNext {
                identifier,
                data: value,
                sequence,
                more,
            } => {
                control = Control::reply(self.function, *more);
                data.extend(identifier.to_le_bytes());
                data.extend(value);
                data.push(*sequence);
            }
            Outcome::Address(address) => data.extend(address.wire()),
            Outcome::Baud(baud) => data.push(baud.word()),
            Outcome::Password(password) => {
                if let Some(password) = password {
                    put_password(&mut data, *password);
                }
            }
            Outcome::Done => {}
            Outcome::Raw(raw) => data.extend(raw),
            Outcome::Refused(refusal) => {
                control = Control::refusal(self.function);
                data.push(refusal.0);
            }
        }
        // A function and an outcome that do not belong together would be read as something else.
        match Self::decode(control, &data) {
            Ok(same) if same == *self => Ok((control, data)),
            Ok(_) => Err(refused(control, "another function than its outcome has")),
            Err(error) => Err(error),
        }
    }
}
