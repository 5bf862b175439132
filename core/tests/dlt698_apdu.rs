//! APDUs and data items: whatever decodes encodes again, and nothing makes the decoder panic or run away.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use diantan_core::dlt698::{
    Dar, MAX_DEPTH, Oad, Value, decode_apdu, decode_data, encode_apdu, encode_data,
};
use proptest::prelude::*;

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<char> = digits.chars().filter(char::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).unwrap())
        .collect()
}

const APDUS: [&str; 12] = [
    "05 01 01 40 01 02 00 00",
    "85 02 02 02 20 00 02 00 01 01 02 12 09 6D 12 09 6D 20 01 02 00 00 04 00 00",
    "05 03 00 50 04 02 00 01 20 21 02 00 1C 07 E2 0C 1B 00 00 00 02 00 20 21 02 00 00 00 10 02 00 00",
    "85 03 00 50 04 02 00 02 00 00 10 02 01 00 20 00 02 01 01 01 06 00 01 E0 78 12 09 65 00 00",
    "06 01 02 41 20 02 00 02 03 1C 07 E8 01 01 00 00 00 54 03 00 01 01 01 12 16 3C 01 07 E8 01 01 00 00 00 00 00 05",
    "07 01 05 00 10 01 00 0F 00 00",
    "87 01 0E 43 00 4C 00 00 00 00 00",
    "88 01 01 01 20 00 02 00 01 04 09 AA 80 01 01 01 10 10 02 00 00 04 00",
    "09 01 05 00 3C 01 07 05 01 02 03 04 05 06 00 0A 02 00 10 02 00 00 20 02 00 00",
    "10 00 03 05 01 00 01 02 AB CD",
    "90 00 03 85 01 00 01 00 04 12 34 56 78",
    "EE 03 02 00 00",
];

#[test]
fn every_example_encodes_to_itself() {
    for text in APDUS {
        let bytes = hex(text);
        let value = decode_apdu(&bytes).unwrap_or_else(|error| unreachable!("{text}: {error}"));
        assert_eq!(encode_apdu(&value).unwrap(), bytes, "{text}");
        for cut in 0..bytes.len() {
            assert!(decode_apdu(&bytes[..cut]).is_err(), "{text} cut at {cut}");
        }
        assert!(decode_apdu(&[bytes.as_slice(), &[0]].concat()).is_err());
    }
}

#[test]
fn fields_are_found_by_name() {
    let value = decode_apdu(&hex("85 01 07 20 00 02 01 01 12 09 6D 00 00")).unwrap();
    let reply = value
        .choice("get_response")
        .and_then(|get| get.choice("normal"))
        .unwrap();
    let oad = Oad::new(0x2000, 2, 1);
    assert_eq!(
        reply.field("oad").and_then(Value::integer),
        Some(i128::from(oad.0))
    );
    assert_eq!(
        (oad.object(), oad.attribute(), oad.feature(), oad.index()),
        (0x2000, 2, 0, 1)
    );
    let data = reply
        .field("result")
        .and_then(|result| result.choice("data"))
        .unwrap();
    assert_eq!(
        data.choice("long_unsigned").and_then(Value::integer),
        Some(2413)
    );
}

#[test]
fn errors_name_the_place() {
    let error = decode_apdu(&hex("85 01 00 00 10 02 00 01 01 02 06 00 00 00 01 07")).unwrap_err();
    assert_eq!((error.offset, error.found.as_str()), (15, "07H"));
    let mut value = decode_apdu(&hex("86 01 02 40 00 02 00 00 00 00")).unwrap();
    let Value::Choice(_, set) = &mut value else {
        unreachable!()
    };
    let Value::Choice(_, normal) = set.as_mut() else {
        unreachable!()
    };
    let Value::Record(fields) = normal.as_mut() else {
        unreachable!()
    };
    fields[1].1 = Value::Integer(1 << 32);
    let error = encode_apdu(&value).unwrap_err();
    assert_eq!(
        error.to_string(),
        "value.set_response.normal.oad: expected an unsigned integer of 32 bits, got 4294967296"
    );
    fields_gone(value);
}

