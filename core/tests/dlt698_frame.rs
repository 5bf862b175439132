//! Frames out of any stream of bytes: whole, split, surrounded by noise, made to be slow.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

use diantan_core::dlt698::{
    Address, AddressKind, Control, Event, Fragment, FragmentError, FragmentKind, Frame, FrameError,
    Parser, Progress, Reassembler, confirmation, crc16, split,
};
use proptest::prelude::*;

fn frame() -> impl Strategy<Value = Frame> {
    let kind = prop_oneof![
        Just(AddressKind::Single),
        Just(AddressKind::Wildcard),
        Just(AddressKind::Group),
        Just(AddressKind::Broadcast),
    ];
    let octets = prop::collection::vec(any::<u8>(), 1..=16);
    let data = prop::collection::vec(any::<u8>(), 0..300);
    (any::<u8>(), kind, 0_u8..4, octets, any::<u8>(), data).prop_map(
        |(control, kind, logical, octets, client, data)| {
            let server = Address::new(kind, logical, &octets).unwrap();
            Frame::new(Control(control), server, client, data)
        },
    )
}

fn meter() -> Address {
    Address::new(
        AddressKind::Single,
        0,
        &[0x01, 0x25, 0x03, 0x20, 0x00, 0x01],
    )
    .unwrap()
}

fn frames(events: Vec<Event>) -> Vec<Frame> {
    events
        .into_iter()
        .filter_map(|event| match event {
            Event::Frame(frame) => Some(frame),
            Event::Noise { .. } => None,
        })
        .collect()
}

#[test]
fn the_check_is_crc_16_x_25() {
    assert_eq!(crc16(b"123456789"), 0x906e);
}

#[test]
fn a_length_in_kilobytes_counts_1024_bytes() {
    let mut large = Frame::new(Control::REPLY, meter(), 0, vec![7; 2048 - 15]);
    large.kilobytes = true;
    let bytes = large.encode().unwrap();
    assert_eq!(bytes.len(), 2050);
    assert_eq!(bytes[1..3], [2, 0x40]);
    assert_eq!(Frame::decode(&bytes).unwrap(), large);
    large.user_data.push(7);
    assert!(matches!(large.encode(), Err(FrameError::TooLong { .. })));
}

#[test]
fn a_frame_longer_than_its_length_field_is_refused() {
    let most = 0x3fff - 15;
    let mut large = Frame::new(Control::REPLY, meter(), 0, vec![7; most]);
    assert_eq!(Frame::decode(&large.encode().unwrap()).unwrap(), large);
    large.user_data.push(7);
    assert!(matches!(large.encode(), Err(FrameError::TooLong { .. })));
}

#[test]
fn a_length_is_not_believed_before_the_header_check() {
    let bytes = Frame::new(Control::REQUEST, meter(), 0, vec![5])
        .encode()
        .unwrap();
    let mut broken = bytes.clone();
    broken[2] = 0x3f;
    let mut parser = Parser::default();
    let events = parser.feed(&[broken, bytes].concat());
    assert!(matches!(
        &events[..],
        [
            Event::Noise {
                reason: FrameError::HeaderCheck { .. },
                ..
            },
            Event::Frame(_)
        ]
    ));
    assert_eq!(parser.pending(), 0);
}

#[test]
fn a_frame_inside_a_broken_one_is_found() {
    let inner = Frame::new(Control::REQUEST, meter(), 0, vec![5, 1, 0]);
    let outer = Frame::new(Control::REPLY, meter(), 0, inner.encode().unwrap());
    let mut bytes = outer.encode().unwrap();
    let fcs = bytes.len() - 2;
    bytes[fcs] ^= 1;
    let events = Parser::default().feed(&bytes);
    let Event::Noise { reason, .. } = &events[0] else {
        panic!("{events:?}");
    };
    assert!(matches!(reason, FrameError::FrameCheck { .. }));
    assert_eq!(frames(events), [inner]);
}

