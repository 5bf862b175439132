//! Finds frames in a stream that comes in pieces and has noise in it.
//!
//! What is found depends on the bytes alone, never on the pieces they come in. A byte that could begin a frame is
//! tried; when the rest does not fit, the search goes on at the byte behind it, so that no frame hides in noise. Each
//! trial looks at no more than one frame's length: garbage costs time in proportion to its length.

use super::Frame;
use super::frame::{END, HEADER, PREAMBLE, START, TAIL, checksum};

/// The most data bytes accepted by default: a reply to a read has at most 200 (known from one source).
pub const DEFAULT_LIMIT: u8 = 200;
/// The most preamble bytes that count as a frame's; meters send up to four.
pub const MAX_PREAMBLE: usize = 32;

/// Why bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// No frame begins in them.
    Garbage,
    /// All of a frame is there, but for its checksum.
    Checksum {
        /// The sum of the bytes.
        expected: u8,
        /// The frame's checksum byte.
        found: u8,
    },
    /// A frame began and was given up by [`Parser::flush`].
    Truncated,
}

/// What was found in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A frame.
    Frame {
        /// What it says.
        frame: Frame,
        /// How many preamble bytes came before it.
        preamble: usize,
    },
    /// Bytes that are no frame. No byte is told twice as noise; a frame that begins inside one with a bad checksum
    /// or inside one given up is found nevertheless.
    Noise {
        /// As they came.
        bytes: Vec<u8>,
        /// Why.
        cause: Cause,
    },
}

/// Keeps at most a frame and its preamble between two calls.
#[derive(Debug, Clone)]
pub struct Parser {
    buffer: Vec<u8>,
    /// How many bytes at the front of the buffer have been told as noise already.
    told: usize,
    limit: u8,
}

impl Default for Parser {
    fn default() -> Self {
        Self::new(DEFAULT_LIMIT)
    }
}

/// What begins at a start byte.
enum Trial {
    Frame(Frame, usize),
    Incomplete,
    Checksum {
        length: usize,
        expected: u8,
        found: u8,
    },
    Nothing,
}

impl Parser {
    /// A parser that takes frames of at most `limit` data bytes.
    #[must_use]
    pub fn new(limit: u8) -> Self {
        Self {
            buffer: Vec::new(),
            told: 0,
            limit,
        }
    }

    /// How many bytes wait for more.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }

    /// Take bytes as they come and tell what is complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.buffer.extend_from_slice(bytes);
        self.scan(false)
    }

    /// Give up what waits for more bytes, as after a time-out, and tell it.
    pub fn flush(&mut self) -> Vec<Event> {
        self.scan(true)
    }

    fn scan(&mut self, last: bool) -> Vec<Event> {
        let mut scan = Scan {
            data: &self.buffer,
            told: self.told,
            events: Vec::new(),
        };
        let position = scan.run(self.limit, last);
        let Scan { told, events, .. } = scan;
        self.told = told.saturating_sub(position);
        self.buffer.drain(..position);
        events
    }
}

struct Scan<'a> {
    data: &'a [u8],
    /// Bytes before this one have been told, as noise or as a frame.
    told: usize,
    events: Vec<Event>,
}

impl Scan<'_> {
    /// The position from which on bytes have to wait.
    fn run(&mut self, limit: u8, last: bool) -> usize {
        let mut position = 0;
        while let Some(rest) = self.data.get(position..).filter(|rest| !rest.is_empty()) {
            let preamble = rest.iter().take_while(|byte| **byte == PREAMBLE).count();
            let kept = preamble.min(MAX_PREAMBLE);
            let start = position + preamble;
            match self.attempt(start, limit) {
                Trial::Frame(frame, length) => {
                    self.garbage(start - kept);
                    self.events.push(Event::Frame {
                        frame,
                        preamble: kept,
                    });
                    position = start + length;
                    self.told = self.told.max(position);
                }
                Trial::Incomplete if !last => {
                    position = start - kept;
                    break;
                }
                Trial::Incomplete if start < self.data.len() => {
                    self.garbage(start);
                    self.noise(self.data.len(), Cause::Truncated);
                    position = start + 1;
                }
                Trial::Checksum {
                    length,
                    expected,
                    found,
                } => {
                    let end = start + length;
                    self.garbage(start);
                    self.noise(end, Cause::Checksum { expected, found });
                    position = start + 1;
                }
                Trial::Incomplete | Trial::Nothing => position = start + 1,
            }
        }
        let position = position.min(self.data.len());
        self.garbage(position);
        position
    }

    fn attempt(&self, start: usize, limit: u8) -> Trial {
        let Some(candidate) = self.data.get(start..).filter(|rest| !rest.is_empty()) else {
            return Trial::Incomplete;
        };
        if candidate.first() != Some(&START) {
            return Trial::Nothing;
        }
        if candidate.get(7).is_some_and(|byte| *byte != START) {
            return Trial::Nothing;
        }
        let Some((header, body)) = candidate.split_first_chunk::<HEADER>() else {
            return Trial::Incomplete;
        };
        let [.., length] = *header;
        if length > limit {
            return Trial::Nothing;
        }
        let length = usize::from(length);
        let Some((data, [found, end])) = body
            .split_at_checked(length)
            .and_then(|(data, tail)| Some((data, tail.first_chunk::<TAIL>()?)))
        else {
            return Trial::Incomplete;
        };
        if *end != END {
            return Trial::Nothing;
        }
        let expected = checksum(header).wrapping_add(checksum(data));
        let length = HEADER + length + TAIL;
        if *found == expected {
            return Trial::Frame(Frame::from_checked(*header, data), length);
        }
        Trial::Checksum {
            length,
            expected,
            found: *found,
        }
    }

    fn garbage(&mut self, end: usize) {
        self.noise(end, Cause::Garbage);
    }

    /// Tell bytes up to `end` that have not been told.
    fn noise(&mut self, end: usize, cause: Cause) {
        if let Some(bytes) = self
            .data
            .get(self.told..end)
            .filter(|bytes| !bytes.is_empty())
        {
            self.events.push(Event::Noise {
                bytes: bytes.to_vec(),
                cause,
            });
            self.told = end;
        }
    }
}
