//! The pod template, shared by both workloads.

use super::{Build, auth, clone, insert_some, remote, storage};
use serde_json::{Value, json};
use sojourn_crds::amalthea::{Location, ProbeType, SessionType, names};
use sojourn_webhooks::rules::amalthea_session::security_contexts;
use std::collections::BTreeSet;

/// The pod template of the session's workload.
pub(super) fn template(build: &Build) -> Value {
    let spec = build.spec;
    let auth = match spec.session_type {
        SessionType::Interactive => auth::proxy(build),
        SessionType::NonInteractive => auth::Proxy::default(),
    };
    let mut containers = vec![match spec.location {
        Location::Local => session_container(build),
        Location::Remote => remote::session_container(build),
    }];
    containers.extend(auth.containers);
    if spec.location == Location::Remote {
        containers.push(remote::tunnel_container(build));
    }
    containers.extend(written(build, &spec.extra_containers));

    let cloning = clone::containers(build);
    let mut init_containers = cloning.containers;
    init_containers.extend(written(build, &spec.extra_init_containers));

    let mut volumes = storage::session_volumes(build);
    volumes.extend(cloning.volumes);
    volumes.extend(spec.extra_volumes.iter().cloned());
    volumes.extend(storage::data_source_volumes(build));
    volumes.extend(auth.volumes);

    let mut pod = json!({
        "enableServiceLinks": false,
        "automountServiceAccountToken": false,
        "securityContext": security_contexts::of_pod(&spec.session, build.context.settings.pod_security),
        "containers": containers,
    });
    insert_some(&mut pod, "initContainers", json!(init_containers));
    insert_some(&mut pod, "volumes", json!(volumes));
    insert_some(&mut pod, "tolerations", json!(spec.tolerations));
    insert_some(&mut pod, "nodeSelector", json!(spec.node_selector));
    insert_some(&mut pod, "affinity", json!(spec.affinity));
    insert_some(&mut pod, "priorityClassName", json!(spec.priority_class_name));
    insert_some(&mut pod, "serviceAccountName", json!(spec.service_account_name));
    // Kubernetes mirrors the name in this field of old, and would take it from there when it is dropped.
    insert_some(&mut pod, "serviceAccount", json!(spec.service_account_name));
    insert_some(&mut pod, "imagePullSecrets", pull_secrets(build));

    let mut metadata = json!({"labels": build.labels()});
    insert_some(&mut metadata, "annotations", Value::Object(build.run_annotations()));
    json!({"metadata": metadata, "spec": pod})
}

/// Containers that the user writes, with what this installation completes in them.
fn written<'a>(build: &'a Build, containers: &'a [Value]) -> impl Iterator<Item = Value> + 'a {
    let pod_security = build.context.settings.pod_security;
    containers.iter().map(move |container| security_contexts::completed(container, pod_security).into_owned())
}

/// The session's own pull secrets, and those that every session has.
fn pull_secrets(build: &Build) -> Value {
    let own = build.spec.image_pull_secrets.iter().map(|secret| &secret.name);
    let mut names: Vec<&String> = Vec::new();
    for name in own.chain(&build.context.settings.pull_secrets) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.into_iter().map(|name| json!({"name": name})).collect()
}

/// The variables that count: of several with one name it is the last. A server-side apply cannot have the others.
pub(super) fn last_of_each_name(mut variables: Vec<Value>) -> Vec<Value> {
    let mut names = BTreeSet::new();
    variables.reverse();
    variables.retain(|variable| names.insert(variable["name"].as_str().unwrap_or_default().to_owned()));
    variables.reverse();
    variables
}

/// The container of the user's process.
fn session_container(build: &Build) -> Value {
    let session = &build.spec.session;
    let mut container = json!({
        "name": names::SESSION_CONTAINER,
        "image": image(build),
        "imagePullPolicy": session.image_pull_policy,
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "securityContext": security_contexts::of_session(session, build.context.settings.pod_security),
        "volumeMounts": storage::session_mounts(build),
    });
    insert_some(&mut container, "command", json!(session.command));
    insert_some(&mut container, "args", json!(session.args));
    insert_some(&mut container, "env", json!(last_of_each_name(session.env.clone())));
    insert_some(&mut container, "resources", json!(session.resources));
    insert_some(&mut container, "workingDir", json!(session.working_dir));
    insert_some(&mut container, "readinessProbe", readiness_probe(build));
    container
}

/// A session's own pull secrets mean its own registry: nothing is rewritten then.
fn image(build: &Build) -> String {
    let image = &build.spec.session.image;
    match &build.context.settings.image_rewrite {
        Some(rules) if build.spec.image_pull_secrets.is_empty() => rules.rewrite(image).into_owned(),
        _ => image.clone(),
    }
}

fn readiness_probe(build: &Build) -> Value {
    let session = &build.spec.session;
    let handler = match session.readiness_probe.kind {
        ProbeType::None => return Value::Null,
        ProbeType::Tcp => ("tcpSocket", json!({"port": session.port})),
        ProbeType::Http => ("httpGet", json!({"path": session.url_path, "port": session.port})),
    };
    let mut probe = json!({"initialDelaySeconds": 10, "periodSeconds": 5, "successThreshold": 5});
    probe[handler.0] = handler.1;
    probe
}