#[test]
fn a_frame_that_never_ends_is_given_up_on_request() {
    let whole = Frame::new(Control::REQUEST, meter(), 0, vec![5; 4])
        .encode()
        .unwrap();
    let cut = Frame::new(Control::REPLY, meter(), 0, vec![1; 200])
        .encode()
        .unwrap();
    let mut parser = Parser::default();
    assert!(parser.feed(&[&cut[..100], &whole].concat()).is_empty());
    assert!(parser.pending() > 100);
    assert_eq!(frames(parser.flush()).len(), 1);
    assert_eq!(parser.pending(), 0);
}

#[test]
fn the_reserved_bit_of_the_length_is_ignored() {
    let frame = Frame::new(Control::REQUEST, meter(), 0, vec![5, 1, 0]);
    let mut bytes = frame.encode().unwrap();
    bytes[2] |= 0x80;
    let header = crc16(&bytes[1..12]).to_le_bytes();
    bytes[12..14].copy_from_slice(&header);
    let end = bytes.len() - 3;
    let check = crc16(&bytes[1..end]).to_le_bytes();
    bytes[end..end + 2].copy_from_slice(&check);
    assert_eq!(Frame::decode(&bytes), Ok(frame));
}

#[test]
fn a_stray_start_byte_does_not_hold_back_a_short_frame() {
    let short = Frame::new(Control::REQUEST, Address::broadcast(), 0, vec![]);
    let mut parser = Parser::default();
    for (index, byte) in [&[0x68][..], &short.encode().unwrap()]
        .concat()
        .iter()
        .enumerate()
    {
        let found = frames(parser.feed(&[*byte]));
        assert_eq!(found.len(), usize::from(index == 12), "{index}");
    }
    assert_eq!(parser.pending(), 0);
    assert_eq!(short.encode().unwrap()[4..6], [0xc0, 0xaa]);
}

/// Headers inside headers, each of which claims all that follows, must not cost a check of all of it each.
#[test]
fn nested_headers_cost_a_bounded_number_of_checks() {
    let mut bytes = Vec::new();
    let most = 0x3000;
    for index in 0..1000_usize {
        let server = Address::new(AddressKind::Single, 0, &[1]).unwrap();
        let claim = Frame::new(Control::REQUEST, server, 0, vec![0; most - index * 9 - 10]);
        bytes.extend_from_slice(&claim.encode().unwrap()[..9]);
    }
    bytes.resize(most + 2, 0x16);
    let good = Frame::new(Control::REQUEST, meter(), 0, vec![5]);
    bytes.extend(good.encode().unwrap());
    let mut parser = Parser::default();
    let found = [parser.feed(&bytes), parser.flush()].concat();
    assert!(found.len() < 40, "{}", found.len());
    assert_eq!(frames(found), [good]);
}

#[test]
fn memory_is_bounded_by_the_longest_frame() {
    let mut parser = Parser::new(512);
    for _ in 0..1000 {
        parser.feed(&[0x68, 0x00, 0x02, 0xc3, 0x05, 0x16, 0xfe]);
        assert!(parser.pending() <= 514);
    }
}

