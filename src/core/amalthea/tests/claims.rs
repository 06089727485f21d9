//! The claims of a session: which are used, what becomes of them, and what cannot be changed.

use super::{
    cluster::{Cluster, cluster},
    fixtures::*,
};
use crate::core::{
    amalthea::{
        events::for_report,
        files::{ACCEPT_EMPTY_DISK, must_be_confirmed},
    },
    conditions,
    error::ErrorClass,
    object::Kind,
};
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
    assert_eq!(cluster.plan().blocked, []);
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

/// Status and reason of `FilesKept`.
fn files(cluster: &Cluster) -> (String, String) {
    let conditions = cluster.status().conditions;
    let found = conditions::find(&conditions, "FilesKept").unwrap();
    (found.status.clone(), found.reason.clone().unwrap())
}

fn are(status: &str, reason: &str) -> (String, String) {
    (status.into(), reason.into())
}

/// Does what the message says.
fn accept(cluster: &mut Cluster) {
    let told = message(cluster, "FilesKept");
    let value = told.split_once(&format!("{ACCEPT_EMPTY_DISK}=")).unwrap().1.to_owned();
    cluster.session["metadata"]["annotations"][ACCEPT_EMPTY_DISK] = json!(value);
}

/// However it got lost: no empty disk takes its place before somebody says so.
#[rstest]
fn lost_files_are_told_and_nothing_starts_without_them(
    #[values(false, true)] batch: bool,
    #[values(false, true)] deleted_while_it_ran: bool,
    #[values("always", "never", "whenFailedOrHibernated")] strategy: &str,
) {
    let draft = session("hello").strategy(strategy);
    let mut cluster = cluster(if batch { draft.batch() } else { draft }).running(10);
    assert_eq!(files(&cluster), are("True", "ClaimExists"));
    let delete = |cluster: &mut Cluster| {
        cluster.pass_time(10).delete_object(&key("hello"));
        cluster.settle();
    };
    if deleted_while_it_ran {
        delete(&mut cluster);
        assert_eq!(
            (files(&cluster), cluster.status().state),
            (are("False", "ClaimDeleting"), State::Running)
        );
    }
    cluster.pass_time(10).edit("hibernated", json!(true)).settle();
    if !deleted_while_it_ran {
        delete(&mut cluster);
    }
    assert_eq!((files(&cluster), cluster.status().state), (are("False", "ClaimLost"), State::Hibernated));

    let started = cluster.started_jobs.len();
    cluster.pass_time(10).edit("hibernated", json!(false)).settle();
    assert_eq!((cluster.status().state, cluster.pods.len()), (State::Failed, 0));
    assert!(cluster.status().error.unwrap().contains("was deleted"));
    assert_eq!(cluster.started_jobs.len(), started, "its time would run");
    assert!(message(&cluster, "Stalled").contains("was deleted"));
    assert_eq!(cluster.pass(), 0, "{:?}", cluster.log.last());

    let mut put_back = cluster.clone();
    put_back.objects.insert(key("hello"), restored("hello", "ReadWriteOnce"));
    put_back.settle();
    put_back.pod_ready().settle();
    assert_eq!((files(&put_back), put_back.status().state), (are("True", "ClaimUnowned"), State::Running));

    accept(&mut cluster);
    cluster.pass_time(10).settle();
    cluster.pod_ready().settle();
    assert_eq!((files(&cluster), cluster.status().state), (are("True", "ClaimExists"), State::Running));

    // What was accepted was that loss, and no other.
    cluster.pass_time(10).edit("hibernated", json!(true)).settle();
    delete(&mut cluster);
    cluster.pass_time(10).edit("hibernated", json!(false)).settle();
    assert_eq!((files(&cluster), cluster.status().state), (are("False", "ClaimLost"), State::Failed));
}

/// A pod that is replaced lets go of a claim too.
#[test]
fn files_that_are_lost_between_two_pods_are_not_replaced() {
    let mut cluster = cluster(session("hello")).running(10);
    cluster.delete_object(&key("hello"));
    cluster.settle();
    cluster.pods.clear();
    cluster.run_controllers();
    cluster.objects.remove(&key("hello"));
    cluster.settle();
    assert_eq!((files(&cluster), cluster.status().state), (are("False", "ClaimLost"), State::Failed));
    assert!(!cluster.objects.contains_key(&key("hello")));
}

/// A new list may lack what was just made.
#[test]
fn a_claim_that_the_watches_do_not_know_is_looked_for() {
    let cluster = cluster(session("hello")).running(10);
    let mut observed = cluster.observed();
    observed.children.remove(&key("hello"));
    assert!(must_be_confirmed(&observed));
    let plan = cluster.plan_for(&observed);
    assert!(plan.write.is_empty(), "{plan:?}");
    let classes: Vec<ErrorClass> = plan.blocked.iter().map(|error| error.class).collect();
    assert_eq!(classes, [ErrorClass::Transient], "it is tried again");
    assert!(!must_be_confirmed(&cluster.observed()));
}

