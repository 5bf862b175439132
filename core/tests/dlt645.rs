//! DL/T 645-2007: whatever bytes come, nothing panics, and what is read is written the same.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use diantan_core::dlt645::{
    Address, Authority, Baud, Cause, Control, Event, Fault, Format, Frame, Item, Moment, Number,
    Outcome, Parser, Part, Password, Refusal, Reply, Request, Value, decode_fields, encode_fields,
    formats, function,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn frames(events: Vec<Event>) -> Vec<Frame> {
    let frames = events.into_iter().filter_map(|event| match event {
        Event::Frame { frame, .. } => Some(frame),
        Event::Noise { .. } => None,
    });
    frames.collect()
}

fn read(address: &str) -> Frame {
    Frame {
        address: Address::parse(address).unwrap(),
        control: Control::request(function::READ),
        data: vec![0, 0, 1, 0],
    }
}

/// Bytes that often look like parts of frames.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(0x68_u8), Just(0x16), Just(0xfe), 0..12_u8, any::<u8>()];
    let genuine = (0..6_usize, vec(byte.clone(), 0..20)).prop_map(|(preamble, data)| {
        let frame = Frame {
            address: Address::from_wire([0x68; 6]),
            control: Control(0x91),
            data,
        };
        frame.encode(preamble).unwrap()
    });
    vec(prop_oneof![vec(byte, 0..30), genuine], 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn the_parser_takes_any_bytes_in_any_pieces(stream in stream(), size in 1..50_usize, limit: u8) {
        let mut whole = Parser::new(limit);
        let mut once = whole.feed(&stream);
        once.extend(whole.flush());
        let mut pieces = Parser::new(limit);
        let mut several = Vec::new();
        for piece in stream.chunks(size) {
            several.extend(pieces.feed(piece));
            prop_assert!(pieces.pending() <= 32 + 12 + usize::from(limit));
        }
        several.extend(pieces.flush());
        prop_assert_eq!(pieces.pending(), 0);
        prop_assert_eq!(frames(once.clone()), frames(several));
        let told: usize = once.iter().map(|event| match event {
            Event::Noise { bytes, .. } => bytes.len(),
            Event::Frame { .. } => 0,
        }).sum();
        prop_assert!(told <= stream.len());
        if frames(once).is_empty() {
            prop_assert_eq!(told, stream.len());
        }
    }

    #[test]
    fn messages_are_read_and_written_the_same_or_refused(control: u8, data in vec(any::<u8>(), 0..40)) {
        let control = Control(control);
        if let Ok(request) = Request::decode(control, &data) {
            prop_assert_eq!(request.encode().unwrap(), (control, data.clone()));
        }
        if let Ok(reply) = Reply::decode(control, &data) {
            prop_assert_eq!(reply.encode().unwrap(), (control, data));
        }
    }

    #[test]
    fn any_item_takes_any_bytes(identifier: u32, data in vec(any::<u8>(), 0..40)) {
        if let Some(item) = Item::find(identifier) {
            let _ = item.decode(&data);
        }
    }

    #[test]
    fn any_text_is_a_format_or_refused(text in "(±|digits:|ascii:|bits:|raw)?[X.YMDhms0-9é]{0,20}", data in vec(any::<u8>(), 0..20)) {
        if let Ok(format) = text.parse::<Format>() {
            prop_assert_eq!(format.to_string().parse::<Format>().unwrap(), format.clone());
            if let Ok(values) = decode_fields(std::slice::from_ref(&format), true, &data) {
                prop_assert!(encode_fields(&[format], true, &values).is_ok());
            }
        }
    }

    #[test]
    fn a_format_made_by_hand_does_not_panic(bytes: u8, decimals: u8, signed: bool, mantissa: i64, exponent: i32, data in vec(any::<u8>(), 0..300)) {
        let format = [Format::Decimal { bytes, decimals, signed }];
        let _ = decode_fields(&format, false, &data);
        let _ = encode_fields(&format, false, &[Value::Number(Number { mantissa, exponent })]);
        let _ = decode_fields(&[Format::Bits(bytes)], false, &data);
        let _ = encode_fields(&[Format::Bits(bytes)], false, &[Value::Bits(mantissa.unsigned_abs())]);
        let _ = format[0].to_string();
    }
}

#[test]
fn every_item_of_the_table_has_formats_and_names() {
    let mut found = 0;
    let days = (0..=0x11).chain([0xfe, 0xff]);
    for (high, low) in
        (0..0x0007_0000_u32).flat_map(|high| days.clone().map(move |low| (high, low)))
    {
        if let Some(item) = Item::find(high << 8 | low) {
            assert!(!item.formats().unwrap().is_empty());
            assert!(!item.name().is_empty() && !item.chinese().is_empty());
            found += 1;
        }
    }
    assert!(found > 20_000, "{found}");
}

#[test]
fn a_frame_tells_its_preamble_and_a_bad_one_its_checksum() {
    let frame = read("123456789012");
    let mut wire = frame.encode(2).unwrap();
    let mut parser = Parser::default();
    assert_eq!(parser.feed(&wire), [Event::Frame { frame, preamble: 2 }]);
    wire[14] ^= 1;
    let cause = Cause::Checksum {
        expected: 0x69,
        found: 0x68,
    };
    let events = parser.feed(&wire);
    assert!(
        matches!(&events[1], Event::Noise { bytes, cause: told } if *told == cause && bytes == &wire[2..])
    );
}

#[test]
fn messages_of_both_directions_have_their_control_codes() {
    let password = Password {
        level: 2,
        digits: [1, 2, 3],
    };
    let authority = Authority {
        password,
        operator: [4, 5, 6, 7],
    };
    let (control, data) = Request::ClearEvents {
        authority,
        identifier: u32::MAX,
    }
    .encode()
    .unwrap();
    assert_eq!(control, Control(0x1b));
    assert_eq!(data, [2, 1, 2, 3, 4, 5, 6, 7, 255, 255, 255, 255]);
    let refused = Reply {
        function: function::CLEAR_EVENTS,
        outcome: Outcome::Refused(Refusal(0x05)),
    };
    assert_eq!(refused.encode().unwrap(), (Control(0xdb), vec![5]));
    assert_eq!(
        Refusal(0x05).reasons().collect::<Vec<_>>(),
        ["other", "not_authorised"]
    );
    assert_eq!(Baud::new(19200).unwrap().word(), 0x40);
}

#[test]
fn an_outcome_of_another_function_is_refused() {
    for function in [0, 1, function::TIME_SYNC, function::WRITE, 0x1e, 0xff] {
        let reply = Reply {
            function,
            outcome: Outcome::Address(Address::WILDCARD),
        };
        assert!(reply.encode().is_err(), "{function:02x}");
    }
}

#[test]
fn errors_say_where_and_what() {
    let item = Item::find(0x0001_0000).unwrap();
    let error = item.decode(&[0, 0x1f, 0, 0]).unwrap_err();
    assert_eq!((error.offset, error.fault), (1, Fault::NotBcd(0x1f)));
    let error = item.decode(&[0; 3]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "byte 0: expected 4 bytes for the value, got 3"
    );
    let time = Moment::of(&[(Part::Hour, 24)]);
    let refused = encode_fields(&formats(["mm"]).unwrap(), false, &[Value::Moment(time)]);
    assert!(refused.is_err());
}
