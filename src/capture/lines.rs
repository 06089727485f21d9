//! How lines stand in a file: each with its number and its moment before it, up to a quota.

use jiff::Timestamp;

/// Bytes of a file at most, but for the line that says that it is full.
pub(crate) const QUOTA: u64 = 16 << 20;
/// What the last line of a full file says.
pub(crate) const FULL: &str = "[the output goes on, but no more of it is kept]";

/// How far a file has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// Lines in it.
    pub lines: u64,
    /// Bytes in it.
    pub bytes: u64,
    /// Nothing more goes into it.
    pub full: bool,
}

impl Written {
    /// Puts what a process wrote at `at` into `out`, which comes after what has been written already. One newline at
    /// its end is that of its last line.
    pub(crate) fn add(&mut self, text: &str, at: Timestamp, out: &mut Vec<u8>) {
        let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
        for line in text.split('\n') {
            if self.full {
                return;
            }
            let numbered = self.numbered(line, at);
            let fits = self.bytes + numbered.len() as u64 <= QUOTA;
            let numbered = if fits { numbered } else { self.numbered(FULL, at) };
            self.full = !fits;
            self.lines += 1;
            self.bytes += numbered.len() as u64;
            out.extend_from_slice(numbered.as_bytes());
        }
    }

    fn numbered(&self, line: &str, at: Timestamp) -> String {
        format!("{} {} {line}\n", self.lines + 1, at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))
    }

    /// How far a file with these bytes has come, and what to put into it first: a line that was cut off is ended.
    pub(crate) fn found(bytes: &[u8]) -> (Self, &'static [u8]) {
        let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        let last = lines.last().copied().unwrap_or_default();
        let repair: &[u8] = if last.is_empty() || last.ends_with(b"\n") { b"" } else { b"\n" };
        let says_full = last.strip_suffix(b"\n").is_some_and(|last| last.ends_with(FULL.as_bytes()));
        let size = (bytes.len() + repair.len()) as u64;
        // A process may say the same; it hardly does so as the last line of a file that is almost full.
        let full = size >= QUOTA || (says_full && size > QUOTA / 2);
        (Self { lines: lines.len() as u64, bytes: size, full }, repair)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at() -> Timestamp {
        "2026-05-27T17:03:48.123456Z".parse().unwrap()
    }

    fn written(texts: &[&str]) -> String {
        let (mut written, mut out) = (Written::default(), Vec::new());
        texts.iter().for_each(|text| written.add(text, at(), &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_have_a_number_and_a_moment() {
        let text = written(&["hello", "", "two\nthree", "four\n", "five\r\n", "six\n\n"]);
        let moment = "2026-05-27T17:03:48.123Z";
        let lines = ["hello", "", "two", "three", "four", "five", "six", ""];
        let expected: String =
            lines.iter().zip(1..).map(|(line, number)| format!("{number} {moment} {line}\n")).collect();
        assert_eq!(text, expected);
    }

    #[test]
    fn a_full_file_says_so_once_and_keeps_its_head() {
        let (mut written, mut out) = (Written::default(), Vec::new());
        let long = "x".repeat(1 << 20);
        for _ in 0..40 {
            written.add(&long, at(), &mut out);
        }
        written.add("late", at(), &mut out);
        assert!(written.full);
        let text = String::from_utf8(out).unwrap();
        let last = text.lines().next_back().unwrap();
        assert!(last.ends_with(FULL) && last.starts_with("16 "), "{last}");
        assert_eq!(text.matches(FULL).count(), 1);
        assert!(text.len() as u64 <= QUOTA + last.len() as u64 + 1);
        let (found, repair) = Written::found(text.as_bytes());
        assert_eq!((found, repair), (written, &b""[..]));
    }

    proptest! {
        /// A process that ends between two writes goes on as one that did not; a line that it cut off stays cut off.
        #[test]
        fn a_file_is_found_as_it_was_left(texts in prop::collection::vec(".{0,20}", 0..20), cut in 0usize..40) {
            let (mut written, mut out) = (Written::default(), Vec::new());
            texts.iter().for_each(|text| written.add(text, at(), &mut out));
            prop_assert_eq!(Written::found(&out), (written, &b""[..]));
            out.truncate(out.len().saturating_sub(cut));
            let (mut found, repair) = Written::found(&out);
            out.extend_from_slice(repair);
            prop_assert_eq!(found.bytes, out.len() as u64);
            found.add("next", at(), &mut out);
            let text = String::from_utf8_lossy(&out);
            let number = format!("{} ", text.lines().count());
            prop_assert!(text.lines().next_back().unwrap().starts_with(&number));
        }
    }
}
