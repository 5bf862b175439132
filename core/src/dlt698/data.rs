//! The data types (数据类型) and the descriptors made of them.

use super::shape::{
    BOOL, I8, I16, I32, I64, NULL, OCTETS, Shape, U8, U16, U32, U64, field, variant,
};

static FLOAT32: Shape = Shape::Float32;
static FLOAT64: Shape = Shape::Float64;
static BITS: Shape = Shape::Bits;
static VISIBLE: Shape = Shape::Visible;
static UTF8: Shape = Shape::Utf8;
static ITEMS: Shape = Shape::List(&DATA);

pub(super) static DATE_TIME: Shape = Shape::Sequence(&[
    field("year", &U16),
    field("month", &U8),
    field("day", &U8),
    field("weekday", &U8),
    field("hour", &U8),
    field("minute", &U8),
    field("second", &U8),
    field("milliseconds", &U16),
]);
static DATE: Shape = Shape::Sequence(&[
    field("year", &U16),
    field("month", &U8),
    field("day", &U8),
    field("weekday", &U8),
]);
static TIME: Shape = Shape::Sequence(&[
    field("hour", &U8),
    field("minute", &U8),
    field("second", &U8),
]);
pub(super) static DATE_TIME_S: Shape = Shape::Sequence(&[
    field("year", &U16),
    field("month", &U8),
    field("day", &U8),
    field("hour", &U8),
    field("minute", &U8),
    field("second", &U8),
]);

pub(super) static OADS: Shape = Shape::List(&U32);
static ROAD: Shape = Shape::Sequence(&[field("oad", &U32), field("columns", &OADS)]);
pub(super) static TI: Shape = Shape::Sequence(&[field("unit", &U8), field("interval", &U16)]);
static REGION: Shape = Shape::Sequence(&[
    field("bounds", &U8),
    field("start", &DATA),
    field("end", &DATA),
]);
static SCALER_UNIT: Shape = Shape::Sequence(&[field("scaler", &I8), field("unit", &U8)]);
pub(super) static CSD: Shape = Shape::Choice(&[variant(0, "oad", &U32), variant(1, "road", &ROAD)]);
pub(super) static RCSD: Shape = Shape::Columns(&CSD);

static USER_TYPES: Shape = Shape::List(&U8);
static ADDRESSES: Shape = Shape::List(&OCTETS);
static NUMBERS: Shape = Shape::List(&U16);
static REGIONS: Shape = Shape::List(&REGION);
pub(super) static MS: Shape = Shape::Choice(&[
    variant(0, "none", &NULL),
    variant(1, "all", &NULL),
    variant(2, "user_types", &USER_TYPES),
    variant(3, "addresses", &ADDRESSES),
    variant(4, "numbers", &NUMBERS),
    variant(5, "user_type_regions", &REGIONS),
    variant(6, "address_regions", &REGIONS),
    variant(7, "number_regions", &REGIONS),
]);

static SELECTOR_1: Shape = Shape::Sequence(&[field("oad", &U32), field("value", &DATA)]);
static SELECTOR_2: Shape = Shape::Sequence(&[
    field("oad", &U32),
    field("start", &DATA),
    field("end", &DATA),
    field("interval", &DATA),
]);
static SELECTOR_3: Shape = Shape::List(&SELECTOR_2);
static SELECTOR_4: Shape = Shape::Sequence(&[field("time", &DATE_TIME_S), field("meters", &MS)]);
static SELECTOR_6: Shape = Shape::Sequence(&[
    field("start", &DATE_TIME_S),
    field("end", &DATE_TIME_S),
    field("interval", &TI),
    field("meters", &MS),
]);
static SELECTOR_10: Shape = Shape::Sequence(&[field("last", &U8), field("meters", &MS)]);
pub(super) static RSD: Shape = Shape::Choice(&[
    variant(0, "none", &NULL),
    variant(1, "equal", &SELECTOR_1),
    variant(2, "range", &SELECTOR_2),
    variant(3, "ranges", &SELECTOR_3),
    variant(4, "begun_at", &SELECTOR_4),
    variant(5, "stored_at", &SELECTOR_4),
    variant(6, "begun_between", &SELECTOR_6),
    variant(7, "stored_between", &SELECTOR_6),
    variant(8, "succeeded_between", &SELECTOR_6),
    variant(9, "last", &U8),
    variant(10, "last_of_meters", &SELECTOR_10),
]);

pub(super) static SID: Shape =
    Shape::Sequence(&[field("identifier", &U32), field("additional", &OCTETS)]);
pub(super) static SID_MAC: Shape = Shape::Sequence(&[field("sid", &SID), field("mac", &OCTETS)]);
pub(super) static COMDCB: Shape = Shape::Sequence(&[
    field("baud", &U8),
    field("parity", &U8),
    field("data_bits", &U8),
    field("stop_bits", &U8),
    field("flow", &U8),
]);

/// Any data item.
pub(super) static DATA: Shape = Shape::Choice(&[
    variant(0x00, "null", &NULL),
    variant(0x01, "array", &ITEMS),
    variant(0x02, "structure", &ITEMS),
    variant(0x03, "bool", &BOOL),
    variant(0x04, "bit_string", &BITS),
    variant(0x05, "double_long", &I32),
    variant(0x06, "double_long_unsigned", &U32),
    variant(0x09, "octet_string", &OCTETS),
    variant(0x0a, "visible_string", &VISIBLE),
    variant(0x0c, "utf8_string", &UTF8),
    variant(0x0f, "integer", &I8),
    variant(0x10, "long", &I16),
    variant(0x11, "unsigned", &U8),
    variant(0x12, "long_unsigned", &U16),
    variant(0x14, "long64", &I64),
    variant(0x15, "long64_unsigned", &U64),
    variant(0x16, "enum", &U8),
    variant(0x17, "float32", &FLOAT32),
    variant(0x18, "float64", &FLOAT64),
    variant(0x19, "date_time", &DATE_TIME),
    variant(0x1a, "date", &DATE),
    variant(0x1b, "time", &TIME),
    variant(0x1c, "date_time_s", &DATE_TIME_S),
    variant(0x50, "oi", &U16),
    variant(0x51, "oad", &U32),
    variant(0x52, "road", &ROAD),
    variant(0x53, "omd", &U32),
    variant(0x54, "ti", &TI),
    variant(0x55, "tsa", &OCTETS),
    variant(0x56, "mac", &OCTETS),
    variant(0x57, "rn", &OCTETS),
    variant(0x58, "region", &REGION),
    variant(0x59, "scaler_unit", &SCALER_UNIT),
    variant(0x5a, "rsd", &RSD),
    variant(0x5b, "csd", &CSD),
    variant(0x5c, "ms", &MS),
    variant(0x5d, "sid", &SID),
    variant(0x5e, "sid_mac", &SID_MAC),
    variant(0x5f, "comdcb", &COMDCB),
    variant(0x60, "rcsd", &CSDS),
]);
static CSDS: Shape = Shape::List(&CSD);
