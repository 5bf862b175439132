//! DL/T 698.45-2017: the object-oriented protocol of Chinese meters and terminals, both directions, without I/O.
//!
//! [`Parser`] finds frames in a stream of bytes, [`Reassembler`] joins those that came in fragments, [`decode_apdu`]
//! and [`encode_apdu`] turn their user data into a [`Value`] and back. Nothing here
//! knows time or a line; a driver feeds bytes and sends what is encoded.

mod address;
mod apdu;
mod client;
mod control;
mod crc;
mod dar;
mod data;
mod decode;
mod encode;
mod error;
mod fragment;
mod frame;
mod oad;
mod object;
mod parser;
mod reassembler;
mod server;
mod shape;
mod value;

pub use address::{Address, AddressKind, MAX_ADDRESS};
pub use apdu::{MAX_APDU, decode_apdu, decode_data, encode_apdu, encode_data};
pub use control::Control;
pub use crc::crc16;
pub use dar::Dar;
pub use error::{DecodeError, EncodeError, FragmentError, FrameError};
pub use fragment::{Fragment, FragmentKind, confirmation, split};
pub use frame::{Frame, MAX_LENGTH};
pub use oad::Oad;
pub use object::{Field, Layout, Object};
pub use parser::{Event, Parser};
pub use reassembler::{Progress, Reassembler};
pub use value::Value;

/// How many lists may lie in each other in an APDU.
pub const MAX_DEPTH: u32 = 16;
