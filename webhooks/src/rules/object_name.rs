//! The name of an object, as far as it is known before the API server completes a generated one.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::finding::FieldPath;

/// How many characters the API server appends to `generateName`, and the length to which it truncates the rest.
const GENERATED: usize = 5;
const KEPT: usize = 63 - GENERATED;

/// The known name, and the field that the user wrote. A generated name ends in random characters, which the API server
/// may have appended already.
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
