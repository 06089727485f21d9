//! Claims, volumes and mounts of the session's own files and of remote storage.

use super::Build;
use crate::core::{manifest::DesiredObject, object::Kind};
use serde_json::{Map, Value, json};
use sojourn_crds::amalthea::{DataSource, Location, names};

const HELD_BACK: &[&str] = &["/metadata/labels", "/metadata/annotations", "/spec"];

/// The claim of the session's files, and one for each remote storage.
pub(super) fn claims(build: &Build) -> Vec<DesiredObject> {
    let storage = &build.spec.session.storage;
    let mut spec = json!({
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": storage.size}},
    });
    if let Some(class) = &storage.class_name {
        spec["storageClassName"] = json!(class);
    }
    let mut claims = vec![claim(build, build.session.name(), build.annotations(), spec)];
    for (index, source) in data_sources(build) {
        let mut annotations = build.annotations();
        if let Some(secret) = &source.secret_ref {
            annotations.insert(names::RCLONE_SECRET_ANNOTATION.into(), json!(secret.name));
        }
        let spec = json!({
            "accessModes": [source.access_mode],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": build.context.settings.rclone_storage_class,
        });
        claims.push(claim(build, &names::data_source(build.session.name(), index), annotations, spec));
    }
    claims
}

fn claim(build: &Build, name: &str, annotations: Map<String, Value>, spec: Value) -> DesiredObject {
    DesiredObject {
        kind: Kind::PersistentVolumeClaim,
        name: name.to_owned(),
        manifest: json!({
            "apiVersion": Kind::PersistentVolumeClaim.api_version(),
            "kind": Kind::PersistentVolumeClaim.name(),
            "metadata": build.metadata(name, annotations),
            "spec": spec,
        }),
        deferred_fields: HELD_BACK,
        cleared_if_absent: &[],
        // A claim's class and modes are settled when it is made; the cluster may have chosen the class.
        immutable_fields: &["/spec/accessModes", "/spec/storageClassName"],
    }
}

/// Remote storage is mounted into local sessions only.
fn data_sources<'a>(build: &'a Build) -> impl Iterator<Item = (usize, &'a DataSource)> {
    let local = build.spec.location == Location::Local;
    build.spec.data_sources.iter().enumerate().filter(move |_| local)
}

fn read_only(source: &DataSource) -> bool {
    source.access_mode == "ReadOnlyMany"
}

/// Volumes of the session's files and of `/dev/shm`.
pub(super) fn session_volumes(build: &Build) -> Vec<Value> {
    let mut volumes = vec![json!({
        "name": names::SESSION_VOLUME,
        "persistentVolumeClaim": {"claimName": build.session.name()},
    })];
    if let Some(size) = &build.spec.session.shm_size {
        volumes.push(json!({"name": names::SHM_VOLUME, "emptyDir": {"medium": "Memory", "sizeLimit": size}}));
    }
    volumes
}

/// Volumes of remote storage.
pub(super) fn data_source_volumes(build: &Build) -> Vec<Value> {
    data_sources(build)
        .map(|(index, source)| {
            let name = names::data_source(build.session.name(), index);
            let mut claim = json!({"claimName": name});
            if read_only(source) {
                claim["readOnly"] = json!(true);
            }
            json!({"name": name, "persistentVolumeClaim": claim})
        })
        .collect()
}

/// Mounts of the container of the user's process, or of the one that stands for it.
pub(super) fn session_mounts(build: &Build) -> Vec<Value> {
    let session = &build.spec.session;
    let mut mounts = vec![json!({"name": names::SESSION_VOLUME, "mountPath": session.storage.mount_path})];
    if session.shm_size.is_some() {
        mounts.push(json!({"name": names::SHM_VOLUME, "mountPath": "/dev/shm"}));
    }
    mounts.extend(session.extra_volume_mounts.iter().cloned());
    mounts.extend(data_sources(build).map(|(index, source)| {
        let name = names::data_source(build.session.name(), index);
        let mut mount = json!({"name": name, "mountPath": source.mount_path});
        if read_only(source) {
            mount["readOnly"] = json!(true);
        }
        mount
    }));
    mounts
}
