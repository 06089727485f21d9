//! Annotations fit into what Kubernetes allows for all of them together. On a cluster the API server says so itself, of
//! a new object and of a changed one; like the original, this says it of a new one only.

use sojourn_crds::ide_session::IdeSession;

use crate::finding::{Code, FieldPath, Finding};
use crate::kind::Change;

/// The most bytes that keys and values may have together.
const LONGEST: usize = 262_144;

/// Says whether the annotations do not fit.
pub(crate) fn check(change: &Change<'_, IdeSession>, findings: &mut Vec<Finding>) {
    if change.old.is_none() {
        findings.extend(too_long(change.object));
    }
}

fn too_long(session: &IdeSession) -> Option<Finding> {
    let annotations = session.metadata.annotations.iter().flatten();
    let bytes: usize = annotations.map(|(key, value)| key.len() + value.len()).sum();
    (bytes > LONGEST).then(|| {
        Finding::new(
            Code::SchemaInvalid,
            FieldPath::new("metadata").child("annotations"),
            format!("Too long: may not be more than {LONGEST} bytes"),
            "shorten or remove some",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_count() {
        let said = |bytes: usize| {
            let mut session = IdeSession::default();
            session.metadata.annotations = Some([("key".to_owned(), "x".repeat(bytes - 3))].into());
            too_long(&session).map(|finding| finding.to_string())
        };
        assert_eq!(said(LONGEST), None);
        let text =
            "metadata.annotations: Too long: may not be more than 262144 bytes; shorten or remove some";
        assert_eq!(said(LONGEST + 1).as_deref(), Some(text));
    }
}
