//! What a session says about its containers is something that Kubernetes takes.
//!
//! The original passes most of it on unread: Kubernetes refuses the workload at every pass, and the status says nothing.
//! Names, images, volumes and paths of mounts have rules of their own.

use std::collections::BTreeSet;

use serde_json::Value;
use sojourn_crds::amalthea::names;

use super::{Subject, pod};
use crate::finding::{Code, Finding};
use crate::rules::pod::container::at::At;
use crate::rules::pod::container::devices::VolumeSort;
use crate::rules::pod::container::env::{self, Naming};
use crate::rules::pod::container::ports::HostPorts;
use crate::rules::pod::container::security_context::IDS;
use crate::rules::pod::container::{self, PodTraits, Role, Surroundings, mounts, resources, value};
use crate::rules::pod::{Report, list_keys};
use crate::settings::KubernetesVersion;

/// How long a pod has to end, unless it says otherwise.
const GRACE_SECONDS: i64 = 30;
/// How long the pod of a remote session has, to end what runs elsewhere.
const REMOTE_GRACE_SECONDS: i64 = 60;

/// Says what Kubernetes would not take.
pub(crate) fn check(subject: &Subject<'_>, kubernetes: KubernetesVersion, findings: &mut Vec<Finding>) {
    let report = &mut Report::new(kubernetes, findings);
    let at = At::root("spec");
    check_session(subject, report, &at.child("session"));
    if let Some(auth) = subject.spec.authentication.as_ref().filter(|_| subject.has_proxy()) {
        let at = at.child("authentication");
        mounts::check(report, &at.child("extraVolumeMounts"), &auth.extra_volume_mounts, false);
    }
    check_extra(subject, report, &at);
    let secrets = subject.spec.image_pull_secrets.iter().map(|secret| secret.name.as_str());
    list_keys::check_keys(report, &at.child("imagePullSecrets"), secrets, "name");
}

/// The fields that become part of the session's own container. That of a remote session is the operator's, and takes
/// variables and mounts only.
fn check_session(subject: &Subject<'_>, report: &mut Report<'_>, at: &At<'_>) {
    let session = &subject.spec.session;
    let naming = if subject.is_remote() { Naming::OfRemoteUser } else { Naming::AsWritten };
    env::check_named(report, &at.child("env"), &session.env, naming);
    list_keys::check(report, &at.child("env"), &session.env, "name");
    mounts::check(report, &at.child("extraVolumeMounts"), &session.extra_volume_mounts, false);
    // It is the group of the files, too, wherever the session runs.
    check_id(report, &at.child("runAsGroup"), session.run_as_group);
    if subject.is_remote() {
        if let Some(resources) = &session.resources {
            resources::check_quantities(report, &at.child("resources"), resources);
        }
        return;
    }
    check_id(report, &at.child("runAsUser"), session.run_as_user);
    if session.image.is_empty() {
        report.required(Code::ContainerImageMissing, at.child("image").path(), "the container has no image");
    }
    container::check_image(report, &at.child("image"), &session.image);
    if let Some(resources) = &session.resources {
        resources::check(report, &at.child("resources"), resources, &BTreeSet::new());
    }
}

fn check_id(report: &mut Report<'_>, at: &At<'_>, id: i64) {
    value::check_range(report, Code::SecurityContextInvalid, at, &Value::from(id), IDS);
}

fn check_extra(subject: &Subject<'_>, report: &mut Report<'_>, at: &At<'_>) {
    let sort_of_volume = |name: &str| sort_of_volume(subject, name);
    let around = Surroundings {
        grace_seconds: if subject.is_remote() && !subject.is_batch() {
            REMOTE_GRACE_SECONDS
        } else {
            GRACE_SECONDS
        },
        never_restarts: subject.is_batch(),
        sort_of_volume: &sort_of_volume,
        pod: PodTraits::default(),
    };
    let mut host_ports = HostPorts::default();
    let list = at.child("extraContainers");
    for (index, container) in subject.spec.extra_containers.iter().enumerate() {
        container::check(report, &list.index(index), container, Role::Main, &around, &mut host_ports);
    }
    let list = at.child("initContainers");
    for (index, container) in subject.spec.extra_init_containers.iter().enumerate() {
        let host_ports = &mut HostPorts::default();
        container::check(report, &list.index(index), container, Role::Init, &around, host_ports);
    }
}

/// What the pod's volume of that name is. It is asked only of block devices, which are rare.
fn sort_of_volume(subject: &Subject<'_>, name: &str) -> Option<VolumeSort> {
    if let Some(volume) = subject.spec.extra_volumes.iter().find(|volume| volume["name"] == name) {
        return Some(VolumeSort::of(volume));
    }
    if !pod::volumes(subject).iter().any(|own| own == name) {
        return None;
    }
    let claim = name == names::SESSION_VOLUME || names::is_data_source(subject.session.name(), name);
    Some(if claim { VolumeSort::Claim } else { VolumeSort::Other })
}
