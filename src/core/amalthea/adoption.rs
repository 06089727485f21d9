//! Secrets that a session has adopted: they go when it goes.

use crate::core::object::StringMap;
use sojourn_crds::amalthea::{AmaltheaSession, AmaltheaSessionSpec, names, secrets::secret_references};
use sojourn_webhooks::adoption::ApprovalKey;
use std::collections::BTreeSet;

/// Names of the secrets of which admission recorded that the session may take them along: the user who had them adopted
/// may delete them. Nothing is recorded of a session that is being deleted, so a record cannot be made later.
pub fn approved(session: &AmaltheaSession, key: Option<&ApprovalKey>) -> BTreeSet<String> {
    key.map(|key| sojourn_webhooks::adoption::approved(key, &session.metadata)).unwrap_or_default()
}

/// Names of all secrets that a session refers to.
pub fn referenced(spec: &AmaltheaSessionSpec) -> BTreeSet<&str> {
    let names = secret_references(spec).into_iter().map(|reference| reference.name);
    names.filter(|name| !name.is_empty()).collect()
}

/// Why an adopted secret must not be deleted with the session `uid` of name `session`, if it must not.
///
/// Admission asked whether the requester may delete the secret. This looks at what the secret says itself:
/// one that has another controller, or that is labelled as another session's, is not ours to delete.
pub fn reason_to_keep(session: &str, uid: &str, owner: Option<&str>, labels: &StringMap) -> Option<String> {
    if owner.is_some_and(|owner| owner != uid) {
        return Some("another object controls it".into());
    }
    let instance = labels.get(names::LABEL_INSTANCE).map_or(session, String::as_str);
    let ours =
        labels.get(names::LABEL_NAME).is_none_or(|name| name != names::NAME_VALUE) || instance == session;
    (!ours).then(|| format!("it is labelled as belonging to session {instance}"))
}
