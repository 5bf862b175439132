//! What holds for any octets in the DL/T 698.45 codec.

use diantan_core::dlt698::{
    Address, AddressKind, Control, Event, Fragment, FragmentKind, Frame, FrameError, Parser,
    Progress, Reassembler, Value, confirmation, decode_apdu, decode_data, encode_apdu, encode_data,
    split,
};

use crate::pieces::cut;

const MAX_SIZE: usize = 600;
const MAX_STREAM: usize = 2000;

/// The first octet chooses pieces, limit and header, the others are the input of every floor.
pub fn all(octets: &[u8]) {
    let Some((choice, octets)) = octets.split_first() else {
        return;
    };
    stream(octets, *choice);
    apdu(octets, *choice);
    data(octets, *choice);
    // Frames around them: no mutation finds two checks of 16 bits.
    frames(octets, *choice);
    stream(&nested(octets, *choice), *choice);
    fragments(octets, *choice);
}

fn run(most: usize, pieces: &[&[u8]]) -> Vec<Event> {
    let mut parser = Parser::new(most);
    let mut events = Vec::new();
    for piece in pieces {
        events.extend(parser.feed(piece));
        // A header of 25 octets is believed before its length is.
        assert!(
            parser.pending() <= 25.max(most + 2),
            "more is kept than a frame"
        );
    }
    events.extend(parser.flush());
    assert_eq!(parser.pending(), 0);
    events
}

/// Frames, and all noise between two of them as one: how it is told depends on the pieces.
fn outline(events: &[Event]) -> Vec<(Option<Frame>, usize)> {
    let mut list = Vec::new();
    let mut noise = 0;
    for event in events {
        match event {
            Event::Frame(frame) => {
                list.push((Some(frame.clone()), noise));
                noise = 0;
            }
            Event::Noise { octets, .. } => {
                noise += octets.iter().filter(|octet| **octet != 0xfe).count();
            }
        }
    }
    list.push((None, noise));
    list
}

fn stream(octets: &[u8], choice: u8) {
    let most = if choice & 1 == 0 {
        0x3fff
    } else {
        usize::from(choice)
    };
    let whole = run(most, &[octets]);
    let parts = run(most, &cut(octets, choice));
    assert_eq!(
        outline(&whole),
        outline(&parts),
        "what is found depends on the pieces"
    );
    for event in whole {
        if let Event::Frame(frame) = event {
            let wire = frame
                .encode()
                .expect("a frame that was read can be written");
            assert!(
                octets.windows(wire.len()).any(|window| window == wire),
                "a frame that is not in the octets"
            );
            apdu(&frame.user_data, choice);
        }
    }
    if let Ok(frame) = Frame::decode(octets) {
        let wire = frame
            .encode()
            .expect("a frame that was read can be written");
        assert!(octets.ends_with(&wire));
    }
}

/// Octets as they are, and as a header of frames whose checks are right.
fn frames(octets: &[u8], choice: u8) {
    let Some(([control, format, client], user_data)) = octets.split_first_chunk::<3>() else {
        return;
    };
    let kind = match format >> 6 {
        0 => AddressKind::Single,
        1 => AddressKind::Wildcard,
        2 => AddressKind::Group,
        _ => AddressKind::Broadcast,
    };
    let length = usize::from(format & 0x0f) + 1;
    let (address, user_data) = user_data.split_at(length.min(user_data.len()));
    let Ok(server) = Address::new(kind, format >> 4 & 3, address) else {
        assert!(address.is_empty());
        return;
    };
    let frame = Frame::new(Control(*control), server, *client, user_data.to_vec());
    let wire = match frame.encode() {
        Ok(wire) => wire,
        Err(error) => {
            assert!(matches!(error, FrameError::TooLong { .. }));
            return;
        }
    };
    assert_eq!(Frame::decode(&wire), Ok(frame.clone()));
    // Behind anything that ends before it, unless a frame begins there that reaches into it.
    let found = run(0x3fff, &cut(&wire, choice));
    assert_eq!(found, [Event::Frame(frame.clone())]);
    let mut broken = wire.clone();
    let place = usize::from(choice) % wire.len();
    broken[place] ^= choice | 1;
    stream(&[broken.as_slice(), &wire].concat(), choice);
    whole_again(&frame, choice);
}

