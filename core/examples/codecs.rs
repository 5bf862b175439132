//! Times the DL/T codecs on one core: `codecs dlt645|dlt698 FRAME…`, frames in hexadecimal digits.
//!
//! Prints one JSON object: frames a second, the best of some rounds over all frames. `bench/codecs.py` runs it beside
//! the peers, so that Rust and Python are measured in the same run and on the same frames.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "an example"
)]

use std::hint::black_box;
use std::time::Instant;

use diantan_core::dlt645::{self, Item, Outcome, Reply};
use diantan_core::dlt698::{self, Event};

const ROUNDS: u32 = 15;
const REPEATS: usize = 2_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((protocol, frames)) = arguments.split_first() else {
        eprintln!("codecs: expected dlt645 or dlt698 and frames in hexadecimal digits");
        std::process::exit(2);
    };
    let frames: Vec<Vec<u8>> = frames.iter().map(|digits| octets(digits)).collect();
    let results = match protocol.as_str() {
        "dlt645" => dlt645(&frames),
        _ => dlt698(&frames),
    };
    let fields: Vec<String> = results
        .iter()
        .map(|(name, rate)| format!("\"{name}\": {rate:.0}"))
        .collect();
    println!("{{{}}}", fields.join(", "));
}

fn octets(digits: &str) -> Vec<u8> {
    let digits: Vec<char> = digits.chars().collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).unwrap())
        .collect()
}

/// Frames a second of a function that is given each frame in turn.
fn rate<T, R>(items: &[T], mut work: impl FnMut(&T) -> R) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..REPEATS {
            for item in items {
                black_box(work(black_box(item)));
            }
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    (REPEATS * items.len()) as f64 / best
}

fn dlt645(frames: &[Vec<u8>]) -> Vec<(&'static str, f64)> {
    let mut parser = dlt645::Parser::default();
    let mut parse = |wire: &Vec<u8>| match parser.feed(wire).pop() {
        Some(dlt645::Event::Frame { frame, .. }) => frame,
        _ => unreachable!("the bench's frames are frames"),
    };
    let parsed: Vec<dlt645::Frame> = frames.iter().map(&mut parse).collect();
    let value = |frame: &dlt645::Frame| {
        let reply = Reply::decode(frame.control, &frame.data).unwrap();
        let Outcome::Read {
            identifier, data, ..
        } = &reply.outcome
        else {
            unreachable!("the bench's frames are replies to a read")
        };
        Item::find(*identifier).unwrap().decode(data).unwrap()
    };
    vec![
        ("decode frame", rate(frames, &mut parse)),
        ("decode to values", rate(frames, |wire| value(&parse(wire)))),
        (
            "encode frame",
            rate(&parsed, |frame| frame.encode(4).unwrap()),
        ),
    ]
}

fn dlt698(frames: &[Vec<u8>]) -> Vec<(&'static str, f64)> {
    let mut parser = dlt698::Parser::default();
    let mut parse = |wire: &Vec<u8>| match parser.feed(wire).pop() {
        Some(Event::Frame(frame)) => frame,
        _ => unreachable!("the bench's frames are frames"),
    };
    let parsed: Vec<dlt698::Frame> = frames.iter().map(&mut parse).collect();
    let values: Vec<dlt698::Value> = parsed
        .iter()
        .map(|frame| dlt698::decode_apdu(&frame.user_data).unwrap())
        .collect();
    let pairs: Vec<(&dlt698::Frame, &dlt698::Value)> = parsed.iter().zip(&values).collect();
    vec![
        (
            "decode frame",
            rate(frames, |wire| dlt698::Frame::decode(wire).unwrap()),
        ),
        (
            "decode to values",
            rate(frames, |wire| {
                dlt698::decode_apdu(&dlt698::Frame::decode(wire).unwrap().user_data).unwrap()
            }),
        ),
        (
            "encode frame",
            rate(&parsed, |frame| frame.encode().unwrap()),
        ),
        (
            "encode from values",
            rate(&pairs, |(frame, value)| {
                let user_data = dlt698::encode_apdu(value).unwrap();
                dlt698::Frame::new(frame.control, frame.server.clone(), frame.client, user_data)
                    .encode()
                    .unwrap()
            }),
        ),
        ("decode from a stream", rate(frames, parse)),
    ]
}
