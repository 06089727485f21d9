//! The requested lines of a file, with the requested prefixes.
//!
//! Bytes arrive in chunks of any size and are passed on at once. Of a line, only the prefix is buffered.

use super::query::Query;

/// The largest prefix: number and timestamp with a space after each. A line without two spaces by then is not the
/// operator's and is passed on unchanged.
const MAX_HEAD: usize = 48;

/// The position of the next byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the prefix of a line.
    Head,
    /// In the text of a line.
    Text,
    /// In a line that is skipped.
    LeftOut,
}

/// A filter of the lines of one file.
#[derive(Debug)]
pub(super) struct LineFilter {
    /// Lines to skip.
    skip: u64,
    /// Lines to pass on; `None` for all.
    left: Option<u64>,
    numbers: bool,
    moments: bool,
    head: Vec<u8>,
    place: Place,
}

impl LineFilter {
    /// The filter of `query` for a file of `lines` lines.
    pub(super) fn new(query: &Query, lines: u64) -> Self {
        let skip = query.tail.map_or(query.skip, |tail| lines.saturating_sub(tail));
        let mut cut = Self {
            skip,
            left: query.limit,
            numbers: query.line_numbers,
            moments: query.timestamps,
            head: Vec::with_capacity(MAX_HEAD),
            place: Place::Head,
        };
        cut.begin_line();
        cut
    }

    /// Whether no further bytes are passed on.
    pub(super) fn is_over(&self) -> bool {
        self.left == Some(0)
    }

    /// Appends the requested part of `bytes` to `out`.
    pub(super) fn feed(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while !bytes.is_empty() && !self.is_over() {
            let used = match self.place {
                Place::Head => self.feed_head(bytes, out),
                Place::Text | Place::LeftOut => self.feed_text(bytes, out),
            };
            bytes = &bytes[used..];
        }
    }

    /// Appends what is buffered, at the end of the file.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.head);
    }

    fn feed_text(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        let end = bytes.iter().position(|byte| *byte == b'\n').map(|index| index + 1);
        let used = end.unwrap_or(bytes.len());
        if self.place == Place::Text {
            out.extend_from_slice(&bytes[..used]);
        }
        if end.is_some() {
            self.end_line();
        }
        used
    }

    fn feed_head(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        for (used, byte) in bytes.iter().enumerate() {
            self.head.push(*byte);
            let blanks = self.head.iter().filter(|byte| **byte == b' ').count();
            if blanks == 2 {
                self.let_head_out(out);
                self.place = Place::Text;
            } else if *byte == b'\n' {
                out.append(&mut self.head);
                self.end_line();
            } else if self.head.len() >= MAX_HEAD {
                out.append(&mut self.head);
                self.place = Place::Text;
            } else {
                continue;
            }
            return used + 1;
        }
        bytes.len()
    }

    fn let_head_out(&mut self, out: &mut Vec<u8>) {
        let mut parts = self.head.split_inclusive(|byte| *byte == b' ');
        let (number, moment) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if self.numbers {
            out.extend_from_slice(number);
        }
        if self.moments {
            out.extend_from_slice(moment);
        }
        self.head.clear();
    }

    fn end_line(&mut self) {
        match self.place {
            Place::LeftOut => self.skip = self.skip.saturating_sub(1),
            Place::Head | Place::Text => self.left = self.left.map(|left| left.saturating_sub(1)),
        }
        self.begin_line();
    }

    fn begin_line(&mut self) {
        self.place = if self.skip > 0 { Place::LeftOut } else { Place::Head };
    }
}

#[cfg(test)]
mod tests {
    use super::super::query::Source;
    use super::*;
    use crate::capture::{Stream, lines::Written};
    use proptest::prelude::*;

    /// The requested lines, computed simply.
    fn reference(file: &str, query: &Query) -> String {
        let lines: Vec<&str> = file.lines().collect();
        let first = match query.tail {
            Some(tail) => lines.len().saturating_sub(usize::try_from(tail).unwrap()),
            None => usize::try_from(query.skip).unwrap(),
        };
        let limit = query.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap());
        let mut out = String::new();
        for line in lines.into_iter().skip(first).take(limit) {
            let [number, moment, text] = line.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
            for (wanted, part) in [(query.line_numbers, number), (query.timestamps, moment)] {
                if wanted {
                    out += part;
                    out.push(' ');
                }
            }
            out += text;
            out.push('\n');
        }
        out
    }

    fn cut(pieces: &[&[u8]], query: &Query, lines: u64) -> String {
        let (mut cut, mut out) = (LineFilter::new(query, lines), Vec::new());
        pieces.iter().for_each(|piece| cut.feed(piece, &mut out));
        cut.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    prop_compose! {
        fn queries()(
            timestamps: bool, line_numbers: bool, limit in prop::option::of(1u64..12),
            part in prop_oneof![(1u64..12).prop_map(|tail| (Some(tail), 0)), (0u64..12).prop_map(|skip| (None, skip))],
        ) -> Query {
            let source = Source::File(Stream::Stdout);
            Query { source, follow: false, timestamps, line_numbers, limit, tail: part.0, skip: part.1 }
        }
    }

    proptest! {
        #[test]
        fn the_filter_does_not_depend_on_chunks(
            texts in prop::collection::vec("[ a-z\u{e9}]{0,12}", 0..10), query in queries(),
            size in 1usize..40,
        ) {
            let (mut written, mut file) = (Written::default(), Vec::new());
            texts.iter().for_each(|text| written.add(text, jiff::Timestamp::UNIX_EPOCH, &mut file));
            let pieces: Vec<&[u8]> = file.chunks(size).collect();
            let expected = reference(std::str::from_utf8(&file).unwrap(), &query);
            prop_assert_eq!(cut(&pieces, &query, written.lines), expected);
        }
    }

    /// The query without parameters.
    fn all() -> Query {
        Query::read("").unwrap()
    }

    #[test]
    fn lines_of_others_and_a_line_that_was_cut_off_come_out_as_they_are() {
        let long = "y".repeat(2 * MAX_HEAD);
        let file = format!("short\n\n{long} with blanks\n1 now text\n2 no");
        assert_eq!(cut(&[file.as_bytes()], &all(), 5), format!("short\n\n{long} with blanks\ntext\n2 no"));
    }

    #[test]
    fn a_filter_at_its_limit_is_done() {
        let mut cut = LineFilter::new(&Query { limit: Some(1), ..all() }, 0);
        let mut out = Vec::new();
        cut.feed(b"1 now a", &mut out);
        assert!(!cut.is_over());
        cut.feed(b"b\n2 now c\n", &mut out);
        assert!(cut.is_over());
        assert_eq!(out, b"ab\n");
    }
}
