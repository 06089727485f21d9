//! Versions of objects: which news is newer.

/// Whether one version of an object is newer than another. `None` is a version that is not a number, which no API
/// server sends; then the newcomer wins.
pub fn is_newer(new: Option<u64>, known: Option<u64>) -> bool {
    match (new, known) {
        (Some(new), Some(known)) => new > known,
        _ => true,
    }
}

/// The version of an object as a number.
pub fn number(version: Option<&str>) -> Option<u64> {
    version.and_then(|version| version.parse().ok())
}
