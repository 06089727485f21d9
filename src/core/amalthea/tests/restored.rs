//! Children that another client changed or deleted are put back, and that is told.

use super::{
    cluster::{Cluster, cluster},
    fixtures::*,
};
use crate::core::{
    amalthea::{Applied, events},
    manifest::FINGERPRINT,
    object::Kind,
};
use rstest::rstest;
use serde_json::{Value, json};

/// What is told of what is written now.
fn told(cluster: &mut Cluster) -> Vec<String> {
    let observed = cluster.observed();
    let plan = cluster.plan_for(&observed);
    let applied = cluster.carry_out(&plan);
    let events = events::for_restored(&observed, &plan, &applied);
    assert!(
        events.iter().all(|event| event.warning && event.topic.is_some()),
        "they are bounded: {events:?}"
    );
    events.into_iter().map(|event| event.message).collect()
}

#[rstest]
#[case::scaled(Kind::StatefulSet, "/spec/replicas", json!(0), "spec.replicas")]
#[case::image(Kind::StatefulSet, "/spec/template/spec/containers/0/image", json!("x"), "spec.template.spec.containers.0.image")]
#[case::port(Kind::Service, "/spec/ports/0/port", json!(81), "spec.ports.0.port")]
#[case::host(Kind::Ingress, "/spec/rules/0/host", json!("x"), "spec.rules.0.host")]
fn a_change_of_another_client(
    #[case] kind: Kind,
    #[case] field: &str,
    #[case] value: Value,
    #[case] named: &str,
) {
    let mut cluster = cluster(session("hello").ingress()).running(1);
    *cluster.child_mut(kind).pointer_mut(field).unwrap() = value;
    let text = format!(
        "The {kind} hello was changed by another client ({named}), and was changed back; change the session instead"
    );
    assert_eq!(told(&mut cluster), [text]);
    assert_eq!(told(&mut cluster), [""; 0], "once");
}

/// The claim of the files is not created again: that is a decision of somebody (`claims.rs`).
#[rstest]
#[case(Kind::Secret, "hello---internal")]
#[case(Kind::StatefulSet, "hello")]
#[case(Kind::Service, "hello")]
#[case(Kind::Ingress, "hello")]
fn a_deletion_by_another_client(#[case] kind: Kind, #[case] name: &str) {
    let mut cluster = cluster(session("hello").ingress()).running(1);
    cluster.delete_object(&(kind, name.to_owned()));
    let text = format!("The {kind} {name} was deleted by another client, and was created again");
    assert_eq!(told(&mut cluster), [text]);
    assert_eq!(told(&mut cluster), [""; 0], "once");
}

/// What the operator does of its own is no news of this kind.
#[rstest]
#[case::interactive(session("hello").ingress())]
#[case::batch(session("hello").batch().max_age("1h"))]
fn what_nobody_else_did(
    #[case] draft: Draft,
    #[values("always", "never", "whenFailedOrHibernated")] strategy: &str,
) {
    let mut cluster = cluster(draft.strategy(strategy).spec("dataSources", json!([])));
    let source = json!([{"mountPath": "/d", "secretRef": {"name": "s"}}]);
    let edits = [
        ("session/env", json!([{"name": "A", "value": "1"}])),
        ("dataSources", source),
        ("hibernated", json!(true)),
        ("dataSources", json!([])),
        ("hibernated", json!(false)),
    ];
    let mut all = Vec::new();
    for edit in std::iter::once(None).chain(edits.into_iter().map(Some)) {
        if let Some((field, value)) = edit {
            cluster.edit(field, value);
        }
        for _ in 0..6 {
            all.extend(told(&mut cluster));
            cluster.pass_time(1).pass();
            cluster.run_controllers();
            cluster.pod_ready();
        }
    }
    assert_eq!(all, [""; 0]);
}

/// A webhook of the cluster may change what is applied, each time.
#[test]
fn what_a_webhook_of_the_cluster_changes() {
    let mut cluster = cluster(session("hello")).running(1);
    cluster.child_mut(Kind::StatefulSet)["spec"]["replicas"] = json!(0);
    let observed = cluster.observed();
    let plan = cluster.plan_for(&observed);
    let key = (Kind::StatefulSet, "hello".to_owned());
    let applied =
        Applied { children: [(key.clone(), observed.children[&key].clone())].into(), ..Applied::default() };
    assert_eq!((plan.write.len(), events::for_restored(&observed, &plan, &applied)), (1, Vec::new()));
}

/// Children of the original were never ours as we want them.
#[test]
fn what_was_taken_over() {
    let mut cluster = cluster(session("hello").strategy("never")).running(1);
    let set = cluster.child_mut(Kind::StatefulSet);
    set["metadata"]["annotations"].as_object_mut().unwrap().remove(FINGERPRINT);
    set["spec"]["replicas"] = json!(0);
    assert_eq!(told(&mut cluster), [""; 0]);
}
