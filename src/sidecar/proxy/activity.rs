//! When a session was last used: by requests, by what flows in their bodies, and by messages of websockets.
//!
//! Pings of websockets do not count: browsers answer them by themselves, also in a forgotten tab.

use crate::http_server::observed_stream::StreamObserver;
use jiff::Timestamp;
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

/// The time of the last use. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Activity(Arc<AtomicI64>);

impl Activity {
    /// Used at `now`.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.as_millisecond())))
    }

    /// Used at `now` again. The time never goes back.
    pub(crate) fn touch(&self, now: Timestamp) {
        self.0.fetch_max(now.as_millisecond(), Ordering::Relaxed);
    }

    /// The last use.
    pub(crate) fn last(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::Relaxed)).unwrap_or_default()
    }
}

/// The position in the frames of a websocket, of one direction of a tunnel.
#[derive(Debug, Default)]
struct Frames {
    header: [u8; 10],
    known: usize,
    /// What is left of the frame: mask and payload.
    left: u64,
}

impl Frames {
    const CONTROL: u8 = 0x08;
    const MASKED: u8 = 0x80;

    /// Whether `bytes`, which come next, hold some of a message.
    fn message(&mut self, mut bytes: &[u8]) -> bool {
        let mut message = false;
        while !bytes.is_empty() {
            if self.left == 0 {
                self.header[self.known] = bytes[0];
                self.known += 1;
                bytes = &bytes[1..];
                let Some(left) = self.rest() else { continue };
                self.left = left;
            } else {
                let taken = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                bytes = &bytes[taken..];
                self.left -= taken as u64;
            }
            message |= self.header[0] & Self::CONTROL == 0;
            if self.left == 0 {
                self.known = 0;
            }
        }
        message
    }

    /// The bytes that follow the header; `None` while the header is incomplete.
    fn rest(&self) -> Option<u64> {
        let known = &self.header[..self.known];
        let (&second, extended) = known.get(1..)?.split_first()?;
        let length = match second & !Self::MASKED {
            126 => u64::from(u16::from_be_bytes(extended.try_into().ok()?)),
            127 => u64::from_be_bytes(extended.try_into().ok()?),
            length => u64::from(length),
        };
        Some(length.saturating_add(if second & Self::MASKED == 0 { 0 } else { 4 }))
    }
}

/// Records the use of a tunnel, from the bytes at the client's end.
pub(super) struct TunnelObserver {
    activity: Activity,
    /// From and to the client; none for a protocol that is not known, of which everything counts.
    frames: Option<(Frames, Frames)>,
}

impl TunnelObserver {
    /// Observes a tunnel of websockets, or of another protocol.
    pub(super) fn new(activity: Activity, websocket: bool) -> Self {
        Self { activity, frames: websocket.then(Default::default) }
    }

    fn touch_if(&self, used: bool) {
        if used {
            self.activity.touch(Timestamp::now());
        }
    }
}

impl StreamObserver for TunnelObserver {
    fn received(&mut self, bytes: &[u8]) {
        let used = self.frames.as_mut().is_none_or(|(from, _)| from.message(bytes));
        self.touch_if(used);
    }

    fn sent(&mut self, bytes: &[u8]) {
        let used = self.frames.as_mut().is_none_or(|(_, to)| to.message(bytes));
        self.touch_if(used);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn frame(opcode: u8, masked: bool, length: usize) -> Vec<u8> {
        let mask = if masked { Frames::MASKED } else { 0 };
        let mut bytes = vec![0x80 | opcode];
        match length {
            0..126 => bytes.push(mask | u8::try_from(length).unwrap()),
            126..65536 => {
                bytes.push(mask | 126);
                bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                bytes.push(mask | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(vec![0; if masked { 4 } else { 0 }]);
        // Payload that would be read as the header of a message if the parser lost its place.
        bytes.extend(vec![0x01; length]);
        bytes
    }

    #[rstest]
    fn messages_count_and_pings_do_not(
        #[values(0, 1, 125, 126, 70_000)] length: usize,
        #[values(false, true)] masked: bool,
        #[values(1, 7, 4096, usize::MAX)] chunk: usize,
    ) {
        let mut frames = Frames::default();
        let mut seen = |bytes: Vec<u8>| {
            let mut any = false;
            for part in bytes.chunks(chunk.min(bytes.len())) {
                any |= frames.message(part);
            }
            any
        };
        assert!(seen(frame(2, masked, length)));
        assert!(!seen(frame(9, masked, length.min(125))), "a ping");
        assert!(!seen(frame(10, masked, length.min(125))), "a pong");
        assert!(seen(frame(0, masked, length)), "a continuation");
    }

    #[test]
    fn a_ping_and_a_message_in_one_piece_count() {
        let mut frames = Frames::default();
        assert!(frames.message(&[frame(9, true, 4), frame(1, true, 4)].concat()));
        assert!(!frames.message(&frame(9, true, 4)));
    }

    #[test]
    fn the_moment_never_goes_back() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let activity = Activity::new(at("2026-01-01T00:00:10Z"));
        activity.touch(at("2026-01-01T00:00:05Z"));
        assert_eq!(activity.last(), at("2026-01-01T00:00:10Z"));
        activity.touch(at("2026-01-01T00:00:20Z"));
        assert_eq!(activity.last(), at("2026-01-01T00:00:20Z"));
    }
}
