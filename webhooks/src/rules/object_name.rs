//! The name of an object, as far as it is known before the API server has completed it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::finding::FieldPath;

/// What the name generator appends to `generateName`, and how much of that it keeps.
const GENERATED: usize = 5;
const KEPT: usize = 63 - GENERATED;

/// The name as far as it is known, and what the user wrote of it: a generated name ends in characters that nobody
/// chose, and on a cluster the server has appended them already.
pub(crate) fn of(metadata: &ObjectMeta) -> Option<(String, FieldPath)> {
    let path = |field| FieldPath::new("metadata").child(field);
    let prefix = metadata.generate_name.as_ref().filter(|prefix| !prefix.is_empty());
    let kept = prefix.map(|prefix| prefix.chars().take(KEPT).collect::<String>());
    match (metadata.name.as_ref().filter(|name| !name.is_empty()), kept) {
        (Some(name), Some(kept)) if name.starts_with(&kept) => Some((name.clone(), path("generateName"))),
        (Some(name), _) => Some((name.clone(), path("name"))),
        (None, Some(kept)) => Some((format!("{kept}{}", "x".repeat(GENERATED)), path("generateName"))),
        (None, None) => None,
    }
}
