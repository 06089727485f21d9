//! A session that is being deleted says so, and what holds it.

use super::{
    cluster::{Cluster, cluster},
    fixtures::*,
};
use crate::core::object::Kind;
use rstest::rstest;
use serde_json::{Value, json};
use sojourn_crds::amalthea::State;

/// Reason and message of the condition `Ready`, and the error.
fn said(cluster: &Cluster) -> (String, String, Option<String>) {
    let status = cluster.status();
    assert_eq!(status.state, State::NotReady);
    let ready = status.conditions.into_iter().find(|condition| condition.kind == "Ready").unwrap();
    (ready.reason.unwrap(), ready.message.unwrap(), status.error)
}

fn held(finalizers: Value, draft: Draft) -> Cluster {
    let mut cluster = cluster(draft.with("/metadata/finalizers", finalizers)).running(1);
    cluster.delete_session();
    cluster
}

#[rstest]
#[case(json!(["example.org/backup"]), "the finalizer example.org/backup; what set it has to remove it")]
#[case(json!(["a", "b", "foregroundDeletion"]), "the finalizers a, b; what set them has to remove them")]
#[case(json!(["a", "b", "c", "d", "e", "f", "g"]), "the finalizers a, b, c, d, e and 2 more; what set them has to remove them")]
fn who_holds_it_is_named(
    #[case] finalizers: Value,
    #[case] holders: &str,
    #[values(session("hello").ingress(), session("hello").batch())] draft: Draft,
) {
    let mut cluster = held(finalizers, draft);
    cluster.settle();
    let text = format!("he session is being deleted, and is held by {holders}");
    assert_eq!(said(&cluster), ("Deleting".into(), format!("T{text}"), Some(format!("t{text}"))));
    cluster.pass_time(1000);
    assert_eq!(cluster.pass(), 0);
}

/// Nobody wants it any more, and the controllers of its workload do not know.
#[rstest]
#[case(session("hello").ingress(), Kind::StatefulSet)]
#[case(session("hello").strategy("never"), Kind::StatefulSet)]
#[case(session("hello").batch(), Kind::Job)]
fn nothing_runs_and_nothing_is_made_again(#[case] draft: Draft, #[case] workload: Kind) {
    let mut cluster = held(json!(["example.org/backup"]), draft);
    cluster.settle();
    assert!(cluster.pods.is_empty());
    let stopped = cluster.child(workload)["spec"].clone();
    assert!(stopped["replicas"] == 0 || stopped["suspend"] == true, "{stopped}");
    // Who starts it by hand gets it stopped.
    let field = if workload == Kind::Job { ("suspend", json!(false)) } else { ("replicas", json!(1)) };
    cluster.child_mut(workload)["spec"][field.0] = field.1;
    cluster.settle();
    assert_eq!(cluster.child(workload)["spec"], stopped);

    for key in cluster.objects.keys().cloned().collect::<Vec<_>>() {
        cluster.delete_object(&key);
    }
    cluster.settle();
    assert!(cluster.objects.is_empty() && cluster.pods.is_empty(), "{:?}", cluster.objects.keys());
}

#[test]
fn children_that_are_to_outlive_it_are_left_alone() {
    let mut cluster = held(json!(["orphan", "example.org/backup"]), session("hello"));
    cluster.settle();
    assert_eq!(cluster.child(Kind::StatefulSet)["spec"]["replicas"], 1);
}

/// That is how a deletion goes, and no reason for a warning.
#[test]
fn a_deletion_of_the_children_first_is_no_fault() {
    let mut cluster = held(json!(["foregroundDeletion"]), session("hello"));
    assert_eq!(cluster.plan().write, []);
    cluster.pass();
    let text = "The session is being deleted; its children are deleted first";
    assert_eq!(said(&cluster), ("Deleting".into(), text.into(), None));
}

#[test]
fn a_session_without_a_spec_is_held_as_any_other() {
    let mut cluster = held(json!(["example.org/backup"]), session("hello"));
    cluster.session.as_object_mut().unwrap().remove("spec");
    cluster.pass();
    let (reason, message, error) = said(&cluster);
    assert_eq!(reason, "Deleting");
    assert!(message.contains("example.org/backup") && error.unwrap().contains("example.org/backup"));
}
