//! The parameters of a request for a log, parsed as the original parses them.

use crate::capture::Stream;
use std::fmt::Display;
use url::form_urlencoded;

/// The largest `tail`.
const MAX_TAIL: i64 = 1_000_000;
/// Values of `source`, in the order in which the original lists them.
const SOURCES: [(&str, Source); 5] = [
    ("stdout", Source::File(Stream::Stdout)),
    ("stderr", Source::File(Stream::Stderr)),
    ("startup_stdout", Source::Empty),
    ("startup_stderr", Source::Empty),
    ("system", Source::File(Stream::System)),
];

/// The source of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A captured stream.
    File(Stream),
    /// A source that only other kinds have: it is always empty.
    Empty,
}

/// The parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) source: Source,
    /// Continue with output that is written later.
    pub(super) follow: bool,
    /// Prefix lines with their timestamps.
    pub(super) timestamps: bool,
    /// Prefix lines with their numbers.
    pub(super) line_numbers: bool,
    /// The largest number of lines.
    pub(super) limit: Option<u64>,
    /// Only so many lines from the end.
    pub(super) tail: Option<u64>,
    /// Lines to skip at the start.
    pub(super) skip: u64,
}

/// The query has invalid parameters: one message for each.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub(super) struct ReadQueryError(pub(super) Vec<String>);

impl Query {
    /// Parses a query string. Unknown parameters are ignored; of a repeated one the first counts.
    pub(super) fn read(text: &str) -> Result<Self, ReadQueryError> {
        let find = |name: &str| form_urlencoded::parse(text.as_bytes()).find(|(key, _)| key == name);
        let value = |name| find(name).map(|(_, value)| value.into_owned());
        let switch = |name| value(name).is_some_and(|value| is_on(&value));
        let mut problems = Vec::new();
        let source = value("source").unwrap_or_default();
        let limit = number(value("limit"), "log response size limit", &mut problems);
        let tail = number(value("tail"), "log tail value", &mut problems);
        let skip = number(value("skip"), "log skip value", &mut problems);
        let follow = switch("follow");
        problems.extend(wrong_source(&source));
        problems.extend(wrong_limit(limit, follow));
        problems.extend(wrong_tail(tail, skip));
        if let Some(skip) = skip.filter(|skip| *skip < 0) {
            problems.push(format!("invalid log skip value '{skip}' (must be greater than or equal to 0)"));
        }
        if !problems.is_empty() {
            return Err(ReadQueryError(problems));
        }
        Ok(Self {
            source: source_of(&source).unwrap_or(SOURCES[0].1),
            follow,
            timestamps: switch("timestamps"),
            line_numbers: switch("line_numbers"),
            limit: limit.map(i64::unsigned_abs),
            tail: tail.map(i64::unsigned_abs),
            skip: skip.unwrap_or_default().unsigned_abs(),
        })
    }
}

fn source_of(name: &str) -> Option<Source> {
    SOURCES.iter().find(|(known, _)| *known == name).map(|(_, source)| *source)
}

/// A boolean as API servers parse it: any value but `false` and `0` is true.
fn is_on(value: &str) -> bool {
    !value.eq_ignore_ascii_case("false") && value != "0"
}

fn number(value: Option<String>, what: impl Display, problems: &mut Vec<String>) -> Option<i64> {
    let value = value?;
    let number = value.parse().ok();
    if number.is_none() {
        problems.push(format!("invalid {what} '{value}' (must be a whole number)"));
    }
    number
}

fn wrong_source(source: &str) -> Option<String> {
    if source.is_empty() || source_of(source).is_some() {
        return None;
    }
    let known = SOURCES.map(|(name, _)| format!("'{name}'"));
    let (last, others) = known.split_last()?;
    let others = others.join(", ");
    Some(format!("invalid log source '{source}'. Supported log sources are {others}, and {last}"))
}