proptest! {
    #[test]
    fn a_frame_comes_back(frame in frame()) {
        let bytes = frame.encode().unwrap();
        prop_assert_eq!(Frame::decode(&bytes).unwrap(), frame);
    }

    #[test]
    fn chunks_make_no_difference(
        parts in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..20), frame()), 1..5),
        sizes in prop::collection::vec(1_usize..50, 1..40),
    ) {
        let mut bytes = Vec::new();
        for (noise, frame) in &parts {
            // Without a start byte, noise can't be taken for the beginning of a frame.
            bytes.extend(noise.iter().filter(|byte| **byte != 0x68));
            bytes.extend([0xfe; 4]);
            bytes.extend(frame.encode().unwrap());
        }
        let whole = frames(Parser::default().feed(&bytes));
        let sent: Vec<Frame> = parts.into_iter().map(|(_, frame)| frame).collect();
        prop_assert_eq!(&whole, &sent);
        let mut parser = Parser::default();
        let mut found = Vec::new();
        let mut rest = bytes.as_slice();
        for size in sizes.iter().cycle() {
            let (now, later) = rest.split_at((*size).min(rest.len()));
            found.extend(frames(parser.feed(now)));
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(found, sent);
    }

    #[test]
    fn anything_is_survived(chunks in prop::collection::vec(
        prop::collection::vec(prop_oneof![any::<u8>(), Just(0x68), Just(0x16), Just(0xfe)], 0..200), 0..10,
    )) {
        let mut parser = Parser::new(300);
        let mut reassembler = Reassembler::new(100);
        for chunk in chunks {
            for frame in frames(parser.feed(&chunk)) {
                let _ = reassembler.feed(&frame);
            }
            prop_assert!(parser.pending() <= 302);
            let _ = Frame::decode(&chunk);
        }
        parser.flush();
        prop_assert_eq!(parser.pending(), 0);
    }

    #[test]
    fn a_changed_bit_is_noticed(frame in frame(), place in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut bytes = frame.encode().unwrap();
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        prop_assert!(Frame::decode(&bytes).is_err());
        let mut parser = Parser::default();
        prop_assert!(!frames([parser.feed(&bytes), parser.flush()].concat()).contains(&frame));
    }

    #[test]
    fn fragments_join_to_what_was_split(
        data in prop::collection::vec(any::<u8>(), 2..400), size in 1_usize..50, first in 0_u16..4096,
        scrambled in any::<bool>(),
    ) {
        let whole = Frame::new(Control::REPLY, meter(), 3, data);
        let sent = Frame { control: whole.control.with_scrambling(scrambled), ..whole.clone() };
        prop_assume!(whole.user_data.len() > size);
        let mut reassembler = Reassembler::new(1000);
        let mut last = Progress::More;
        for (index, piece) in split(&sent, size, first).unwrap().into_iter().enumerate() {
            let piece = Frame::decode(&piece.encode().unwrap()).unwrap();
            prop_assert_eq!(&last, &Progress::More);
            last = reassembler.feed(&piece).unwrap();
            prop_assert_eq!(reassembler.feed(&piece).unwrap(), Progress::Repeated);
            let confirmed = confirmation(&piece).unwrap();
            let fragment = Fragment::of(&confirmed).unwrap();
            prop_assert_eq!(usize::from(fragment.number), (usize::from(first) + index) % 4096);
            prop_assert_eq!(fragment.kind, FragmentKind::Confirm);
            prop_assert_eq!(confirmed.control, Control(0x63));
        }
        prop_assert_eq!(last, Progress::Complete(whole));
        prop_assert_eq!(reassembler.pending(), 0);
    }
}

#[test]
fn pieces_out_of_place_are_refused() {
    let whole = Frame::new(Control::REPLY, meter(), 0, vec![9; 40]);
    let pieces = split(&whole, 10, 4094).unwrap();
    let mut reassembler = Reassembler::new(25);
    assert_eq!(
        reassembler.feed(&pieces[1]),
        Err(FragmentError::NotBegun(4095))
    );
    assert_eq!(reassembler.feed(&pieces[0]), Ok(Progress::More));
    assert_eq!(
        reassembler.feed(&pieces[2]),
        Err(FragmentError::Sequence {
            expected: 4095,
            found: 0
        })
    );
    let mut foreign = pieces[1].clone();
    foreign.client = 9;
    assert_eq!(
        reassembler.feed(&foreign),
        Err(FragmentError::NotBegun(4095))
    );
    assert_eq!(reassembler.feed(&pieces[1]), Ok(Progress::More));
    assert_eq!(
        reassembler.feed(&pieces[2]),
        Err(FragmentError::TooLarge {
            most: 25,
            found: 30
        })
    );
    assert_eq!(
        reassembler.feed(&pieces[3]),
        Err(FragmentError::NotBegun(1))
    );
    assert_eq!(
        reassembler.feed(&whole),
        Err(FragmentError::NotAFragment(0xc3))
    );
    assert!(matches!(
        split(&whole, 0, 0),
        Err(FragmentError::Split { .. })
    ));
}
