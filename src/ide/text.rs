//! Text of a peer, sanitized for a status or an Event: no control characters, bounded length.

use sojourn_crds::text::is_control;

/// The largest text of a peer, in bytes.
pub(super) const MAX_TEXT: usize = 4096;

/// The text of a peer on one line: control characters between words become a space, others are removed.
pub(super) fn line(text: &str) -> String {
    let fit = text.chars().filter_map(|c| match c {
        '\n' | '\r' | '\t' => Some(' '),
        c if is_control(c) => None,
        c => Some(c),
    });
    // Nothing beyond the bound is looked at; four bytes are the longest character.
    let kept: String = fit.take(MAX_TEXT).collect();
    cut(kept.trim()).to_owned()
}

/// At most [`MAX_TEXT`] bytes of `text`.
pub(super) fn cut(text: &str) -> &str {
    first(text, MAX_TEXT)
}

/// At most `bytes` bytes of `text`, cut at a character boundary.
pub(super) fn first(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_get_through() {
        assert_eq!(line(" a\nb\tc\u{1b}[31m\0\u{85}\u{202e}d "), "a b c[31md");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(line(&"é".repeat(MAX_TEXT)).len(), MAX_TEXT);
        assert_eq!(cut(&format!("a{}", "é".repeat(MAX_TEXT))).len(), MAX_TEXT - 1);
    }
}