/// A stream of noise, frames, and frames around all that came before, some of them broken.
fn nested(octets: &[u8], choice: u8) -> Vec<u8> {
    let server =
        Address::new(AddressKind::Single, 0, &[0x68; 6]).expect("six octets are an address");
    let mut stream = Vec::new();
    for piece in cut(octets, choice) {
        let Some((head, rest)) = piece.split_first() else {
            continue;
        };
        let framed = |user_data: Vec<u8>| {
            Frame::new(Control(*head), server.clone(), choice, user_data)
                .encode()
                .expect("it is short enough")
        };
        match head % 5 {
            0 => stream.extend_from_slice(piece),
            1 | 2 => stream.extend(framed(rest.to_vec())),
            number if stream.len() < MAX_STREAM => {
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

/// Split and put together again.
fn whole_again(frame: &Frame, choice: u8) {
    let Ok(parts) = split(frame, usize::from(choice) + 1, u16::from(choice) << 4) else {
        return;
    };
    let mut reassembler = Reassembler::new(frame.user_data.len());
    let mut whole = None;
    for part in &parts {
        assert_eq!(whole, None);
        let confirmed = confirmation(part).expect("a fragment has a confirmation");
        assert!(matches!(
            reassembler.feed(&confirmed),
            Ok(Progress::Confirmed(_))
        ));
        if let Progress::Complete(frame) = reassembler
            .feed(part)
            .expect("fragments in order are taken")
        {
            whole = Some(frame);
        }
        assert!(matches!(reassembler.feed(part), Ok(Progress::Repeated)));
    }
    let plain = frame.control.with_fragment(false).with_scrambling(false);
    let expected = Frame {
        control: plain,
        kilobytes: false,
        ..frame.clone()
    };
    assert_eq!(whole, Some(expected));
}

/// Fragments of any kind and number, the octets cut into their pieces.
fn fragments(octets: &[u8], choice: u8) {
    let server =
        Address::new(AddressKind::Single, 0, &[1, 2, 3]).expect("three octets are an address");
    let mut reassembler = Reassembler::new(MAX_SIZE);
    for piece in cut(octets, choice) {
        let Some((head, piece)) = piece.split_first() else {
            continue;
        };
        let kind = match head >> 6 {
            0 => FragmentKind::First,
            1 => FragmentKind::Last,
            2 => FragmentKind::Confirm,
            _ => FragmentKind::Middle,
        };
        let fragment = Fragment {
            number: u16::from(head & 7),
            kind,
            piece,
        };
        let user_data = fragment.encode().expect("a number below 8 is one");
        let control = Control(0xe3 ^ (head & 0x10));
        let frame = Frame::new(control, server.clone(), choice & 1, user_data);
        assert_eq!(Fragment::of(&frame), Ok(fragment));
        match reassembler.feed(&frame) {
            Ok(Progress::Complete(whole)) => {
                assert!(whole.user_data.len() <= MAX_SIZE && !whole.control.fragment());
                assert_eq!(reassembler.pending(), 0);
                apdu(&whole.user_data, choice);
            }
            Ok(_) | Err(_) => assert!(reassembler.pending() <= MAX_SIZE),
        }
    }
}

fn apdu(octets: &[u8], choice: u8) {
    let Ok(value) = decode_apdu(octets) else {
        return;
    };
    let again = encode_apdu(&value).expect("an APDU that was read can be written");
    assert!(again.len() <= octets.len());
    assert_eq!(decode_apdu(&again).as_ref(), Ok(&value));
    let changed = Changes::of(octets, choice).value(&value);
    if let Ok(wire) = encode_apdu(&changed) {
        assert_eq!(
            decode_apdu(&wire),
            Ok(changed),
            "what was written is read otherwise"
        );
    }
}

fn data(octets: &[u8], choice: u8) {
    let Ok(value) = decode_data(octets) else {
        return;
    };
    let again = encode_data(&value).expect("data that was read can be written");
    assert!(again.len() <= octets.len());
    assert_eq!(decode_data(&again).as_ref(), Ok(&value));
    let changed = Changes::of(octets, choice).value(&value);
    if let Ok(wire) = encode_data(&changed) {
        assert_eq!(
            decode_data(&wire),
            Ok(changed),
            "what was written is read otherwise"
        );
    }
}

/// Changes a value here and there, so that the encoder meets what no decoder returned.
struct Changes {
    state: u32,
    /// Lists are made longer once: in each other they would grow beyond all measure.
    grown: bool,
}

impl Changes {
    fn of(octets: &[u8], choice: u8) -> Self {
        let sum = octets.iter().fold(u32::from(choice), |sum, octet| {
            sum.rotate_left(5) ^ u32::from(*octet)
        });
        Self {
            state: sum | 1,
            grown: false,
        }
    }

    fn next(&mut self) -> u32 {
        self.state = self
            .state
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        self.state >> 16
    }

    fn value(&mut self, value: &Value) -> Value {
        let change = self.next().is_multiple_of(8);
        match value {
            Value::Integer(number) if change => {
                let bits = self.next() % 70;
                Value::Integer(number ^ (1 << bits))
            }
            Value::Bool(state) if change => Value::Bool(!state),
            Value::Octets(octets) if change => {
                let mut octets = octets.clone();
                octets.resize(self.next() as usize % 300, 0x68);
                Value::Octets(octets)
            }
            Value::Text(text) if change => {
                let more = ['0', '1', 'é', '电', '\0'];
                let more = more[self.next() as usize % more.len()];
                Value::Text(format!("{text}{more}"))
            }
            Value::List(items) => {
                let mut items: Vec<Value> = items.iter().map(|item| self.value(item)).collect();
                if change {
                    match (self.next() % 3, items.last().cloned()) {
                        (0, Some(last)) if !self.grown => {
                            self.grown = true;
                            items.extend(vec![last; self.next() as usize % 140]);
                        }
                        (1, _) => items.clear(),
                        _ => drop(items.pop()),
                    }
                }
                Value::List(items)
            }
            Value::Record(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, field)| (*name, self.value(field)));
                Value::Record(fields.collect())
            }
            Value::Choice(name, content) => {
                if change && self.next().is_multiple_of(4) {
                    return Value::None;
                }
                Value::Choice(name, Box::new(self.value(content)))
            }
            other => other.clone(),
        }
    }
}
