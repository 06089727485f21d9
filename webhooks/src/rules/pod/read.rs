//! Fields of JSON that a user wrote. What is absent or of another type reads as empty: the schema of the kind says so.

use serde_json::Value;

/// The text in `field`; empty when there is none, as Go reads it.
pub(crate) fn text<'a>(of: &'a Value, field: &str) -> &'a str {
    of[field].as_str().unwrap_or_default()
}

/// The value of `field`, unless it is absent.
pub(crate) fn present<'a>(of: &'a Value, field: &str) -> Option<&'a Value> {
    of.get(field).filter(|value| !value.is_null())
}

/// The text in `field`, when there is one.
pub(crate) fn text_if_set<'a>(of: &'a Value, field: &str) -> Option<&'a str> {
    of[field].as_str()
}

/// The items of the list in `field`.
pub(crate) fn list<'a>(of: &'a Value, field: &str) -> &'a [Value] {
    of[field].as_array().map_or(&[], Vec::as_slice)
}

/// The texts of the list in `field`, with their positions.
pub(crate) fn texts<'a>(of: &'a Value, field: &str) -> impl Iterator<Item = (usize, &'a str)> {
    list(of, field).iter().enumerate().filter_map(|(index, item)| Some((index, item.as_str()?)))
}

/// The entries of the map of texts in `field`.
pub(crate) fn entries<'a>(of: &'a Value, field: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let entries = of[field].as_object().into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

/// The integer in `field`.
pub(crate) fn integer(of: &Value, field: &str) -> Option<i64> {
    of[field].as_i64()
}

/// Whether `field` is true.
pub(crate) fn is_true(of: &Value, field: &str) -> bool {
    of[field] == true
}

/// Whether `field` is there. Null counts as absent.
pub(crate) fn is_set(of: &Value, field: &str) -> bool {
    !of[field].is_null()
}
