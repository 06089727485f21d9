//! What the operator itself puts into a session's pod: names that a spec cannot use again.

use sojourn_crds::amalthea::{AuthenticationType, names};

use super::Subject;

/// Containers of the operator, init containers included.
pub(crate) fn containers(subject: &Subject<'_>) -> Vec<String> {
    let mut taken: Vec<String> =
        (0..subject.spec.code_repositories.len()).map(names::clone_container).collect();
    taken.push(names::SESSION_CONTAINER.to_owned());
    if subject.has_proxy() {
        taken.push(names::AUTHPROXY_CONTAINER.to_owned());
        let kind = subject.spec.authentication.as_ref().map(|auth| auth.kind);
        if kind != Some(AuthenticationType::Token) {
            taken.push(names::OAUTH2_PROXY_CONTAINER.to_owned());
        }
    }
    if subject.is_remote() {
        taken.push(names::TUNNEL_CONTAINER.to_owned());
    }
    taken
}

/// Volumes of the operator.
pub(crate) fn volumes(subject: &Subject<'_>) -> Vec<String> {
    let spec = subject.spec;
    let mut taken = vec![names::SESSION_VOLUME.to_owned()];
    if spec.session.shm_size.is_some() {
        taken.push(names::SHM_VOLUME.to_owned());
    }
    for (index, repository) in spec.code_repositories.iter().enumerate() {
        if repository.cloning_config_secret_ref.is_some() {
            taken.push(format!("amalthea-git-clone-cred-volume-{index}"));
        }
    }
    if !subject.is_remote() {
        let name = subject.session.name();
        taken.extend((0..spec.data_sources.len()).map(|index| names::data_source(name, index)));
    }
    if subject.has_proxy() {
        match spec.authentication.as_ref().map(|auth| auth.kind) {
            Some(AuthenticationType::Oidc) => taken.extend([
                "amalthea--fixed-proxy-configuration-secret".to_owned(),
                "amalthea--authorized-emails-secret".to_owned(),
            ]),
            _ => taken.push("amalthea-proxy-configuration-secret".to_owned()),
        }
    }
    taken
}