fn wrong_limit(limit: Option<i64>, follow: bool) -> Option<String> {
    match limit? {
        limit if limit <= 0 => {
            Some(format!("invalid log response size limit '{limit}' (must be greater than 0)"))
        }
        _ => follow.then(|| "log response size cannot be limited in follow mode".to_owned()),
    }
}

fn wrong_tail(tail: Option<i64>, skip: Option<i64>) -> Option<String> {
    match tail? {
        tail if tail <= 0 => Some(format!("invalid log tail value '{tail}' (must be greater than 0)")),
        tail if tail > MAX_TAIL => {
            Some(format!("invalid log tail value '{tail}' (must be less than or equal to {MAX_TAIL})"))
        }
        _ => {
            skip.is_some_and(|skip| skip > 0).then(|| "cannot use both 'tail' and 'skip' options".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const NOTHING: Query = Query {
        source: Source::File(Stream::Stdout),
        follow: false,
        timestamps: false,
        line_numbers: false,
        limit: None,
        tail: None,
        skip: 0,
    };

    #[rstest]
    #[case("", NOTHING)]
    #[case("pretty=1&source=", NOTHING)]
    #[case("source=stderr&follow", Query { source: Source::File(Stream::Stderr), follow: true, ..NOTHING })]
    #[case("source=system&follow=", Query { source: Source::File(Stream::System), follow: true, ..NOTHING })]
    #[case("source=startup_stderr&follow=0", Query { source: Source::Empty, ..NOTHING })]
    #[case("timestamps=True&line_numbers=x", Query { timestamps: true, line_numbers: true, ..NOTHING })]
    #[case("timestamps=False&line_numbers=false", NOTHING)]
    #[case("limit=3&skip=2", Query { limit: Some(3), skip: 2, ..NOTHING })]
    #[case("tail=1000000&skip=0&limit=1", Query { tail: Some(1_000_000), limit: Some(1), ..NOTHING })]
    #[case("tail=1&tail=2&s%6Furce=stdout", Query { tail: Some(1), ..NOTHING })]
    fn reads(#[case] text: &str, #[case] query: Query) {
        assert_eq!(Query::read(text), Ok(query));
    }

    #[rstest]
    #[case(
        "source=x",
        "invalid log source 'x'. Supported log sources are 'stdout', 'stderr', 'startup_stdout', \
                        'startup_stderr', and 'system'"
    )]
    #[case("limit=0", "invalid log response size limit '0' (must be greater than 0)")]
    #[case("limit=-4&follow=1", "invalid log response size limit '-4' (must be greater than 0)")]
    #[case("limit=1&follow=1", "log response size cannot be limited in follow mode")]
    #[case("tail=0", "invalid log tail value '0' (must be greater than 0)")]
    #[case("tail=1000001&skip=1", "invalid log tail value '1000001' (must be less than or equal to 1000000)")]
    #[case("tail=1&skip=1", "cannot use both 'tail' and 'skip' options")]
    #[case("skip=-1", "invalid log skip value '-1' (must be greater than or equal to 0)")]
    #[case("tail=", "invalid log tail value '' (must be a whole number)")]
    #[case(
        "skip=99999999999999999999",
        "invalid log skip value '99999999999999999999' (must be a whole number)"
    )]
    #[case(
        "skip=-1&tail=0&limit=x&source=y",
        "invalid log response size limit 'x' (must be a whole number)\n\
        invalid log source 'y'. Supported log sources are 'stdout', 'stderr', 'startup_stdout', 'startup_stderr', \
        and 'system'\n\
        invalid log tail value '0' (must be greater than 0)\n\
        invalid log skip value '-1' (must be greater than or equal to 0)"
    )]
    fn says_all_that_is_wrong(#[case] text: &str, #[case] problems: &str) {
        assert_eq!(Query::read(text).unwrap_err().to_string(), problems);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            if let Ok(query) = Query::read(&text) {
                prop_assert!(query.limit != Some(0) && query.tail != Some(0));
                prop_assert!(query.tail.is_none() || query.skip == 0);
            }
        }
    }
}
