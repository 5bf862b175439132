//! Frames out of a stream of bytes that has anything else in it as well.

use super::frame::{self, PREAMBLE, START};
use super::{Frame, FrameError, MAX_LENGTH};

/// How often the bytes of a broken frame are searched for others that would reach as far.
///
/// Without a limit, headers made on purpose would have every byte checked once per header before it.
const MAX_OVERLAPPING: u32 = 16;

/// What came out of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A frame.
    Frame(Frame),
    /// Bytes that are no frame, without preamble bytes at their end.
    Noise {
        /// The bytes.
        octets: Vec<u8>,
        /// Why they are none.
        reason: FrameError,
    },
}

/// Finds frames in a stream. It holds back at most one unfinished frame.
#[derive(Debug, Clone)]
pub struct Parser {
    buffer: Vec<u8>,
    /// No decision is possible before the buffer is this long.
    needed: usize,
    most: usize,
    /// Bytes still covered by a broken frame, and the frames in them that were tried.
    covered: usize,
    tried: u32,
}

impl Default for Parser {
    fn default() -> Self {
        Self::new(MAX_LENGTH)
    }
}

enum Step {
    Wait(usize),
    Skip(usize, FrameError),
    Take(usize, Frame),
}

/// Collects events, joining noise that has one reason.
#[derive(Default)]
struct Events {
    list: Vec<Event>,
    noise: Vec<u8>,
    reason: Option<FrameError>,
}

impl Events {
    fn skip(&mut self, bytes: &[u8], reason: FrameError) {
        if reason != FrameError::Start {
            self.settle();
        }
        self.noise.extend_from_slice(bytes);
        self.reason.get_or_insert(reason);
    }

    fn settle(&mut self) {
        let mut octets = std::mem::take(&mut self.noise);
        let end = octets.iter().rposition(|byte| *byte != PREAMBLE);
        octets.truncate(end.map_or(0, |last| last + 1));
        if let (false, Some(reason)) = (octets.is_empty(), self.reason.take()) {
            self.list.push(Event::Noise { octets, reason });
        }
        self.reason = None;
    }
}

impl Parser {
    /// A parser that reads frames of a length field L up to `most` bytes.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            buffer: Vec::new(),
            needed: 1,
            most,
            covered: 0,
            tried: 0,
        }
    }

    /// How many bytes are held back for a frame that is not complete.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }

    /// Take bytes as they came, in pieces of any size.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.buffer.extend_from_slice(bytes);
        self.run(false)
    }

    /// Give up the frame that is not complete, for instance after a time-out; frames inside it are still found.
    pub fn flush(&mut self) -> Vec<Event> {
        self.run(true)
    }

    fn run(&mut self, last: bool) -> Vec<Event> {
        let mut events = Events::default();
        if self.buffer.len() < self.needed && !last {
            return events.list;
        }
        let buffer = std::mem::take(&mut self.buffer);
        let mut rest = buffer.as_slice();
        self.needed = 1;
        while !rest.is_empty() {
            let used = match self.step(rest) {
                Step::Wait(needed) if !last => {
                    self.needed = needed;
                    break;
                }
                Step::Wait(_) => {
                    events.skip(rest.get(..1).unwrap_or_default(), FrameError::Truncated);
                    1
                }
                Step::Skip(count, reason) => {
                    events.skip(rest.get(..count).unwrap_or_default(), reason);
                    count
                }
                Step::Take(count, frame) => {
                    events.settle();
                    events.list.push(Event::Frame(frame));
                    count
                }
            };
            self.covered = self.covered.saturating_sub(used);
            rest = rest.get(used..).unwrap_or_default();
        }
        events.settle();
        let used = buffer.len() - rest.len();
        self.buffer = buffer;
        self.buffer.drain(..used);
        events.list
    }

    fn step(&mut self, bytes: &[u8]) -> Step {
        let start = bytes.iter().position(|byte| *byte == START);
        if start != Some(0) {
            return Step::Skip(start.unwrap_or(bytes.len()), FrameError::Start);
        }
        let header = match frame::header(bytes, self.most) {
            Ok(Some(header)) => header,
            Ok(None) => {
                return match self.frame_within(bytes) {
                    Some(start) => Step::Skip(start, FrameError::Truncated),
                    None => Step::Wait(bytes.len() + 1),
                };
            }
            Err(reason) => return Step::Skip(1, reason),
        };
        let Some(whole) = bytes.get(..header.total) else {
            return Step::Wait(header.total);
        };
        if let Err(reason) = frame::check_end(whole) {
            return Step::Skip(1, reason);
        }
        if self.covered == 0 {
            self.tried = 0;
        }
        match frame::body(whole, &header) {
            Ok(frame) => Step::Take(header.total, frame),
            Err(reason) => {
                self.covered = self.covered.max(header.total);
                self.tried += 1;
                if self.tried > MAX_OVERLAPPING {
                    return Step::Skip(header.total, reason);
                }
                Step::Skip(1, reason)
            }
        }
    }

    /// Where a whole frame lies in what would be a header that is not complete.
    ///
    /// Without it, a stray start byte would hold back a short frame behind it until more bytes come.
    fn frame_within(&self, bytes: &[u8]) -> Option<usize> {
        (1..bytes.len()).find(|start| {
            let inner = bytes.get(*start..).unwrap_or_default();
            match frame::header(inner, self.most) {
                Ok(Some(header)) => inner
                    .get(..header.total)
                    .is_some_and(|whole| frame::body(whole, &header).is_ok()),
                _ => false,
            }
        })
    }
}
