//! Init containers that clone the session's repositories.

use super::Build;
use serde_json::{Value, json};
use sojourn_crds::amalthea::{CodeRepository, SecretKeyRef, names};
use sojourn_webhooks::rules::amalthea_session::security_contexts;

/// What cloning adds to a pod.
pub(super) struct Cloning {
    pub(super) containers: Vec<Value>,
    pub(super) volumes: Vec<Value>,
}

const SECRETS_PATH: &str = "/git-clone-secrets";

/// One init container, and for private repositories one volume, for each repository.
pub(super) fn containers(build: &Build) -> Cloning {
    let repositories = || build.spec.code_repositories.iter().enumerate();
    Cloning {
        containers: repositories().map(|(index, repository)| container(build, index, repository)).collect(),
        volumes: repositories()
            .filter_map(|(index, repository)| {
                let secret = credentials(repository)?;
                Some(json!({"name": volume(index), "secret": {"secretName": secret.name}}))
            })
            .collect(),
    }
}

fn volume(index: usize) -> String {
    format!("amalthea-git-clone-cred-volume-{index}")
}

fn credentials(repository: &CodeRepository) -> Option<&SecretKeyRef> {
    repository.cloning_config_secret_ref.as_ref()
}

fn container(build: &Build, index: usize, repository: &CodeRepository) -> Value {
    let session = &build.spec.session;
    let root = &session.storage.mount_path;
    let path = format!("{root}/{}", repository.clone_path.0);
    let mut args =
        vec!["cloner", "clone", "--strategy", "notifexist", "--remote", &repository.remote, "--path", &path];
    let mut mounts = vec![json!({"name": names::SESSION_VOLUME, "mountPath": root})];
    // Each container sees its own credentials only.
    let config = credentials(repository).map(|secret| format!("{SECRETS_PATH}/{}", secret.key));
    if let Some(config) = &config {
        args.extend(["--config", config]);
        mounts.push(json!({"name": volume(index), "mountPath": SECRETS_PATH}));
    }
    if let Some(revision) = repository.revision.as_deref().filter(|revision| !revision.is_empty()) {
        args.extend(["--revision", revision]);
    }
    json!({
        "name": names::clone_container(index),
        "image": build.context.settings.sidecars_image,
        "args": args,
        "workingDir": root,
        "volumeMounts": mounts,
        "securityContext": security_contexts::of_cloner(session, build.context.settings.pod_security),
    })
}
