//! The APDUs a client sends, and LINK-Request, which the server sends.

use super::data::{COMDCB, DATA, DATE_TIME, DATE_TIME_S, OADS, RCSD, RSD, SID, SID_MAC, TI};
use super::shape::{NULL, OCTETS, Shape, U8, U16, U32, field, variant};

static TIME_TAG: Shape =
    Shape::Sequence(&[field("sent", &DATE_TIME_S), field("allowed_delay", &TI)]);
pub(super) static OPTIONAL_TIME_TAG: Shape = Shape::Optional(&TIME_TAG);
static VISIBLE: Shape = Shape::Visible;
pub(super) static BITMAP_8: Shape = Shape::Fixed(8);
pub(super) static BITMAP_16: Shape = Shape::Fixed(16);

/// A request whose content is behind PIID and before the time tag.
macro_rules! request {
    ($($name:literal: $shape:expr),* $(,)?) => {
        Shape::Sequence(&[
            field("piid", &U8),
            $(field($name, $shape),)*
            field("time_tag", &OPTIONAL_TIME_TAG),
        ])
    };
}

static LINK_TYPE: Shape = Shape::Choice(&[
    variant(0, "login", &NULL),
    variant(1, "heartbeat", &NULL),
    variant(2, "logout", &NULL),
]);
pub(super) static LINK_REQUEST: Shape = Shape::Sequence(&[
    field("piid_acd", &U8),
    field("type", &LINK_TYPE),
    field("heartbeat_s", &U16),
    field("time", &DATE_TIME),
]);

static CIPHERED: Shape =
    Shape::Sequence(&[field("ciphertext", &OCTETS), field("signature", &OCTETS)]);
static MECHANISM: Shape = Shape::Choice(&[
    variant(0, "none", &NULL),
    variant(1, "password", &VISIBLE),
    variant(2, "symmetric", &CIPHERED),
    variant(3, "signature", &CIPHERED),
]);
pub(super) static CONNECT: Shape = request! {
    "version": &U16,
    "protocol_conformance": &BITMAP_8,
    "function_conformance": &BITMAP_16,
    "send_size": &U16,
    "receive_size": &U16,
    "receive_window": &U8,
    "apdu_size": &U16,
    "timeout_s": &U32,
    "mechanism": &MECHANISM,
};
pub(super) static RELEASE: Shape = request! {};

static RECORD: Shape = Shape::Sequence(&[
    field("oad", &U32),
    field("rows", &RSD),
    field("columns", &RCSD),
]);
static RECORDS: Shape = Shape::List(&RECORD);
static GET_NORMAL: Shape = request! { "oad": &U32 };
static GET_LIST: Shape = request! { "oads": &OADS };
static GET_RECORD: Shape = request! { "record": &RECORD };
static GET_RECORD_LIST: Shape = request! { "records": &RECORDS };
static GET_NEXT: Shape = request! { "block": &U16 };
pub(super) static GET: Shape = Shape::Choice(&[
    variant(1, "normal", &GET_NORMAL),
    variant(2, "normal_list", &GET_LIST),
    variant(3, "record", &GET_RECORD),
    variant(4, "record_list", &GET_RECORD_LIST),
    variant(5, "next", &GET_NEXT),
    variant(6, "md5", &GET_NORMAL),
]);

static SET_ITEM: Shape = Shape::Sequence(&[field("oad", &U32), field("data", &DATA)]);
static SET_ITEMS: Shape = Shape::List(&SET_ITEM);
static SET_THEN_GET: Shape = Shape::Sequence(&[
    field("oad", &U32),
    field("data", &DATA),
    field("get", &U32),
    field("delay_s", &U8),
]);
static SET_THEN_GETS: Shape = Shape::List(&SET_THEN_GET);
static SET_NORMAL: Shape = request! { "oad": &U32, "data": &DATA };
static SET_LIST: Shape = request! { "items": &SET_ITEMS };
static SET_GET_LIST: Shape = request! { "items": &SET_THEN_GETS };
pub(super) static SET: Shape = Shape::Choice(&[
    variant(1, "normal", &SET_NORMAL),
    variant(2, "normal_list", &SET_LIST),
    variant(3, "then_get", &SET_GET_LIST),
]);

