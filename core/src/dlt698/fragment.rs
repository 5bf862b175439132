//! Link fragments (分帧): an APDU sent in several frames, each of which is confirmed.

use super::{Control, FragmentError, Frame};

/// Fragment numbers are counted modulo this.
const NUMBERS: u16 = 0x1000;
/// The bytes of the fragment header.
const HEADER: usize = 2;

/// Which piece of a message a fragment is, bits 14 and 15 of its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FragmentKind {
    /// The first piece (起始帧).
    First,
    /// The last piece (最后帧).
    Last,
    /// A confirmation (确认帧); it carries no piece.
    Confirm,
    /// A piece between (中间帧).
    Middle,
}

/// The user data of a fragment frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// The number, 0 to 4095, after which 0 follows.
    pub number: u16,
    /// Which piece it is.
    pub kind: FragmentKind,
    /// The piece.
    pub piece: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// The fragment in a frame; reserved bits 12 and 13 of its header are ignored.
    ///
    /// # Errors
    /// A frame without the fragment bit, or too short.
    pub fn of(frame: &'a Frame) -> Result<Self, FragmentError> {
        if !frame.control.fragment() {
            return Err(FragmentError::NotAFragment(frame.control.0));
        }
        let [low, high, piece @ ..] = frame.user_data.as_slice() else {
            return Err(FragmentError::Header(frame.user_data.len()));
        };
        let header = u16::from_le_bytes([*low, *high]);
        let kind = match header >> 14 {
            0 => FragmentKind::First,
            1 => FragmentKind::Last,
            2 => FragmentKind::Confirm,
            _ => FragmentKind::Middle,
        };
        Ok(Self {
            number: header % NUMBERS,
            kind,
            piece,
        })
    }

    /// The user data of a frame that carries it.
    ///
    /// # Errors
    /// A number above 4095.
    pub fn encode(&self) -> Result<Vec<u8>, FragmentError> {
        if self.number >= NUMBERS {
            return Err(FragmentError::Number(self.number));
        }
        let header = (self.kind as u16) << 14 | self.number;
        let mut data = Vec::with_capacity(HEADER + self.piece.len());
        data.extend_from_slice(&header.to_le_bytes());
        data.extend_from_slice(self.piece);
        Ok(data)
    }
}

/// Send a frame's APDU in fragments of at most `size` bytes each, numbered from `first`.
///
/// # Errors
/// A size of 0, fewer than two or more than 4096 pieces, or a number above 4095.
pub fn split(frame: &Frame, size: usize, first: u16) -> Result<Vec<Frame>, FragmentError> {
    let length = frame.user_data.len();
    let pieces = if size == 0 { 0 } else { length.div_ceil(size) };
    if pieces < 2 || pieces > usize::from(NUMBERS) {
        return Err(FragmentError::Split { length, size });
    }
    if first >= NUMBERS {
        return Err(FragmentError::Number(first));
    }
    let mut number = first;
    let mut frames = Vec::with_capacity(pieces);
    for (index, piece) in frame.user_data.chunks(size).enumerate() {
        let kind = match index {
            0 => FragmentKind::First,
            last if last + 1 == pieces => FragmentKind::Last,
            _ => FragmentKind::Middle,
        };
        let fragment = Fragment {
            number,
            kind,
            piece,
        };
        frames.push(carrying(frame, frame.control, &fragment)?);
        number = (number + 1) % NUMBERS;
    }
    Ok(frames)
}

/// The frame that confirms a fragment.
///
/// # Errors
/// A frame that is no fragment.
pub fn confirmation(frame: &Frame) -> Result<Frame, FragmentError> {
    let fragment = Fragment {
        kind: FragmentKind::Confirm,
        piece: &[],
        ..Fragment::of(frame)?
    };
    carrying(frame, frame.control.confirming(), &fragment)
}

fn carrying(frame: &Frame, control: Control, part: &Fragment<'_>) -> Result<Frame, FragmentError> {
    Ok(Frame {
        control: control.with_fragment(true),
        server: frame.server.clone(),
        client: frame.client,
        user_data: part.encode()?,
        kilobytes: false,
    })
}
