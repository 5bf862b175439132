//! What holds for any octets in the DL/T 645-2007 codec.

use diantan_core::dlt645::{
    Address, Cause, Control, Event, Format, Frame, Item, Outcome, Parser, Reply, Request,
    decode_fields, encode_fields, function,
};

use crate::pieces::cut;

/// The first octet chooses pieces and limit, the others are the input of every floor.
pub fn all(octets: &[u8]) {
    let Some((choice, octets)) = octets.split_first() else {
        return;
    };
    stream(octets, *choice);
    stream(&nested(octets, *choice), *choice);
    // A frame around them, so that a mutation need not find the checksum.
    if let Some((control, data)) = octets.split_first() {
        let data = data[..data.len().min(255)].to_vec();
        let frame = Frame {
            address: Address::from_wire([*choice, 0x68, 0x16, 0xfe, 0xaa, 0x99]),
            control: Control(*control),
            data,
        };
        framed(&frame, usize::from(*choice % 6));
        message(&frame);
    }
    if let Some((identifier, data)) = octets.split_first_chunk::<4>() {
        values(u32::from_le_bytes(*identifier), data);
    }
    formats(octets);
}

fn run(limit: u8, pieces: &[&[u8]]) -> Vec<Event> {
    let mut parser = Parser::new(limit);
    let mut events = Vec::new();
    for piece in pieces {
        events.extend(parser.feed(piece));
        assert!(
            parser.pending() <= 32 + 12 + usize::from(limit),
            "more is kept than a frame and its preamble"
        );
    }
    events.extend(parser.flush());
    assert_eq!(parser.pending(), 0);
    joined(events)
}

/// Garbage comes in as many parts as the octets: put together what touches.
fn joined(events: Vec<Event>) -> Vec<Event> {
    let mut list: Vec<Event> = Vec::new();
    for event in events {
        if let (
            Some(Event::Noise {
                bytes,
                cause: Cause::Garbage,
            }),
            Event::Noise {
                bytes: more,
                cause: Cause::Garbage,
            },
        ) = (list.last_mut(), &event)
        {
            bytes.extend(more);
        } else {
            list.push(event);
        }
    }
    list
}

fn stream(octets: &[u8], choice: u8) {
    let limit = if choice & 1 == 0 { 200 } else { choice };
    let whole = run(limit, &[octets]);
    let parts = run(limit, &cut(octets, choice));
    assert_eq!(whole, parts, "what is found depends on the pieces");
    let mut told = 0;
    for event in &whole {
        match event {
            Event::Frame { frame, preamble } => {
                assert!(frame.data.len() <= usize::from(limit));
                let wire = frame
                    .encode(*preamble)
                    .expect("a frame that was read can be written");
                assert!(
                    octets.windows(wire.len()).any(|window| window == wire),
                    "a frame that is not in the octets"
                );
                message(frame);
            }
            Event::Noise { bytes, .. } => told += bytes.len(),
        }
    }
    assert!(told <= octets.len(), "octets are told twice");
}

/// A stream of noise, frames, and frames around all that came before, some of them broken.
fn nested(octets: &[u8], choice: u8) -> Vec<u8> {
    let mut stream = Vec::new();
    for piece in cut(octets, choice) {
        let Some((head, rest)) = piece.split_first() else {
            continue;
        };
        let framed = |data: Vec<u8>| {
            // What lies inside is offset on the wire: taken back before, it stands there as it was.
            let data = data
                .into_iter()
                .map(|octet| octet.wrapping_sub(0x33))
                .collect();
            let address = Address::from_wire([0x68; 6]);
            let frame = Frame {
                address,
                control: Control(*head),
                data,
            };
            frame
                .encode(usize::from(head & 3))
                .expect("it is short enough")
        };
        match head % 5 {
            0 => stream.extend_from_slice(piece),
            1 | 2 => stream.extend(framed(rest.to_vec())),
            number if stream.len() < 200 => {
                let place = usize::from(head >> 2) % (stream.len() + 1);
                stream = framed(stream);
                if let (4, Some(octet)) = (number, stream.get_mut(place)) {
                    *octet ^= head | 1;
                }
            }
            _ => stream.truncate(usize::from(*head)),
        }
    }
    stream
}

fn framed(frame: &Frame, preamble: usize) {
    let wire = frame.encode(preamble).expect("up to 255 octets fit");
    let found = run(255, &[&wire]);
    assert_eq!(
        found,
        [Event::Frame {
            frame: frame.clone(),
            preamble
        }]
    );
}

fn message(frame: &Frame) {
    let Frame { control, data, .. } = frame;
    if let Ok(request) = Request::decode(*control, data) {
        assert_eq!(request.encode().as_ref(), Ok(&(*control, data.clone())));
        assert_eq!(control.function(), request.function());
    }
    if let Ok(reply) = Reply::decode(*control, data) {
        assert_eq!(reply.encode().as_ref(), Ok(&(*control, data.clone())));
        if let Outcome::Read {
            identifier, data, ..
        } = &reply.outcome
        {
            assert_eq!(reply.function, function::READ);
            values(*identifier, data);
        }
    }
}

fn values(identifier: u32, data: &[u8]) {
    let Some(item) = Item::find(identifier) else {
        return;
    };
    assert!(!item.name().is_empty() && !item.chinese().is_empty());
    if let Ok(values) = item.decode(data) {
        let again = item
            .encode(&values)
            .expect("values that were read can be written");
        assert_eq!(again.len(), data.len());
        assert_eq!(item.decode(&again), Ok(values));
    }
}

/// A format's text up to a NUL, then data.
fn formats(octets: &[u8]) {
    let end = octets
        .iter()
        .position(|octet| *octet == 0)
        .unwrap_or(octets.len());
    let (text, data) = octets.split_at(end);
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let Ok(format) = text.parse::<Format>() else {
        return;
    };
    assert_eq!(format.to_string().parse::<Format>(), Ok(format.clone()));
    let formats = [format];
    for repeats in [false, true] {
        if let Ok(values) = decode_fields(&formats, repeats, data) {
            let again = encode_fields(&formats, repeats, &values)
                .expect("values that were read can be written");
            assert_eq!(decode_fields(&formats, repeats, &again), Ok(values));
        }
    }
}