static ACTION_ITEM: Shape = Shape::Sequence(&[field("omd", &U32), field("data", &DATA)]);
static ACTION_ITEMS: Shape = Shape::List(&ACTION_ITEM);
static ACTION_THEN_GET: Shape = Shape::Sequence(&[
    field("omd", &U32),
    field("data", &DATA),
    field("get", &U32),
    field("delay_s", &U8),
]);
static ACTION_THEN_GETS: Shape = Shape::List(&ACTION_THEN_GET);
static ACTION_NORMAL: Shape = request! { "omd": &U32, "data": &DATA };
static ACTION_LIST: Shape = request! { "items": &ACTION_ITEMS };
static ACTION_GET_LIST: Shape = request! { "items": &ACTION_THEN_GETS };
pub(super) static ACTION: Shape = Shape::Choice(&[
    variant(1, "normal", &ACTION_NORMAL),
    variant(2, "normal_list", &ACTION_LIST),
    variant(3, "then_get", &ACTION_GET_LIST),
]);

static REPORT_TRANSPARENT: Shape = request! {};
pub(super) static REPORT: Shape = Shape::Choice(&[
    variant(1, "normal_list", &GET_LIST),
    variant(2, "record_list", &GET_LIST),
    variant(3, "transparent", &REPORT_TRANSPARENT),
]);

/// A list of what is asked of each server (TSA 目标服务器地址).
macro_rules! by_server {
    ($items:expr) => {
        Shape::List(&Shape::Sequence(&[
            field("server", &OCTETS),
            field("timeout_s", &U16),
            field("items", $items),
        ]))
    };
}

static PROXY_GETS: Shape = by_server!(&OADS);
static PROXY_SETS: Shape = by_server!(&SET_ITEMS);
static PROXY_SET_GETS: Shape = by_server!(&SET_THEN_GETS);
static PROXY_ACTIONS: Shape = by_server!(&ACTION_ITEMS);
static PROXY_ACTION_GETS: Shape = by_server!(&ACTION_THEN_GETS);
static PROXY_GET: Shape = request! { "timeout_s": &U16, "servers": &PROXY_GETS };
static PROXY_RECORD: Shape = request! { "timeout_s": &U16, "server": &OCTETS, "record": &RECORD };
static PROXY_SET: Shape = request! { "timeout_s": &U16, "servers": &PROXY_SETS };
static PROXY_SET_GET: Shape = request! { "timeout_s": &U16, "servers": &PROXY_SET_GETS };
static PROXY_ACTION: Shape = request! { "timeout_s": &U16, "servers": &PROXY_ACTIONS };
static PROXY_ACTION_GET: Shape = request! { "timeout_s": &U16, "servers": &PROXY_ACTION_GETS };
static PROXY_TRANSPARENT: Shape = request! {
    "port": &U32,
    "settings": &COMDCB,
    "message_timeout_s": &U16,
    "byte_timeout_ms": &U16,
    "command": &OCTETS,
};
pub(super) static PROXY: Shape = Shape::Choice(&[
    variant(1, "get_list", &PROXY_GET),
    variant(2, "get_record", &PROXY_RECORD),
    variant(3, "set_list", &PROXY_SET),
    variant(4, "set_then_get", &PROXY_SET_GET),
    variant(5, "action_list", &PROXY_ACTION),
    variant(6, "action_then_get", &PROXY_ACTION_GET),
    variant(7, "transparent", &PROXY_TRANSPARENT),
]);

static RN_MAC: Shape = Shape::Sequence(&[field("rn", &OCTETS), field("mac", &OCTETS)]);
static SECURED: Shape = Shape::Choice(&[
    variant(0, "plain", &OCTETS),
    variant(1, "ciphered", &OCTETS),
]);
static VERIFICATION: Shape = Shape::Choice(&[
    variant(0, "sid_mac", &SID_MAC),
    variant(1, "rn", &OCTETS),
    variant(2, "rn_mac", &RN_MAC),
    variant(3, "sid", &SID),
]);
pub(super) static SECURITY: Shape = Shape::Sequence(&[
    field("apdu", &SECURED),
    field("verification", &VERIFICATION),
]);
