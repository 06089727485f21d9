//! Text of others, as it is shown: what pods, nodes, IDEs and users wrote must not change how a terminal or a page shows
//! the text around it.
//!
//! Characters that could are written as Rust escapes, `\u{1b}` for example: nothing is lost, and everybody sees that
//! something is there.

use std::borrow::Cow;

/// Whether a character does something instead of being shown: it controls a terminal, turns the direction of text, ends
/// a line, or hides in tags and annotations.
pub fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// `text` on one line.
pub fn on_one_line(text: &str) -> Cow<'_, str> {
    escaped(text, is_control)
}

/// `text` on as many lines as it has, tabs included.
pub fn on_its_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| is_control(c) && !matches!(c, '\n' | '\t'))
}

fn escaped(text: &str, is_harmful: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_harmful(c) {
            true => escaped.extend(c.escape_default()),
            false => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_act_is_shown_instead() {
        for (text, shown) in [
            ("\u{1b}[2J\u{1b}]0;title\u{7}", "\\u{1b}[2J\\u{1b}]0;title\\u{7}"),
            ("\u{9b}31m red", "\\u{9b}31m red"),
            ("user\u{202e}txt.exe\u{2066}", "user\\u{202e}txt.exe\\u{2066}"),
            ("a\u{2028}b\u{e0041}", "a\\u{2028}b\\u{e0041}"),
            ("over\rwritten\u{8}\u{7f}", "over\\rwritten\\u{8}\\u{7f}"),
        ] {
            assert_eq!(on_one_line(text), shown);
            assert_eq!(on_its_lines(text), shown);
        }
        assert_eq!(on_one_line("one\ntwo\tx"), "one\\ntwo\\tx");
        assert_eq!(on_its_lines("one\ntwo\tx"), "one\ntwo\tx");
    }

    #[test]
    fn what_is_shown_anyway_stays() {
        for text in ["", "plain", "\"quoted\" \\ back", "äöü 日本語 שלום العربية", "👩‍💻 é"]
        {
            assert!(matches!(on_one_line(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }
}