/// A claim that a quota does not allow was never there.
#[test]
fn a_claim_that_could_not_be_made_is_made_later() {
    let mut cluster = cluster(session("hello"));
    cluster.refuse = Some((Kind::PersistentVolumeClaim, ErrorClass::Quota, "no".into()));
    cluster.settle();
    assert_eq!(cluster.status().state, State::Failed);
    cluster.refuse = None;
    cluster.pass_time(60).settle();
    cluster.pod_ready().settle();
    assert_eq!((files(&cluster), cluster.status().state), (are("True", "ClaimExists"), State::Running));
}

/// Not asked for, said once, and said for as long as it is so.
#[rstest]
#[case::size("size", json!("1Gi"), json!("5Gi"), "spec.session.storage.size is 1Gi, and the claim hello has 5Gi")]
#[case::class("className", json!("slow"), json!("fast"), "spec.session.storage.className is slow, and the claim hello has fast")]
fn what_a_claim_cannot_become_is_told_and_not_asked_for(
    #[case] field: &str,
    #[case] wish: Value,
    #[case] has: Value,
    #[case] says: &str,
    #[values("always", "never", "whenFailedOrHibernated")] strategy: &str,
) {
    let storage = json!({"size": "5Gi", "className": "fast"});
    let draft = session("hello").strategy(strategy).spec("session/storage", storage);
    let mut cluster = cluster(draft).running(10);
    cluster.objects.get_mut(&key("hello")).unwrap()["status"] =
        json!({"phase": "Bound", "capacity": {"storage": "5Gi"}});
    cluster.settle();
    cluster.log.clear();
    let field = format!("session/storage/{field}");
    let told = |cluster: &Cluster| {
        let conditions = cluster.status().conditions;
        let reconciled = conditions::find(&conditions, "Reconciled").unwrap();
        assert!(reconciled.message.as_ref().unwrap().contains(says), "{reconciled:?}");
        assert_eq!(reconciled.reason.as_deref(), Some("Unchangeable"));
    };
    let events = |cluster: &Cluster| -> usize {
        let session = cluster.typed();
        let events = for_report(&session, &cluster.seen());
        events.iter().filter(|event| event.reason == "Unchangeable").count()
    };
    cluster.edit(&field, wish);
    assert_eq!(events(&cluster), 1);
    cluster.settle();
    told(&cluster);
    cluster.pass_time(10).edit("hibernated", json!(true)).settle();
    told(&cluster);
    cluster.pass_time(10).edit("hibernated", json!(false)).settle();
    cluster.pod_ready().settle();
    told(&cluster);
    assert_eq!((cluster.status().state, events(&cluster)), (State::Running, 0));
    let claim = &cluster.child(Kind::PersistentVolumeClaim)["spec"];
    assert_eq!(
        (&claim["resources"]["requests"]["storage"], &claim["storageClassName"]),
        (&json!("5Gi"), &json!("fast"))
    );

    cluster.edit(&field, has).settle();
    assert_eq!(message(&cluster, "Reconciled"), "Everything that belongs to the session is as its spec says");
}

/// A size that could not be given can be taken back.
#[rstest]
#[case::taken_back("3Gi", "3Gi")]
#[case::too_small("2Gi", "9Gi")]
fn a_claim_that_did_not_grow(#[case] wish: &str, #[case] asked: &str) {
    let mut cluster = cluster(session("hello").spec("session/storage/size", json!("9Gi"))).running(10);
    cluster.objects.get_mut(&key("hello")).unwrap()["status"] =
        json!({"phase": "Bound", "capacity": {"storage": "2Gi"}});
    cluster.edit("session/storage/size", json!(wish)).settle();
    let spec = &cluster.child(Kind::PersistentVolumeClaim)["spec"];
    assert_eq!(spec["resources"]["requests"]["storage"], asked);
}

#[test]
fn the_access_mode_of_a_data_source_stays_and_that_is_told() {
    let mut cluster = cluster(with_sources(session("hello"))).running(10);
    let source = json!([{"mountPath": "/d", "accessMode": "ReadWriteMany", "secretRef": {"name": "s"}}]);
    cluster.edit("dataSources", source).settle();
    let told = message(&cluster, "Reconciled");
    let says =
        "spec.dataSources[0].accessMode is ReadWriteMany, and the claim amalthea-hello-ds-0 has ReadOnlyMany";
    assert!(told.starts_with(says), "{told}");
}

/// A refused growth keeps nothing from starting.
#[test]
fn a_session_resumes_although_its_claim_may_not_grow() {
    let mut cluster = cluster(session("hello")).running(10);
    cluster.edit("hibernated", json!(true)).settle();
    cluster.refuse =
        Some((Kind::PersistentVolumeClaim, ErrorClass::Forbidden, "the class does not grow".into()));
    cluster.edit("session/storage/size", json!("9Gi")).pass_time(10).edit("hibernated", json!(false));
    for _ in 0..6 {
        cluster.pass();
        assert_ne!(cluster.status().state, State::Failed);
        cluster.run_controllers();
    }
    cluster.pod_ready().settle();
    assert_eq!(cluster.status().state, State::Running);
    assert!(message(&cluster, "Reconciled").contains("the class does not grow"));
}
