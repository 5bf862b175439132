//! The APDUs a server sends, and LINK-Response, which the client sends.

use super::client::{BITMAP_8, BITMAP_16, OPTIONAL_TIME_TAG};
use super::data::{DATA, DATE_TIME, DATE_TIME_S, RCSD};
use super::shape::{BOOL, OCTETS, Shape, U8, U16, U32, field, variant};

static RESULT: Shape = Shape::Choice(&[variant(0, "dar", &U8), variant(1, "data", &DATA)]);
static NORMAL: Shape = Shape::Sequence(&[field("oad", &U32), field("result", &RESULT)]);
static NORMALS: Shape = Shape::List(&NORMAL);
static ROWS: Shape = Shape::Rows(&DATA);
static ROWS_RESULT: Shape = Shape::Choice(&[variant(0, "dar", &U8), variant(1, "rows", &ROWS)]);
static RECORD: Shape = Shape::Sequence(&[
    field("oad", &U32),
    field("columns", &RCSD),
    field("result", &ROWS_RESULT),
]);
static RECORDS: Shape = Shape::List(&RECORD);
static FOLLOWING: Shape = Shape::Choice(&[
    variant(1, "normal_list", &NORMALS),
    variant(2, "record_list", &RECORDS),
]);
static FOLLOW_REPORT: Shape = Shape::Optional(&FOLLOWING);

/// A reply whose content is behind PIID-ACD and before the report that rides along and the time tag.
macro_rules! reply {
    ($($name:literal: $shape:expr),* $(,)?) => {
        Shape::Sequence(&[
            field("piid_acd", &U8),
            $(field($name, $shape),)*
            field("follow_report", &FOLLOW_REPORT),
            field("time_tag", &OPTIONAL_TIME_TAG),
        ])
    };
}

pub(super) static LINK_RESPONSE: Shape = Shape::Sequence(&[
    field("piid", &U8),
    field("result", &U8),
    field("requested", &DATE_TIME),
    field("received", &DATE_TIME),
    field("responded", &DATE_TIME),
]);

static FACTORY: Shape = Shape::Sequence(&[
    field("manufacturer", &Shape::Fixed(4)),
    field("software_version", &Shape::Fixed(4)),
    field("software_date", &Shape::Fixed(6)),
    field("hardware_version", &Shape::Fixed(4)),
    field("hardware_date", &Shape::Fixed(6)),
    field("extension", &Shape::Fixed(8)),
]);
static SECURITY_DATA: Shape = Shape::Optional(&Shape::Sequence(&[
    field("rn", &OCTETS),
    field("signature", &OCTETS),
]));
pub(super) static CONNECT: Shape = reply! {
    "factory": &FACTORY,
    "version": &U16,
    "protocol_conformance": &BITMAP_8,
    "function_conformance": &BITMAP_16,
    "send_size": &U16,
    "receive_size": &U16,
    "receive_window": &U8,
    "apdu_size": &U16,
    "timeout_s": &U32,
    "result": &U8,
    "security_data": &SECURITY_DATA,
};
pub(super) static RELEASE: Shape = reply! { "result": &U8 };
pub(super) static RELEASE_NOTIFICATION: Shape = reply! {
    "connected": &DATE_TIME_S,
    "released": &DATE_TIME_S,
};

static NEXT_RESULT: Shape = Shape::Choice(&[
    variant(0, "dar", &U8),
    variant(1, "normal_list", &NORMALS),
    variant(2, "record_list", &RECORDS),
]);
static MD5_RESULT: Shape = Shape::Choice(&[variant(0, "dar", &U8), variant(1, "md5", &OCTETS)]);
static GET_NORMAL: Shape = reply! { "oad": &U32, "result": &RESULT };
static GET_LIST: Shape = reply! { "results": &NORMALS };
static GET_RECORD: Shape = reply! { "record": &RECORD };
static GET_RECORD_LIST: Shape = reply! { "records": &RECORDS };
static GET_NEXT: Shape = reply! { "last": &BOOL, "block": &U16, "result": &NEXT_RESULT };
static GET_MD5: Shape = reply! { "oad": &U32, "result": &MD5_RESULT };
pub(super) static GET: Shape = Shape::Choice(&[
    variant(1, "normal", &GET_NORMAL),
    variant(2, "normal_list", &GET_LIST),
    variant(3, "record", &GET_RECORD),
    variant(4, "record_list", &GET_RECORD_LIST),
    variant(5, "next", &GET_NEXT),
    variant(6, "md5", &GET_MD5),
]);

