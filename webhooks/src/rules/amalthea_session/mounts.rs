//! Mounts name volumes that exist, at paths that no other mount of the container has.
//!
//! The original passes mounts on unread: Kubernetes refuses a workload with an unknown volume, an empty path or two
//! mounts at one path, for ever and without a word in the status. A relative path runs (it ends up below `/`, as the
//! default `data` of a data source does), so it is only warned about.

use std::collections::BTreeSet;

use sojourn_crds::amalthea::{AuthenticationType, DataSource};

use super::containers::extra;
use super::{Subject, pod, spec};
use crate::finding::{Code, FieldPath, Finding, seen};
use crate::rules::mount_paths::Paths;

/// Says what is wrong with the mounts.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut volumes: BTreeSet<String> = pod::volumes(subject).into_iter().collect();
    let extra_volumes = &subject.spec.extra_volumes;
    volumes.extend(extra_volumes.iter().filter_map(|volume| volume["name"].as_str().map(str::to_owned)));

    for (path, mounts) in lists(subject) {
        for (index, mount) in mounts.iter().enumerate() {
            let name = mount["name"].as_str().unwrap_or_default();
            if !volumes.contains(name) {
                findings.push(Finding::new(
                    Code::VolumeMissing,
                    path.index(index).child("name"),
                    format!("the pod has no volume {}", seen(name)),
                    "add it to spec.extraVolumes",
                ));
            }
        }
    }
    check_session(subject, findings);
    check_proxy(subject, findings);
    for (path, container) in extra(subject) {
        let mut container_paths = Paths::default();
        for (index, mount) in array(&container["volumeMounts"]).iter().enumerate() {
            let at = path.child("volumeMounts").index(index).child("mountPath");
            container_paths.add(at, mount["mountPath"].as_str().unwrap_or_default(), findings);
        }
    }
}

fn lists<'a>(subject: &Subject<'a>) -> Vec<(FieldPath, &'a [serde_json::Value])> {
    let session = &subject.spec.session.extra_volume_mounts;
    let mut lists = vec![(spec("session").child("extraVolumeMounts"), session.as_slice())];
    if let Some(auth) = subject.spec.authentication.as_ref().filter(|_| subject.has_proxy()) {
        lists.push((spec("authentication").child("extraVolumeMounts"), auth.extra_volume_mounts.as_slice()));
    }
    lists.extend(
        extra(subject)
            .map(|(path, container)| (path.child("volumeMounts"), array(&container["volumeMounts"]))),
    );
    lists
}

fn array(value: &serde_json::Value) -> &[serde_json::Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The mounts of the session container, in the order in which the pod has them.
fn check_session(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let session = &subject.spec.session;
    let mut paths = Paths::default();
    paths.add(spec("session").child("storage").child("mountPath"), &session.storage.mount_path, findings);
    if session.shm_size.is_some() {
        paths.add(spec("session").child("shmSize"), "/dev/shm", findings);
    }
    for (index, mount) in session.extra_volume_mounts.iter().enumerate() {
        let at = spec("session").child("extraVolumeMounts").index(index).child("mountPath");
        paths.add(at, mount["mountPath"].as_str().unwrap_or_default(), findings);
    }
    if subject.is_remote() {
        return;
    }
    for (index, source) in subject.spec.data_sources.iter().enumerate() {
        let at = spec("dataSources").index(index).child("mountPath");
        if source.mount_path == DataSource::default().mount_path {
            // The schema's default is relative, and nobody wrote it.
            paths.add_quietly(at, &source.mount_path, findings);
        } else {
            paths.add(at, &source.mount_path, findings);
        }
    }
}

fn check_proxy(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(auth) = subject.spec.authentication.as_ref().filter(|_| subject.has_proxy()) else { return };
    let mut paths = Paths::default();
    let own: &[&str] = match auth.kind {
        AuthenticationType::Token => &["/etc/authproxy"],
        AuthenticationType::Oauth2proxy => &["/etc/oauth2-proxy"],
        AuthenticationType::Oidc => &["/etc/oauth2-proxy", "/authorized_emails"],
    };
    own.iter().for_each(|path| paths.add_quietly(spec("authentication"), path, findings));
    for (index, mount) in auth.extra_volume_mounts.iter().enumerate() {
        let at = spec("authentication").child("extraVolumeMounts").index(index).child("mountPath");
        paths.add(at, mount["mountPath"].as_str().unwrap_or_default(), findings);
    }
}
