//! The claims of a session: which are used, what becomes of them, and what cannot be changed.

use super::{
    cluster::{Cluster, cluster},
    fixtures::*,
};
use crate::core::{error::ErrorClass, object::Kind};
use rstest::rstest;
use serde_json::{Value, json};
use sojourn_crds::amalthea::{State, names};

fn key(name: &str) -> (Kind, String) {
    (Kind::PersistentVolumeClaim, name.to_owned())
}

/// A claim as a backup puts it back: with its labels, and without its owner.
fn restored(name: &str, mode: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": name, "namespace": "team", "uid": "uid-of-backup",
            "labels": {
                names::LABEL_PART_OF: names::PART_OF_VALUE,
                names::LABEL_INSTANCE: "hello",
                "velero.io/backup-name": "nightly",
            },
        },
        "spec": {
            "accessModes": [mode], "resources": {"requests": {"storage": "5Gi"}},
            "storageClassName": "of-old", "volumeName": "pv-1",
        },
        "status": {"phase": "Bound", "capacity": {"storage": "5Gi"}},
    })
}

fn with_sources(draft: Draft) -> Draft {
    draft.spec("dataSources", json!([{"mountPath": "/d", "secretRef": {"name": "s"}}]))
}

fn message(cluster: &Cluster, kind: &str) -> String {
    let conditions = cluster.status().conditions;
    conditions.into_iter().find(|it| it.kind == kind).and_then(|it| it.message).unwrap_or_default()
}

#[rstest]
#[case::files("hello", "ReadWriteOnce")]
#[case::files_shared("hello", "ReadWriteMany")]
#[case::files_of_one_pod("hello", "ReadWriteOncePod")]
#[case::data_source("amalthea-hello-ds-0", "ReadOnlyMany")]
fn a_claim_that_was_put_back_is_used_and_left_as_it_is(
    #[case] name: &str,
    #[case] mode: &str,
    #[values(false, true)] batch: bool,
    #[values("always", "never")] strategy: &str,
) {
    let draft = with_sources(session("hello").strategy(strategy));
    let mut cluster = cluster(if batch { draft.batch() } else { draft });
    cluster.objects.insert(key(name), restored(name, mode));
    let mut cluster = cluster.running(1);
    assert_eq!((cluster.status().state, cluster.status().error), (State::Running, None));
    cluster.edit("template/metadata/labels", json!({"a": "b"})).settle();
    cluster.edit("hibernated", json!(true)).settle();
    assert_eq!(cluster.status().state, State::Hibernated);
    cluster.edit("dataSources", json!([])).pass_time(10).edit("hibernated", json!(false)).settle();
    cluster.pod_ready().settle();
    assert_eq!(cluster.status().state, State::Running);
    assert_eq!(cluster.objects[&key(name)], restored(name, mode), "nothing was written to it");
}

/// W4: the name alone gives no session another's files.
#[rstest]
#[case::of_another_owner("/metadata/ownerReferences", json!([{"apiVersion": "v1", "kind": "Any", "name": "any",
    "uid": "another", "controller": true}]), "does not belong to this session; rename the session")]
#[case::without_labels("/metadata/labels", json!({}), "does not belong to this session; rename the session; or, if its \
    files are for this session, label it: kubectl label pvc hello app.kubernetes.io/part-of=amaltheasession-operator \
    app.kubernetes.io/instance=hello")]
#[case::of_another_session("/metadata/labels/app.kubernetes.io~1instance", json!("other"),
    "does not belong to this session")]
#[case::read_only("/spec/accessModes", json!(["ReadOnlyMany"]),
    "its access modes are ReadOnlyMany, and ReadWriteOnce is needed")]
#[case::device("/spec/volumeMode", json!("Block"), "it is a block device, and a file system is needed")]
fn a_claim_that_is_not_for_the_session_is_left_alone(
    #[case] field: &str,
    #[case] value: Value,
    #[case] says: &str,
) {
    let mut claim = restored("hello", "ReadWriteOnce");
    put(&mut claim, field, value);
    let mut cluster = cluster(session("hello"));
    cluster.objects.insert(key("hello"), claim.clone());
    let plan = cluster.plan();
    let [blocked] = &plan.blocked[..] else { panic!("{:?}", plan.blocked) };
    assert_eq!((blocked.kind, blocked.class), (Kind::PersistentVolumeClaim, ErrorClass::Foreign));
    assert!(blocked.message.contains(says), "{}", blocked.message);
    cluster.pass();
    assert_eq!(cluster.status().state, State::Failed);
    let told = message(&cluster, "Reconciled");
    assert!(told.contains(says), "{told}");
    for word in ["remove", "delete"] {
        assert!(!told.contains(word), "it advises to lose files: {told}");
    }
    assert_eq!(cluster.objects[&key("hello")], claim);
}
