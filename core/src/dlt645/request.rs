//! What a master asks of a meter.

use super::authority::{authority, password, put_authority, put_password, unexpected};
use super::cursor::Cursor;
use super::{
    Address, Authority, Baud, Control, Dlt645Error, Fault, Layout, Moment, Part, Password, Result,
    function,
};

/// What a master sends. Layouts of 18H to 1CH are not in the sources and follow common practice; the bytes behind the
/// authority of 1CH, and all of 1DH and 03H, are left to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// 11H: read, of load records a number of blocks and from a time (`YYMMDDhhmm`) on.
    Read {
        /// The data identifier.
        identifier: u32,
        /// N, how many blocks.
        blocks: Option<u8>,
        /// From when on; only with a number of blocks.
        since: Option<Moment>,
    },
    /// 12H: read what follows a reply with [`Control::more`].
    ReadNext {
        /// The data identifier.
        identifier: u32,
        /// SEQ, 1 for the first follow-up.
        sequence: u8,
    },
    /// 13H.
    ReadAddress,
    /// 14H.
    Write {
        /// The data identifier.
        identifier: u32,
        /// Who writes.
        authority: Authority,
        /// What.
        data: Vec<u8>,
    },
    /// 15H.
    WriteAddress(Address),
    /// 08H, not answered; `YYMMDDhhmmss`.
    TimeSync(Moment),
    /// 16H; `MMDDhhmm`, where 99 is any: `99DDhhmm` monthly, `9999hhmm` daily, `999999mm` hourly, `99999999` now.
    Freeze(Moment),
    /// 17H: the meter answers at the old rate and switches then.
    ChangeBaud(Baud),
    /// 18H.
    ChangePassword {
        /// Which password.
        identifier: u32,
        /// A password that may change it.
        old: Password,
        /// What it becomes.
        new: Password,
    },
    /// 19H.
    ClearDemand(Authority),
    /// 1AH.
    ClearMeter(Authority),
    /// 1BH.
    ClearEvents {
        /// Who clears.
        authority: Authority,
        /// Which events; FFFFFFFFH all.
        identifier: u32,
    },
    /// 1CH.
    Control {
        /// Who commands.
        authority: Authority,
        /// The command and its time, as on the wire.
        data: Vec<u8>,
    },
    /// 1DH, as on the wire.
    Output(Vec<u8>),
    /// 03H, as on the wire.
    Security(Vec<u8>),
}

impl Request {
    /// Read a request's control code and data.
    ///
    /// # Errors
    /// A control code that is no request of DL/T 645-2007, or data that are not what its function says.
    pub fn decode(control: Control, data: &[u8]) -> Result<Self> {
        if control.from_meter() || control.abnormal() || control.more() {
            return Err(refused(control, "not a request of DL/T 645-2007"));
        }
        let mut cursor = Cursor::new(data);
        let request = match control.function() {
            function::READ => Self::Read {
                identifier: cursor.identifier()?,
                blocks: match cursor.left() {
                    0 => None,
                    _ => Some(cursor.byte("the number of blocks")?),
                },
                since: match cursor.left() {
                    0 => None,
                    _ => Some(moment(&mut cursor, &SINCE, false)?),
                },
            },
            function::READ_NEXT => Self::ReadNext {
                identifier: cursor.identifier()?,
                sequence: cursor.byte("the sequence")?,
            },
            function::READ_ADDRESS => Self::ReadAddress,
            function::WRITE => Self::Write {
                identifier: cursor.identifier()?,
                authority: authority(&mut cursor)?,
                data: cursor.rest().to_vec(),
            },
            function::WRITE_ADDRESS => {
                Self::WriteAddress(Address::from_wire(cursor.array("the address")?))
            }
            function::TIME_SYNC => Self::TimeSync(moment(&mut cursor, &TIME_SYNC, false)?),
            function::FREEZE => {
                let freeze = moment(&mut cursor, &FREEZE, true)?;
                check_freeze(&freeze)?;
                Self::Freeze(freeze)
            }
            function::CHANGE_BAUD => Self::ChangeBaud(Baud::read(&mut cursor)?),
            function::CHANGE_PASSWORD => Self::ChangePassword {
                identifier: cursor.identifier()?,
                old: password(&mut cursor)?,
                new: password(&mut cursor)?,
            },
            function::CLEAR_DEMAND => Self::ClearDemand(authority(&mut cursor)?),
            function::CLEAR_METER => Self::ClearMeter(authority(&mut cursor)?),
            function::CLEAR_EVENTS => Self::ClearEvents {
                authority: authority(&mut cursor)?,
                identifier: cursor.identifier()?,
            },
            function::CONTROL => Self::Control {
                authority: authority(&mut cursor)?,
                data: cursor.rest().to_vec(),
            },
            function::OUTPUT => Self::Output(cursor.rest().to_vec()),
            function::SECURITY => Self::Security(cursor.rest().to_vec()),
            _ => return Err(refused(control, "not a function of DL/T 645-2007")),
        };
        cursor.end("the end of the request")?;
        Ok(request)
    }

