//! An APDU out of the fragments it came in.

use super::{Fragment, FragmentError, FragmentKind, Frame};

/// What a fragment brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A piece was taken; confirm it and wait for the next.
    More,
    /// The piece taken last came again, its confirmation was lost: confirm it again.
    Repeated,
    /// The other side confirmed the fragment of this number.
    Confirmed(u16),
    /// The message is complete: the frame as if it had come in one.
    Complete(Frame),
}

/// The message that is being collected.
#[derive(Debug, Clone)]
struct Message {
    frame: Frame,
    number: u16,
    last: Vec<u8>,
    complete: bool,
}

/// Collects the fragments of one message at a time, up to a size.
#[derive(Debug, Clone)]
pub struct Reassembler {
    most: usize,
    message: Option<Message>,
}

impl Reassembler {
    /// A reassembler for messages of up to `most` bytes.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            most,
            message: None,
        }
    }

    /// How many bytes of a message that is not complete are kept.
    #[must_use]
    pub fn pending(&self) -> usize {
        match &self.message {
            Some(message) if !message.complete => message.frame.user_data.len(),
            _ => 0,
        }
    }

    /// Forget the message that is being collected.
    pub fn reset(&mut self) {
        self.message = None;
    }

    /// Take a fragment. A first piece begins a new message, whatever was there.
    ///
    /// # Errors
    /// A frame that is no fragment, a piece out of order or of another conversation, a message that is too large.
    pub fn feed(&mut self, frame: &Frame) -> Result<Progress, FragmentError> {
        let fragment = Fragment::of(frame)?;
        let ours = self.message.as_ref().filter(|message| {
            message.frame.server == frame.server
                && message.frame.client == frame.client
                && message.frame.control
                    == frame.control.with_fragment(false).with_scrambling(false)
        });
        let repeated = ours.is_some_and(|message| {
            message.number == fragment.number && message.last == frame.user_data
        });
        match fragment.kind {
            FragmentKind::Confirm => Ok(Progress::Confirmed(fragment.number)),
            _ if repeated => Ok(Progress::Repeated),
            FragmentKind::First => self.begin(frame, &fragment),
            FragmentKind::Middle | FragmentKind::Last => {
                if ours.is_none_or(|message| message.complete) {
                    return Err(FragmentError::NotBegun(fragment.number));
                }
                self.go_on(frame, &fragment)
            }
        }
    }

    fn begin(&mut self, frame: &Frame, part: &Fragment<'_>) -> Result<Progress, FragmentError> {
        self.message = None;
        self.bounded(part.piece.len())?;
        self.message = Some(Message {
            frame: Frame {
                control: frame.control.with_fragment(false).with_scrambling(false),
                server: frame.server.clone(),
                client: frame.client,
                user_data: part.piece.to_vec(),
                kilobytes: false,
            },
            number: part.number,
            last: frame.user_data.clone(),
            complete: false,
        });
        Ok(Progress::More)
    }

    fn go_on(&mut self, frame: &Frame, part: &Fragment<'_>) -> Result<Progress, FragmentError> {
        let Some(message) = self.message.as_mut() else {
            return Err(FragmentError::NotBegun(part.number));
        };
        let expected = (message.number + 1) & 0x0fff;
        if part.number != expected {
            return Err(FragmentError::Sequence {
                expected,
                found: part.number,
            });
        }
        let length = message.frame.user_data.len() + part.piece.len();
        if length > self.most {
            self.message = None;
            return self.bounded(length).map(|()| Progress::More);
        }
        message.number = part.number;
        message.last.clone_from(&frame.user_data);
        message.frame.user_data.extend_from_slice(part.piece);
        if part.kind == FragmentKind::Middle {
            return Ok(Progress::More);
        }
        message.complete = true;
        let user_data = std::mem::take(&mut message.frame.user_data);
        Ok(Progress::Complete(Frame {
            user_data,
            ..message.frame.clone()
        }))
    }

    fn bounded(&self, found: usize) -> Result<(), FragmentError> {
        if found > self.most {
            return Err(FragmentError::TooLarge {
                most: self.most,
                found,
            });
        }
        Ok(())
    }
}
