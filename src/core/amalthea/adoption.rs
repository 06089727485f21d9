//! Secrets that a session has adopted: they go when it goes.

use crate::core::object::StringMap;
use sojourn_crds::amalthea::{AmaltheaSessionSpec, SecretKeyRef, SecretRef, names};
use std::collections::BTreeSet;

/// Names of all secrets that a spec refers to, and whether it adopts them.
fn references(spec: &AmaltheaSessionSpec) -> Vec<(&str, bool)> {
    fn plain(reference: Option<&SecretRef>) -> Option<(&str, bool)> {
        reference.map(|reference| (reference.name.as_str(), reference.adopt == Some(true)))
    }
    fn keyed(reference: Option<&SecretKeyRef>) -> Option<(&str, bool)> {
        reference.map(|reference| (reference.name.as_str(), reference.adopt == Some(true)))
    }
    let authentication = spec.authentication.as_ref().filter(|authentication| authentication.enabled);
    let mut all = vec![
        plain(spec.ingress.as_ref().and_then(|ingress| ingress.tls_secret.as_ref())),
        plain(authentication.map(|authentication| &authentication.secret_ref)),
        plain(spec.session.remote_secret_ref.as_ref()),
    ];
    all.extend(spec.data_sources.iter().map(|source| plain(source.secret_ref.as_ref())));
    for repository in &spec.code_repositories {
        all.push(keyed(repository.cloning_config_secret_ref.as_ref()));
        all.push(keyed(repository.config_secret_ref.as_ref()));
    }
    all.extend(spec.image_pull_secrets.iter().map(|reference| plain(Some(reference))));
    all.into_iter().flatten().filter(|(name, _)| !name.is_empty()).collect()
}

/// Names of the secrets that a session adopted.
pub fn adopted(spec: &AmaltheaSessionSpec) -> BTreeSet<&str> {
    references(spec).into_iter().filter_map(|(name, adopted)| adopted.then_some(name)).collect()
}

/// Names of all secrets that a session refers to.
pub fn referenced(spec: &AmaltheaSessionSpec) -> BTreeSet<&str> {
    references(spec).into_iter().map(|(name, _)| name).collect()
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
