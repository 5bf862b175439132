//! One frame (帧): `68 | L | C | AF | SA | CA | HCS | user data | FCS | 16`.

use super::{Address, Control, FrameError, crc16};

/// The byte a frame begins with.
pub(super) const START: u8 = 0x68;
/// The byte a frame ends with.
const END: u8 = 0x16;
/// The preamble byte (前导字节) that may stand before a frame any number of times.
pub(super) const PREAMBLE: u8 = 0xfe;
/// Added to each byte of scrambled user data.
const SCRAMBLE: u8 = 0x33;
/// The greatest length a length field in bytes can state.
pub const MAX_LENGTH: usize = 0x3fff;
const KILOBYTES: u16 = 0x4000;
const KILOBYTE: usize = 1024;
/// FCS and the end byte.
const TAIL: usize = 3;

/// A frame; its user data is without scrambling, whatever its control field says of the line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Frame {
    /// The control field C.
    pub control: Control,
    /// The server address SA.
    pub server: Address,
    /// The client address CA (客户机地址); 0 where nobody cares.
    pub client: u8,
    /// An APDU, or a fragment header and a piece of one.
    pub user_data: Vec<u8>,
    /// The length field counts in units of 1024 bytes (bit 14 of L).
    pub kilobytes: bool,
}

/// What the header says, checked.
#[derive(Debug)]
pub(super) struct Header {
    /// The length of the whole frame in bytes.
    pub(super) total: usize,
    /// The length of the header from the start byte to HCS.
    size: usize,
    kilobytes: bool,
}

/// The checked header at the start of the bytes, or none while bytes of it are missing.
pub(super) fn header(bytes: &[u8], most: usize) -> Result<Option<Header>, FrameError> {
    if bytes.first().is_some_and(|start| *start != START) {
        return Err(FrameError::Start);
    }
    let Some([_, low, high, _, format]) = bytes.first_chunk::<5>() else {
        return Ok(None);
    };
    let covered = usize::from(format & 0x0f) + 7;
    let size = covered + 2;
    let Some((head, [check_low, check_high])) =
        bytes.get(1..size).and_then(<[u8]>::split_last_chunk::<2>)
    else {
        return Ok(None);
    };
    let expected = crc16(head);
    let found = u16::from_le_bytes([*check_low, *check_high]);
    if expected != found {
        return Err(FrameError::HeaderCheck { expected, found });
    }
    let field = u16::from_le_bytes([*low, *high]);
    let kilobytes = field & KILOBYTES != 0;
    let unit = if kilobytes { KILOBYTE } else { 1 };
    let length = usize::from(field & 0x3fff) * unit;
    let least = size + 1;
    if length < least || length > most {
        return Err(FrameError::Length {
            least,
            most,
            found: length,
        });
    }
    Ok(Some(Header {
        total: length + 2,
        size,
        kilobytes,
    }))
}

/// The last byte of a frame whose bytes are all there.
pub(super) fn check_end(bytes: &[u8]) -> Result<(), FrameError> {
    match bytes.last() {
        Some(&END) => Ok(()),
        Some(other) => Err(FrameError::End(*other)),
        None => Err(FrameError::Truncated),
    }
}

/// The frame in exactly these bytes, whose header was checked.
pub(super) fn body(bytes: &[u8], header: &Header) -> Result<Frame, FrameError> {
    check_end(bytes)?;
    let [_, inside @ .., check_low, check_high, _] = bytes else {
        return Err(FrameError::Truncated);
    };
    let expected = crc16(inside);
    let found = u16::from_le_bytes([*check_low, *check_high]);
    if expected != found {
        return Err(FrameError::FrameCheck { expected, found });
    }
    let ([_, _, control, format, rest @ ..], Some(data)) =
        (inside, bytes.get(header.size..header.total - TAIL))
    else {
        return Err(FrameError::Truncated);
    };
    let Some((address, [client, ..])) = rest.split_at_checked(usize::from(format & 0x0f) + 1)
    else {
        return Err(FrameError::Truncated);
    };
    let control = Control(*control);
    let mut user_data = data.to_vec();
    if control.scrambled() {
        for byte in &mut user_data {
            *byte = byte.wrapping_sub(SCRAMBLE);
        }
    }
    Ok(Frame {
        control,
        server: Address::from_wire(*format, address)?,
        client: *client,
        user_data,
        kilobytes: header.kilobytes,
    })
}

impl Frame {
    /// A frame with its length in bytes.
    #[must_use]
    pub fn new(control: Control, server: Address, client: u8, user_data: Vec<u8>) -> Self {
        Self {
            control,
            server,
            client,
            user_data,
            kilobytes: false,
        }
    }

    /// The one frame in the bytes, with any preamble before it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let preamble = bytes.iter().take_while(|byte| **byte == PREAMBLE).count();
        let bytes = bytes.get(preamble..).unwrap_or_default();
        let header = header(bytes, MAX_LENGTH * KILOBYTE)?.ok_or(FrameError::Truncated)?;
        match bytes.split_at_checked(header.total) {
            Some((frame, [])) => body(frame, &header),
            Some((_, more)) => Err(FrameError::Trailing(more.len())),
            None => Err(FrameError::Truncated),
        }
    }

    /// The frame as it goes on the line, without preamble.
    ///
    /// # Errors
    /// More user data than the length field can state.
    pub fn encode(&self) -> Result<Vec<u8>, FrameError> {
        let address = self.server.octets().len();
        let length = address + 9 + self.user_data.len();
        let unit = if self.kilobytes { KILOBYTE } else { 1 };
        let field = u16::try_from(length / unit)
            .ok()
            .filter(|field| length.is_multiple_of(unit) && usize::from(*field) <= MAX_LENGTH)
            .ok_or(FrameError::TooLong {
                length,
                unit: if self.kilobytes { "kilobytes" } else { "bytes" },
            })?;
        let field = field | if self.kilobytes { KILOBYTES } else { 0 };
        let mut inside = Vec::with_capacity(length + 2);
        inside.extend_from_slice(&field.to_le_bytes());
        inside.push(self.control.0);
        self.server.write(&mut inside);
        inside.push(self.client);
        inside.extend_from_slice(&crc16(&inside).to_le_bytes());
        if self.control.scrambled() {
            inside.extend(
                self.user_data
                    .iter()
                    .map(|byte| byte.wrapping_add(SCRAMBLE)),
            );
        } else {
            inside.extend_from_slice(&self.user_data);
        }
        inside.extend_from_slice(&crc16(&inside).to_le_bytes());
        inside.insert(0, START);
        inside.push(END);
        Ok(inside)
    }
}
