//! The application protocol data units (应用层协议数据单元), both directions.
//!
//! Optional parts, tags and field order come from public documentation checked against real frames; those that no
//! known frame shows (Next, MD5, then-get, record lists, PROXY other than transparent, SECURITY replies) from memory.

use super::shape::{Shape, variant};
use super::{DecodeError, EncodeError, Value, client, data, decode, encode, server};

/// The longest APDU: sizes are negotiated in 16 bits.
pub const MAX_APDU: usize = 0xffff;

static APDU: Shape = Shape::Choice(&[
    variant(0x01, "link_request", &client::LINK_REQUEST),
    variant(0x02, "connect_request", &client::CONNECT),
    variant(0x03, "release_request", &client::RELEASE),
    variant(0x05, "get_request", &client::GET),
    variant(0x06, "set_request", &client::SET),
    variant(0x07, "action_request", &client::ACTION),
    variant(0x08, "report_response", &client::REPORT),
    variant(0x09, "proxy_request", &client::PROXY),
    variant(0x10, "security_request", &client::SECURITY),
    variant(0x81, "link_response", &server::LINK_RESPONSE),
    variant(0x82, "connect_response", &server::CONNECT),
    variant(0x83, "release_response", &server::RELEASE),
    variant(0x84, "release_notification", &server::RELEASE_NOTIFICATION),
    variant(0x85, "get_response", &server::GET),
    variant(0x86, "set_response", &server::SET),
    variant(0x87, "action_response", &server::ACTION),
    variant(0x88, "report_notification", &server::REPORT),
    variant(0x89, "proxy_response", &server::PROXY),
    variant(0x90, "security_response", &server::SECURITY),
    variant(0xee, "error_response", &server::ERROR),
]);

/// The APDU in exactly these bytes.
///
/// # Errors
/// Where it is not one, what the grammar has there and what was found.
pub fn decode_apdu(bytes: &[u8]) -> Result<Value, DecodeError> {
    decode::decode(bytes, &APDU)
}

/// The bytes of an APDU, lengths in their shortest form.
///
/// # Errors
/// Where the value is not one, what the grammar has there and what was found.
pub fn encode_apdu<S: AsRef<str>>(value: &Value<S>) -> Result<Vec<u8>, EncodeError> {
    encode::encode(value, &APDU)
}

/// The data item in exactly these bytes, tag first.
///
/// # Errors
/// As [`decode_apdu`].
pub fn decode_data(bytes: &[u8]) -> Result<Value, DecodeError> {
    decode::decode(bytes, &data::DATA)
}

/// The bytes of a data item, tag first.
///
/// # Errors
/// As [`encode_apdu`].
pub fn encode_data<S: AsRef<str>>(value: &Value<S>) -> Result<Vec<u8>, EncodeError> {
    encode::encode(value, &data::DATA)
}
