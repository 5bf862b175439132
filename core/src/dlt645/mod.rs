//! DL/T 645-2007 (多功能电能表通信协议), the byte protocol of Chinese electricity meters, without any I/O.
//!
//! Three floors: [`Parser`] finds [`Frame`]s in a stream; [`Request`] and [`Reply`] are what a frame's control code
//! and data mean; [`Item`] and [`Format`] turn a data identifier's bytes into exact values. Every floor works in both
//! directions, so that a meter can be read and served.
//!
//! Clauses are known from documents that quote the standard, not from its text: where they are silent, the layout is
//! the caller's ([`Format`]) or left as bytes.

mod address;
mod authority;
mod bcd;
mod cursor;
mod error;
mod format;
mod frame;
mod item;
mod kinds;
mod moment;
mod packing;
mod parser;
mod reply;
mod request;
mod rows;
mod table;
mod value;

pub use address::Address;
pub use authority::{Authority, Baud, Password};
pub use error::{Dlt645Error, Fault};
pub use format::{Format, formats};
pub use frame::{Control, Frame, MAX_LENGTH};
pub use item::{Field, Item, decode_fields, encode_fields};
pub use moment::{Layout, Moment, Part};
pub use parser::{Cause, DEFAULT_LIMIT, Event, MAX_PREAMBLE, Parser};
pub use reply::{Outcome, Refusal, Reply};
pub use request::Request;
pub use value::{Number, Value};

/// A result of decoding or encoding.
pub type Result<T> = std::result::Result<T, Dlt645Error>;

/// Function codes, bits D4..D0 of the control code.
pub mod function {
    /// Security authentication (安全认证).
    pub const SECURITY: u8 = 0x03;
    /// Broadcast time sync (广播校时).
    pub const TIME_SYNC: u8 = 0x08;
    /// Read data (读数据).
    pub const READ: u8 = 0x11;
    /// Read follow-up data (读后续数据).
    pub const READ_NEXT: u8 = 0x12;
    /// Read the communication address (读通信地址).
    pub const READ_ADDRESS: u8 = 0x13;
    /// Write data (写数据).
    pub const WRITE: u8 = 0x14;
    /// Write the communication address (写通信地址).
    pub const WRITE_ADDRESS: u8 = 0x15;
    /// Freeze (冻结命令).
    pub const FREEZE: u8 = 0x16;
    /// Change the baud rate (更改通信速率).
    pub const CHANGE_BAUD: u8 = 0x17;
    /// Change a password (修改密码).
    pub const CHANGE_PASSWORD: u8 = 0x18;
    /// Clear the maximum demand (最大需量清零).
    pub const CLEAR_DEMAND: u8 = 0x19;
    /// Clear the meter (电表清零).
    pub const CLEAR_METER: u8 = 0x1a;
    /// Clear events (事件清零).
    pub const CLEAR_EVENTS: u8 = 0x1b;
    /// Relay, alarm and keep-power control (跳合闸、报警、保电).
    pub const CONTROL: u8 = 0x1c;
    /// Output of the multi-function terminal (多功能端子输出).
    pub const OUTPUT: u8 = 0x1d;
}