fn fields_gone(mut value: Value) {
    let Value::Choice(_, set) = &mut value else {
        unreachable!()
    };
    let Value::Choice(_, normal) = set.as_mut() else {
        unreachable!()
    };
    let Value::Record(fields) = normal.as_mut() else {
        unreachable!()
    };
    fields.remove(1);
    assert_eq!(
        encode_apdu(&value).unwrap_err().to_string(),
        "value.set_response.normal: expected the field oad, got none"
    );
}

#[test]
fn depth_and_counts_are_limited() {
    let nested = |levels: usize| [[1, 1].repeat(levels), vec![0]].concat();
    let limit = usize::try_from(MAX_DEPTH).unwrap();
    let deepest = decode_data(&nested(limit)).unwrap();
    assert_eq!(encode_data(&deepest).unwrap(), nested(limit));
    assert!(decode_data(&nested(limit + 1)).is_err());
    assert!(decode_data(&nested(30_000)).is_err());
    let deeper = Value::Choice("array", Box::new(Value::List(vec![deepest])));
    assert!(encode_data(&deeper).is_err());
    assert!(decode_data(&hex("01 84 FF FF FF FF 00")).is_err());
    assert!(decode_data(&hex("09 84 FF FF FF FF 00")).is_err());
    assert!(decode_data(&hex("04 84 FF FF FF FF 00")).is_err());
    assert!(decode_data(&hex("09 85 00 00 00 00 01 00")).is_err());
    assert!(decode_data(&[0].repeat(0x1_0000)).is_err());
    // Rows without columns would be rows without bytes.
    assert!(decode_apdu(&hex("85 03 00 50 04 02 00 00 01 02 00 00")).is_err());
}

#[test]
fn a_length_may_be_longer_than_it_need_be() {
    let value = decode_data(&hex("09 82 00 02 AB CD")).unwrap();
    assert_eq!(encode_data(&value).unwrap(), hex("09 02 AB CD"));
    let octets: Value = Value::Choice("octet_string", Box::new(Value::Octets(vec![1; 300])));
    let bytes = encode_data(&octets).unwrap();
    assert_eq!(bytes[..4], [9, 0x82, 1, 44]);
    assert_eq!(decode_data(&bytes).unwrap(), octets);
}

#[test]
fn every_dar_code_has_one_name() {
    for code in 0..=u8::MAX {
        assert_eq!(Dar::from(code).code(), code);
    }
    assert_eq!(Dar::from(4).name(), "object_undefined");
    assert_eq!(Dar::from(200), Dar::Unknown(200));
}

fn again(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(value) = decode_apdu(bytes) {
        let encoded = encode_apdu(&value).unwrap();
        prop_assert!(encoded.len() <= bytes.len());
        prop_assert_eq!(decode_apdu(&encoded).unwrap(), value);
    }
    Ok(())
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        again(&bytes)?;
        let _ = decode_data(&bytes);
    }

    #[test]
    fn small_bytes_are_survived(bytes in prop::collection::vec(0_u8..8, 0..60), tag in 0_usize..12) {
        again(&[&hex(APDUS[tag])[..1], &bytes].concat())?;
    }

    #[test]
    fn changed_examples_are_survived(
        tag in 0_usize..12,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = hex(APDUS[tag]);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        again(&bytes)?;
    }

    #[test]
    fn data_of_any_tag_comes_back(tag in any::<u8>(), content in prop::collection::vec(any::<u8>(), 0..40)) {
        let bytes = [&[tag], content.as_slice()].concat();
        if let Ok(value) = decode_data(&bytes) {
            let encoded = encode_data(&value).unwrap();
            prop_assert_eq!(decode_data(&encoded).unwrap(), value);
        }
    }
}
