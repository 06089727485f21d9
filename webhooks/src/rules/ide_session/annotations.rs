//! The annotations do not exceed the total size that Kubernetes allows. On a cluster the API server checks this for new
//! and changed objects; this rule, like the original, checks new objects only.

use sojourn_crds::ide_session::IdeSession;

use crate::finding::{Code, FieldPath, Finding};
use crate::kind::Change;

/// The largest total size of keys and values in bytes.
const LONGEST: usize = 262_144;

/// Reports annotations that are too large.
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
