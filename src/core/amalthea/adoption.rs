//! Secrets that a session has adopted: they go when it goes.

use crate::core::object::StringMap;
use sojourn_crds::amalthea::{
    AmaltheaSession, AmaltheaSessionSpec, names,
    secrets::{SecretReference, secret_references},
};
use sojourn_webhooks::adoption::ApprovalKey;
use std::collections::BTreeSet;

/// Names of the secrets that a session adopted.
pub fn adopted(spec: &AmaltheaSessionSpec) -> BTreeSet<&str> {
    named(spec).filter(|reference| reference.adopt).map(|reference| reference.name).collect()
}

/// Names of the secrets that go with the session: it adopted them, and admission recorded that whoever had them adopted
/// may delete them. A record cannot be made later: nothing is recorded of a session that is being deleted.
pub fn approved<'a>(
    session: &AmaltheaSession,
    spec: &'a AmaltheaSessionSpec,
    key: Option<&ApprovalKey>,
) -> BTreeSet<&'a str> {
    let approved = key.map(|key| sojourn_webhooks::adoption::approved(key, &session.metadata));
    let approved = approved.unwrap_or_default();
    adopted(spec).into_iter().filter(|name| approved.contains(*name)).collect()
}

/// Names of all secrets that a session refers to.
pub fn referenced(spec: &AmaltheaSessionSpec) -> BTreeSet<&str> {
    named(spec).map(|reference| reference.name).collect()
}

fn named(spec: &AmaltheaSessionSpec) -> impl Iterator<Item = SecretReference<'_>> {
    secret_references(spec).into_iter().filter(|reference| !reference.name.is_empty())
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
