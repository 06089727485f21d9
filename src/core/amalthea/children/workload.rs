//! The workload: a StatefulSet of one pod, or a Job that runs once.

use super::{Build, insert_some, pod};
use crate::core::{manifest::DesiredObject, object::Kind};
use serde_json::json;
use sojourn_crds::amalthea::{
    Location,
    lifetime::{job_deadline_seconds, job_ttl_seconds},
    names,
};

/// Scheduling fields are written under every strategy, and must go when the spec has them no more.
const SCHEDULING: &[&str] = &[
    "/spec/template/spec/tolerations",
    "/spec/template/spec/affinity",
    "/spec/template/spec/nodeSelector",
    "/spec/template/spec/priorityClassName",
];

const STATEFUL_SET_HELD_BACK: &[&str] = &[
    "/metadata/labels",
    "/metadata/annotations",
    "/spec/selector",
    "/spec/template/metadata/labels",
    "/spec/template/metadata/annotations",
    "/spec/template/spec/containers",
    "/spec/template/spec/initContainers",
    "/spec/template/spec/volumes",
    "/spec/template/spec/serviceAccountName",
    "/spec/template/spec/serviceAccount",
    "/spec/template/spec/imagePullSecrets",
    "/spec/template/spec/securityContext",
    "/spec/template/spec/terminationGracePeriodSeconds",
];

/// The StatefulSet of an interactive session.
pub(super) fn stateful_set(build: &Build) -> DesiredObject {
    let name = build.session.name();
    let mut template = pod::template(build);
    if build.spec.location == Location::Remote {
        // Time to end the job on the external system.
        template["spec"]["terminationGracePeriodSeconds"] = json!(60);
    }
    DesiredObject {
        kind: Kind::StatefulSet,
        name: name.to_owned(),
        manifest: json!({
            "apiVersion": Kind::StatefulSet.api_version(),
            "kind": Kind::StatefulSet.name(),
            "metadata": build.metadata(name, build.run_annotations()),
            "spec": {
                // A pod that never got ready is still replaced when the template changes.
                "podManagementPolicy": "Parallel",
                "replicas": if build.spec.hibernated { 0 } else { 1 },
                "selector": {"matchLabels": build.selector()},
                "template": template,
            },
        }),
        deferred_fields: STATEFUL_SET_HELD_BACK,
        cleared_if_absent: SCHEDULING,
        immutable_fields: &[],
    }
}

/// The Job of a batch session.
///
/// Its template cannot change once it ran, so a resumed session gets a new one ([`super::super::plan`]).
/// The finalizer keeps it until its result is on record, even when a client deletes it.
pub(super) fn job(build: &Build) -> DesiredObject {
    let name = build.session.name();
    let mut template = pod::template(build);
    template["spec"]["restartPolicy"] = json!("Never");
    let mut manifest = json!({
        "apiVersion": Kind::Job.api_version(),
        "kind": Kind::Job.name(),
        "metadata": build.metadata(name, build.run_annotations()),
        "spec": {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 0,
            "template": template,
        },
    });
    manifest["metadata"]["finalizers"] = json!([names::RESULT_FINALIZER]);
    let spec = &mut manifest["spec"];
    // A queueing controller decides when its Jobs run; we only stop them.
    if build.spec.hibernated || !build.labels().contains_key(names::QUEUE_LABEL) {
        spec["suspend"] = json!(build.spec.hibernated);
    }
    let deadline = job_deadline_seconds(build.spec, build.context.settings.on_deadline);
    insert_some(spec, "activeDeadlineSeconds", json!(deadline));
    insert_some(spec, "ttlSecondsAfterFinished", json!(job_ttl_seconds(build.spec)));
    DesiredObject {
        kind: Kind::Job,
        name: name.to_owned(),
        manifest,
        deferred_fields: &["/metadata/labels", "/metadata/annotations"],
        cleared_if_absent: &["/spec/activeDeadlineSeconds", "/spec/ttlSecondsAfterFinished"],
        // The API server refuses changes of a Job's template.
        immutable_fields: &["/spec/template"],
    }
}