static SET_RESULTS: Shape = Shape::List(&Shape::Sequence(&[field("oad", &U32), field("dar", &U8)]));
static SET_THEN_GETS: Shape = Shape::List(&Shape::Sequence(&[
    field("oad", &U32),
    field("dar", &U8),
    field("get", &NORMAL),
]));
static SET_NORMAL: Shape = reply! { "oad": &U32, "dar": &U8 };
static SET_LIST: Shape = reply! { "results": &SET_RESULTS };
static SET_GET_LIST: Shape = reply! { "results": &SET_THEN_GETS };
pub(super) static SET: Shape = Shape::Choice(&[
    variant(1, "normal", &SET_NORMAL),
    variant(2, "normal_list", &SET_LIST),
    variant(3, "then_get", &SET_GET_LIST),
]);

static OPTIONAL_DATA: Shape = Shape::Optional(&DATA);
static ACTION_RESULTS: Shape = Shape::List(&Shape::Sequence(&[
    field("omd", &U32),
    field("dar", &U8),
    field("data", &OPTIONAL_DATA),
]));
static ACTION_THEN_GETS: Shape = Shape::List(&Shape::Sequence(&[
    field("omd", &U32),
    field("dar", &U8),
    field("data", &OPTIONAL_DATA),
    field("get", &NORMAL),
]));
static ACTION_NORMAL: Shape = reply! { "omd": &U32, "dar": &U8, "data": &OPTIONAL_DATA };
static ACTION_LIST: Shape = reply! { "results": &ACTION_RESULTS };
static ACTION_GET_LIST: Shape = reply! { "results": &ACTION_THEN_GETS };
pub(super) static ACTION: Shape = Shape::Choice(&[
    variant(1, "normal", &ACTION_NORMAL),
    variant(2, "normal_list", &ACTION_LIST),
    variant(3, "then_get", &ACTION_GET_LIST),
]);

static REPORT_TRANSPARENT: Shape = reply! { "oad": &U32, "message": &OCTETS };
pub(super) static REPORT: Shape = Shape::Choice(&[
    variant(1, "normal_list", &GET_LIST),
    variant(2, "record_list", &GET_RECORD_LIST),
    variant(3, "transparent", &REPORT_TRANSPARENT),
]);

/// A list of what each server (TSA 目标服务器地址) answered.
macro_rules! by_server {
    ($results:expr) => {
        Shape::List(&Shape::Sequence(&[
            field("server", &OCTETS),
            field("results", $results),
        ]))
    };
}

static PROXY_GETS: Shape = by_server!(&NORMALS);
static PROXY_SETS: Shape = by_server!(&SET_RESULTS);
static PROXY_SET_GETS: Shape = by_server!(&SET_THEN_GETS);
static PROXY_ACTIONS: Shape = by_server!(&ACTION_RESULTS);
static PROXY_ACTION_GETS: Shape = by_server!(&ACTION_THEN_GETS);
static ANSWER: Shape = Shape::Choice(&[variant(0, "dar", &U8), variant(1, "answer", &OCTETS)]);
static PROXY_GET: Shape = reply! { "servers": &PROXY_GETS };
static PROXY_RECORD: Shape = reply! { "server": &OCTETS, "record": &RECORD };
static PROXY_SET: Shape = reply! { "servers": &PROXY_SETS };
static PROXY_SET_GET: Shape = reply! { "servers": &PROXY_SET_GETS };
static PROXY_ACTION: Shape = reply! { "servers": &PROXY_ACTIONS };
static PROXY_ACTION_GET: Shape = reply! { "servers": &PROXY_ACTION_GETS };
static PROXY_TRANSPARENT: Shape = reply! { "port": &U32, "result": &ANSWER };
pub(super) static PROXY: Shape = Shape::Choice(&[
    variant(1, "get_list", &PROXY_GET),
    variant(2, "get_record", &PROXY_RECORD),
    variant(3, "set_list", &PROXY_SET),
    variant(4, "set_then_get", &PROXY_SET_GET),
    variant(5, "action_list", &PROXY_ACTION),
    variant(6, "action_then_get", &PROXY_ACTION_GET),
    variant(7, "transparent", &PROXY_TRANSPARENT),
]);

static SECURED: Shape = Shape::Choice(&[
    variant(0, "plain", &OCTETS),
    variant(1, "ciphered", &OCTETS),
    variant(2, "dar", &U8),
]);
static VERIFICATION: Shape = Shape::Optional(&Shape::Choice(&[variant(0, "mac", &OCTETS)]));
pub(super) static SECURITY: Shape = Shape::Sequence(&[
    field("apdu", &SECURED),
    field("verification", &VERIFICATION),
]);

pub(super) static ERROR: Shape = reply! { "error": &U8 };
