//! The lines of one session that are not written yet: bounded, and callers never wait.
//!
//! Beyond the limit the newest lines are left out, and their number is recorded in their place.

use super::names::Stream;
use jiff::Timestamp;

/// Bytes that wait at most. A longer line waits alone.
pub(super) const MAX_BYTES: usize = 256 << 10;

/// One thing to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) stream: Stream,
    pub(super) at: Timestamp,
    pub(super) text: String,
}

impl Item {
    /// Bytes to count it as.
    fn weight(&self) -> usize {
        self.text.len() + size_of::<Self>()
    }
}

/// What was left out of a stream since something was last put in.
#[derive(Clone, Copy, Debug)]
struct Lost {
    stream: Stream,
    at: Timestamp,
    count: u64,
}

impl Lost {
    fn item(self) -> Item {
        let text = format!("[{} left out: more came than could be written]", self.count);
        Item { stream: self.stream, at: self.at, text }
    }
}

/// The buffered lines of one session.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    items: Vec<Item>,
    bytes: usize,
    lost: Vec<Lost>,
}

impl Buffer {
    /// Puts one in. `room` is what all sessions together may still take. Returns how much of it was taken.
    pub(super) fn push(&mut self, item: Item, room: usize) -> usize {
        let before = self.bytes;
        let weight = item.weight();
        let fits = self.items.is_empty() || self.bytes + weight <= MAX_BYTES;
        if !fits || weight > room {
            self.lose(&item);
            return 0;
        }
        if let Some(index) = self.lost.iter().position(|lost| lost.stream == item.stream) {
            self.put(self.lost[index].item());
            self.lost.swap_remove(index);
        }
        self.put(item);
        self.bytes - before
    }

    fn put(&mut self, item: Item) {
        self.bytes += item.weight();
        self.items.push(item);
    }

    fn lose(&mut self, item: &Item) {
        match self.lost.iter_mut().find(|lost| lost.stream == item.stream) {
            Some(lost) => lost.count += 1,
            None => self.lost.push(Lost { stream: item.stream, at: item.at, count: 1 }),
        }
    }

    /// All that waits, in the order in which it came, and how much of the room it took.
    pub(super) fn take(&mut self) -> (Vec<Item>, usize) {
        let mut items = std::mem::take(&mut self.items);
        items.extend(self.lost.drain(..).map(Lost::item));
        (items, std::mem::take(&mut self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROOM: usize = 16 << 20;

    fn item(stream: Stream, text: &str) -> Item {
        Item { stream, at: Timestamp::UNIX_EPOCH, text: text.to_owned() }
    }

    #[test]
    fn left_out_lines_are_recorded_in_their_place() {
        let mut buffer = Buffer::default();
        let half = "x".repeat(MAX_BYTES / 2);
        buffer.push(item(Stream::Stdout, &half), ROOM);
        for _ in 0..3 {
            assert_eq!(buffer.push(item(Stream::Stdout, &half), ROOM), 0);
        }
        buffer.push(item(Stream::Stderr, "e"), ROOM);
        buffer.push(item(Stream::Stdout, "after"), ROOM);
        buffer.push(item(Stream::Stderr, &half), ROOM);
        let (items, _) = buffer.take();
        let texts: Vec<_> = items.iter().map(|item| item.text.as_str()).collect();
        let lost = |count| format!("[{count} left out: more came than could be written]");
        assert_eq!(texts, [&half, "e", &lost(3), "after", &lost(1)]);
        assert_eq!(items[4].stream, Stream::Stderr);
    }

    #[test]
    fn a_long_line_waits_alone_and_none_when_all_have_no_room() {
        let mut buffer = Buffer::default();
        assert_eq!(buffer.push(item(Stream::System, "no room"), 8), 0);
        assert!(buffer.push(item(Stream::System, &"x".repeat(2 * MAX_BYTES)), ROOM) > 0);
        assert_eq!(buffer.push(item(Stream::System, "y"), ROOM), 0);
        assert_eq!(
            buffer.take().0.len(),
            3,
            "what was left out before, the line, and what was left out after"
        );
    }

    proptest! {
        #[test]
        fn nothing_is_unaccounted_for(pushes in prop::collection::vec((0usize..3, 0usize..100_000), 0..60)) {
            let mut buffer = Buffer::default();
            let (mut taken, mut refused) = (0, 0);
            for (stream, size) in &pushes {
                match buffer.push(item(Stream::ALL[*stream], &"x".repeat(*size)), ROOM) {
                    0 => refused += 1,
                    weight => taken += weight,
                }
                prop_assert!(buffer.bytes <= MAX_BYTES + 1024);
            }
            let (items, weight) = buffer.take();
            prop_assert_eq!(weight, taken);
            let said: u64 = items.iter().filter_map(|item| {
                item.text.strip_prefix('[')?.split(' ').next()?.parse::<u64>().ok()
            }).sum();
            let lines = items.iter().filter(|item| !item.text.starts_with('[')).count();
            prop_assert_eq!(said, refused);
            prop_assert_eq!(lines as u64 + refused, pushes.len() as u64);
            prop_assert_eq!(buffer.take(), (vec![], 0));
        }
    }
}
