//! Durations and quantities: what is read means what it says.

use regex::Regex;
use sojourn_crds::{
    duration,
    quantity::{self, PATTERN, Quantity},
};
use std::sync::LazyLock;

/// A duration that is read is read again from how it is written; a suggestion is one that can be read.
pub(crate) fn duration(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match duration::parse(text) {
        Ok(span) => {
            let written = span.to_string();
            assert_eq!(duration::parse(&written), Ok(span), "{text:?} is written as {written:?}");
            assert_eq!(span.is_negative(), span.as_nanos() < 0);
            let seconds = i128::from(span.seconds_ceil()) * 1_000_000_000;
            assert!((0..1_000_000_000).contains(&(seconds - i128::from(span.as_nanos()))), "{text:?}");
        }
        Err(error) => {
            assert!(!error.reason.is_empty());
            if let Some(suggestion) = error.suggestion {
                assert!(duration::parse(&suggestion).is_ok(), "{text:?}: try {suggestion:?}");
            }
        }
    }
}

static SHAPE: LazyLock<Regex> = LazyLock::new(|| Regex::new(PATTERN).expect("the pattern is one"));

/// A quantity is one only if Kubernetes' pattern says so, and an integer is what it is as a text.
pub(crate) fn quantity(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if quantity::nanos(text).is_some() {
        assert!(SHAPE.is_match(text), "{text:?} is no quantity");
    }
    if let Ok(number) = text.parse::<i64>() {
        let (number, text) = (Quantity::Integer(number), Quantity::Text(text.to_owned()));
        assert_eq!(number.nanos(), text.nanos());
    }
}