    /// The control code and data of the request.
    ///
    /// # Errors
    /// A time outside the calendar or with other parts than the request has.
    pub fn encode(&self) -> Result<(Control, Vec<u8>)> {
        let mut data = Vec::new();
        match self {
            Self::Read {
                identifier,
                blocks,
                since,
            } => {
                data.extend(identifier.to_le_bytes());
                data.extend(blocks);
                if let Some(since) = since {
                    if blocks.is_none() {
                        let found = "a time alone".to_owned();
                        return Err(unexpected(4, "a number of blocks before the time", found));
                    }
                    put_moment(&mut data, &SINCE, since, false)?;
                }
            }
            Self::ReadNext {
                identifier,
                sequence,
            } => {
                data.extend(identifier.to_le_bytes());
                data.push(*sequence);
            }
            Self::ReadAddress => {}
            Self::Write {
                identifier,
                authority,
                data: written,
            } => {
                data.extend(identifier.to_le_bytes());
                put_authority(&mut data, *authority);
                data.extend(written);
            }
            Self::WriteAddress(address) => data.extend(address.wire()),
            Self::TimeSync(time) => put_moment(&mut data, &TIME_SYNC, time, false)?,
            Self::Freeze(time) => {
                check_freeze(time)?;
                put_moment(&mut data, &FREEZE, time, true)?;
            }
            Self::ChangeBaud(baud) => data.push(baud.word()),
            Self::ChangePassword {
                identifier,
                old,
                new,
            } => {
                data.extend(identifier.to_le_bytes());
                put_password(&mut data, *old);
                put_password(&mut data, *new);
            }
            Self::ClearDemand(authority) | Self::ClearMeter(authority) => {
                put_authority(&mut data, *authority);
            }
            Self::ClearEvents {
                authority,
                identifier,
            } => {
                put_authority(&mut data, *authority);
                data.extend(identifier.to_le_bytes());
            }
            Self::Control {
                authority,
                data: command,
            } => {
                put_authority(&mut data, *authority);
                data.extend(command);
            }
            Self::Output(raw) | Self::Security(raw) => data.extend(raw),
        }
        Ok((Control::request(self.function()), data))
    }

    /// Its function code.
    #[must_use]
    pub fn function(&self) -> u8 {
        match self {
            Self::Read { .. } => function::READ,
            Self::ReadNext { .. } => function::READ_NEXT,
            Self::ReadAddress => function::READ_ADDRESS,
            Self::Write { .. } => function::WRITE,
            Self::WriteAddress(_) => function::WRITE_ADDRESS,
            Self::TimeSync(_) => function::TIME_SYNC,
            Self::Freeze(_) => function::FREEZE,
            Self::ChangeBaud(_) => function::CHANGE_BAUD,
            Self::ChangePassword { .. } => function::CHANGE_PASSWORD,
            Self::ClearDemand(_) => function::CLEAR_DEMAND,
            Self::ClearMeter(_) => function::CLEAR_METER,
            Self::ClearEvents { .. } => function::CLEAR_EVENTS,
            Self::Control { .. } => function::CONTROL,
            Self::Output(_) => function::OUTPUT,
            Self::Security(_) => function::SECURITY,
        }
    }
}

use Part::{Day, Hour, Minute, Month, Second, Year};

const SINCE: [Part; 5] = [Year, Month, Day, Hour, Minute];
const TIME_SYNC: [Part; 6] = [Year, Month, Day, Hour, Minute, Second];
const FREEZE: [Part; 4] = [Month, Day, Hour, Minute];

fn moment<const N: usize>(cursor: &mut Cursor<'_>, parts: &[Part; N], any: bool) -> Result<Moment> {
    let offset = cursor.offset();
    let bytes = cursor.array::<N>("a time")?;
    let moment = Layout::of(parts).read(offset, &bytes)?;
    moment.check(offset, any)?;
    Ok(moment)
}

fn put_moment(data: &mut Vec<u8>, parts: &[Part], moment: &Moment, any: bool) -> Result<()> {
    moment.check(data.len(), any)?;
    let bytes = Layout::of(parts).write(data.len(), moment)?;
    data.extend(bytes);
    Ok(())
}

/// 99 stands for any only where all that is above it is any too.
fn check_freeze(time: &Moment) -> Result<()> {
    let any = FREEZE.map(|part| time.get(part) == Some(99));
    match any {
        [false, true, ..] | [_, false, true, _] | [_, _, false, true] => Err(unexpected(
            0,
            "99 for any only below parts that are 99",
            format!("{time:?}"),
        )),
        _ => Ok(()),
    }
}

pub(super) fn refused(control: Control, reason: &'static str) -> Dlt645Error {
    Dlt645Error::new(
        0,
        Fault::Control {
            control: control.0,
            reason,
        },
    )
}
