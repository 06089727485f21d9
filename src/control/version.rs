//! Versions of objects: which news is newer.

/// Whether one version of an object is newer than another. Versions are numbers that grow; should one not
/// be, the newcomer wins.
pub fn is_newer(new: Option<&str>, known: Option<&str>) -> bool {
    let number = |version: Option<&str>| version.and_then(|version| version.parse::<u64>().ok());
    match (number(new), number(known)) {
        (Some(new), Some(known)) => new > known,
        _ => true,
    }
}
