//! Error bodies of an IDE as text: `code: message`, each detail on its own line, indented by two spaces.

use super::text::{cut, line};
use serde::Deserialize;

/// An error as an IDE describes it. Fields of another type count as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    /// Error code.
    pub code: Option<String>,
    /// Message.
    pub message: Option<String>,
    /// Nested errors.
    pub details: Option<Vec<Problem>>,
}

#[derive(Deserialize)]
struct Body {
    error: Problem,
}

/// The text of the body of an unsuccessful response; the body itself if it is not an error body, or an empty one.
pub(crate) fn of_body(body: &[u8]) -> String {
    let said = serde_json::from_slice::<Body>(body).map(|body| body.error.to_text()).unwrap_or_default();
    if said.is_empty() { line(&String::from_utf8_lossy(body)) } else { said }
}

impl Problem {
    /// The error as text, without control characters and of a bounded length.
    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        self.write(0, &mut text);
        cut(&text).to_owned()
    }

    fn write(&self, depth: usize, text: &mut String) {
        if text.len() > super::text::MAX_TEXT {
            return;
        }
        let part = |part: &Option<String>| part.as_deref().map(line).filter(|part| !part.is_empty());
        let said = match (part(&self.code), part(&self.message)) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (code, message) => code.or(message).unwrap_or_default(),
        };
        if !said.is_empty() {
            if !text.is_empty() {
                text.push('\n');
            }
            text.extend(std::iter::repeat_n("  ", depth));
            text.push_str(&said);
        }
        for detail in self.details.iter().flatten() {
            detail.write(depth + 1, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("{\"error\":{}}", "{\"error\":{}}")]
    #[case(
        r#"{"error":{"code":"BadStuff","message":"Bad stuff explanation"}}"#,
        "BadStuff: Bad stuff explanation"
    )]
    #[case(r#"{"error":{"code":"BadStuff"}}"#, "BadStuff")]
    #[case(r#"{"error":{"message":"Why"}}"#, "Why")]
    #[case(
        r#"{"error":{"code":"A","message":"a","details":[{"code":"B","message":"b","details":[{"message":"c"}]},{"code":"D"}]}}"#,
        "A: a\n  B: b\n    c\n  D"
    )]
    #[case("no JSON\u{7}", "no JSON")]
    #[case(r#"{"error":7}"#, r#"{"error":7}"#)]
    #[case("", "")]
    fn reads_as_text(#[case] body: &str, #[case] text: &str) {
        assert_eq!(of_body(body.as_bytes()), text);
    }

    #[test]
    fn an_empty_error_says_nothing() {
        assert_eq!(Problem::default().to_text(), "");
    }

    #[test]
    fn a_long_error_is_cut() {
        let detail = Problem { message: Some("x".repeat(100)), ..Problem::default() };
        let problem = Problem { details: Some(vec![detail; 1000]), ..Problem::default() };
        assert_eq!(problem.to_text().len(), super::super::text::MAX_TEXT);
        assert_eq!(of_body("y".repeat(1 << 20).as_bytes()).len(), super::super::text::MAX_TEXT);
    }
}
