//! A child that cannot be written is no reason to leave anything else undone (W25): a session can be hibernated,
//! its timeouts hold, and it goes when it is deleted.

use super::{
    cluster::{Cluster, cluster},
    fixtures::*,
};
use crate::core::{error::ErrorClass, object::Kind};
use rstest::rstest;
use serde_json::json;
use sojourn_crds::amalthea::State;

/// A session that runs, and of which from now on one kind of child is refused.
fn refused(draft: Draft, kind: Kind, class: ErrorClass) -> Cluster {
    let mut cluster = cluster(draft).running(1);
    cluster.edit("session/storage/size", json!("5Gi"));
    cluster.edit("session/port", json!(9000));
    cluster.edit("template/metadata/labels", json!({"a": "b"}));
    if class == ErrorClass::Foreign {
        let name = if kind == Kind::Secret { "hello---internal" } else { "hello" };
        let child = cluster.objects.get_mut(&(kind, name.to_owned())).unwrap();
        child["metadata"]["ownerReferences"][0]["uid"] = json!("another");
    } else {
        cluster.refuse = Some((kind, class, "no".into()));
    }
    cluster.pass();
    let reconciled = cluster.status().conditions.into_iter().find(|it| it.kind == "Reconciled").unwrap();
    assert_eq!((reconciled.status.as_str(), reconciled.reason.as_deref()), ("False", Some(class.as_str())));
    assert!(reconciled.message.unwrap().contains(kind.name()), "it says which child it is");
    cluster
}

#[rstest]
fn nothing_else_waits_for_a_child_that_is_refused(
    #[values(Kind::PersistentVolumeClaim, Kind::Secret, Kind::Service, Kind::Ingress)] kind: Kind,
    #[values(ErrorClass::Quota, ErrorClass::Forbidden, ErrorClass::Foreign, ErrorClass::Invalid)]
    class: ErrorClass,
) {
    let draft = session("hello").ingress().max_age("1h").max_hibernated("1h");
    let mut by_user = refused(draft.clone(), kind, class);
    by_user.edit("hibernated", json!(true)).settle();
    assert_eq!(by_user.status().state, State::Hibernated);
    assert_eq!(by_user.child(Kind::StatefulSet)["spec"]["replicas"], 0);

    let mut by_age = refused(draft.clone(), kind, class);
    by_age.pass_time(3600).settle();
    assert_eq!(by_age.status().state, State::Hibernated);
    by_age.pass_time(3600).settle();
    assert!(by_age.session.is_null(), "deleted when it was hibernated for long");

    let mut deleted = refused(
        draft.spec("ingress/tlsSecret", json!({"name": "tls", "adopt": true})).approved(&["tls"]),
        kind,
        class,
    );
    deleted.secrets.insert("tls".into());
    deleted.delete_session();
    deleted.settle();
    assert!(deleted.session.is_null());
    assert!(deleted.secrets.is_empty());
}

/// A failure of this kind is one that `maxFailedDuration` speaks of.
#[rstest]
fn a_session_that_cannot_start_is_given_up_on(
    #[values(ErrorClass::Quota, ErrorClass::Forbidden, ErrorClass::Invalid)] class: ErrorClass,
    #[values(Kind::PersistentVolumeClaim, Kind::StatefulSet)] kind: Kind,
) {
    let mut cluster = cluster(session("hello").max_failed("10m"));
    cluster.refuse = Some((kind, class, "no".into()));
    cluster.settle();
    if kind == Kind::PersistentVolumeClaim {
        // What the scheduler says of the pod that waits for it is true, and explains nothing.
        let why = "persistentvolumeclaim \"hello\" not found";
        cluster.pod_status(json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}]}));
        cluster.settle();
    }
    let status = cluster.status();
    assert_eq!(status.state, State::Failed);
    assert_eq!(status.error, Some(format!("{kind} hello: no")));
    cluster.pass_time(600).settle();
    assert!(cluster.session["spec"]["hibernated"].as_bool().unwrap());
    cluster.refuse = None;
    cluster.settle();
    assert_eq!(cluster.status().state, State::Hibernated);
}

/// A batch session's Job is stopped and its result kept, whatever else is refused.
#[rstest]
fn a_batch_session_is_hibernated_and_ends(
    #[values(ErrorClass::Quota, ErrorClass::Forbidden, ErrorClass::Foreign)] class: ErrorClass,
    #[values(Kind::PersistentVolumeClaim, Kind::Secret)] kind: Kind,
) {
    let mut asleep = refused(session("hello").batch(), kind, class);
    asleep.edit("hibernated", json!(true)).settle();
    assert_eq!(asleep.status().state, State::Hibernated);
    assert_eq!(asleep.child(Kind::Job)["spec"]["suspend"], true);

    let mut ended = refused(session("hello").batch().max_hibernated("1h"), kind, class);
    ended.pod_exits(0);
    ended.settle();
    assert_eq!(ended.status().state, State::Succeeded);
    ended.pass_time(3600).settle();
    assert!(ended.session.is_null());
}
