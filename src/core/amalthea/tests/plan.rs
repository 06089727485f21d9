//! What is written and deleted, under each strategy, and what is left alone.

use super::{
    cluster::{Cluster, cluster},
    fixtures::*,
};
use crate::core::{
    error::ErrorClass,
    manifest::Write,
    object::Kind,
    workload::{KeepReason, KeptSecret},
};
use rstest::rstest;
use serde_json::json;

fn writes(cluster: &Cluster) -> Vec<(Kind, bool)> {
    let plan = cluster.plan();
    plan.write.iter().map(|write| (write.target().0, matches!(write, Write::Create { .. }))).collect()
}

#[test]
fn what_a_workload_mounts_comes_before_it() {
    use Kind::{Ingress, PersistentVolumeClaim, Secret, Service, StatefulSet};
    let kinds: Vec<Kind> =
        writes(&cluster(session("hello").ingress())).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [PersistentVolumeClaim, Secret, StatefulSet, Service, Ingress]);
}

#[rstest]
#[case::interactive(session("hello").ingress())]
#[case::oidc(session("hello").ingress().authentication("oidc"))]
#[case::remote(session("hello").ingress().remote())]
#[case::batch(session("hello").batch().max_age("1h"))]
#[case::adopted(session("hello").ingress().spec("ingress/tlsSecret", json!({"name": "tls", "adopt": true})))]
#[case::zeros(session("hello").spec("extraContainers", json!([{"name": "x", "image": "x", "terminationMessagePath": "",
    "readinessProbe": {"initialDelaySeconds": 0, "periodSeconds": 0, "tcpSocket": {"port": 1}},
    "env": [{"name": "A", "value": ""}], "resources": {"limits": {"cpu": "2000m", "memory": "1024Mi"}}}])))]
fn once_written_there_is_nothing_to_do(
    #[case] draft: Draft,
    #[values("always", "never", "whenFailedOrHibernated")] strategy: &str,
) {
    let mut cluster = cluster(draft.strategy(strategy)).running(1);
    cluster.pass_time(1000);
    assert_eq!(cluster.plan(), crate::core::amalthea::Plan::default());
    assert_eq!(cluster.pass(), 0, "{:?}", cluster.log.last());
}

#[test]
fn a_name_that_is_taken_is_left_alone() {
    let mut cluster = cluster(session("hello"));
    cluster.settle();
    let before = {
        let set = cluster.child_mut(Kind::StatefulSet);
        set["metadata"]["ownerReferences"][0]["uid"] = json!("another");
        set.clone()
    };
    cluster.edit("session/image", json!("other")).edit("hibernated", json!(true));
    let plan = cluster.plan();
    assert_eq!(plan.blocked.len(), 1);
    assert_eq!((plan.blocked[0].kind, plan.blocked[0].class), (Kind::StatefulSet, ErrorClass::Foreign));
    cluster.pass();
    assert_eq!(cluster.child(Kind::StatefulSet), &before);
    cluster.child_mut(Kind::StatefulSet)["metadata"]["deletionTimestamp"] = json!(at(1).to_string());
    assert_eq!(cluster.plan().blocked[0].class, ErrorClass::Transient, "it frees the name by itself");
}

#[test]
fn a_foreign_ingress_is_not_deleted() {
    let mut cluster = cluster(session("hello").ingress());
    cluster.settle();
    cluster.child_mut(Kind::Ingress)["metadata"]["ownerReferences"][0]["uid"] = json!("another");
    cluster.edit("hibernated", json!(true)).settle();
    assert!(cluster.find(Kind::Ingress).is_some());
}

/// A change of the template goes through the gate; the state of the last pass opens it.
#[rstest]
#[case("always", true, true, true)]
#[case("never", false, false, false)]
#[case("whenFailedOrHibernated", false, true, true)]
fn the_gate(#[case] strategy: &str, #[case] running: bool, #[case] failed: bool, #[case] hibernated: bool) {
    let image = |cluster: &Cluster| {
        cluster.child(Kind::StatefulSet)["spec"]["template"]["spec"]["containers"][0]["image"] == "other"
    };
    let start = cluster(session("hello").strategy(strategy)).running(1);

    let mut while_running = start.clone();
    while_running.edit("session/image", json!("other")).settle();
    assert_eq!(image(&while_running), running);

    let mut while_failed = start.clone();
    while_failed.container(json!({"waiting": {"reason": "ErrImagePull"}})).settle();
    while_failed.edit("session/image", json!("other")).settle();
    assert_eq!(image(&while_failed), failed);

    let mut resumed = start;
    resumed.edit("session/image", json!("other")).edit("hibernated", json!(true)).settle();
    resumed.pass_time(10).edit("hibernated", json!(false)).settle();
    assert_eq!(image(&resumed), hibernated);
}

/// What decides where a pod runs is written under every strategy, and goes when the spec has it no more.
#[rstest]
#[case("tolerations", json!([{"key": "gpu"}]), json!([]))]
#[case("nodeSelector", json!({"pool": "a"}), json!({}))]
#[case("affinity", json!({"nodeAffinity": {"x": 1}}), json!(null))]
#[case("priorityClassName", json!("high"), json!(""))]
fn scheduling_fields(
    #[case] field: &str,
    #[case] some: serde_json::Value,
    #[case] none: serde_json::Value,
    #[values("always", "never")] strategy: &str,
) {
    let mut cluster = cluster(session("hello").strategy(strategy)).running(1);
    cluster.edit(field, some.clone()).settle();
    let pod =
        |cluster: &Cluster| cluster.child(Kind::StatefulSet)["spec"]["template"]["spec"].get(field).cloned();
    assert_eq!(pod(&cluster), Some(some));
    cluster.edit(field, none).settle();
    assert_eq!(pod(&cluster), None);
}

#[test]
fn replicas_are_put_right_under_every_strategy() {
    let mut cluster = cluster(session("hello").strategy("never")).running(1);
    cluster.child_mut(Kind::StatefulSet)["spec"]["replicas"] = json!(3);
    cluster.settle();
    assert_eq!(cluster.child(Kind::StatefulSet)["spec"]["replicas"], 1);
}

/// W24
#[test]
fn the_ingress_goes_and_comes() {
    let mut cluster = cluster(session("hello").ingress()).running(1);
    assert_eq!(cluster.child(Kind::Ingress)["spec"]["ingressClassName"], "nginx", "the default class");
    cluster.edit("session/urlPath", json!("/other")).edit("ingress/annotations", json!({"a": "b"})).settle();
    // W23
    assert_eq!(cluster.child(Kind::Ingress)["spec"]["ingressClassName"], "nginx");
    cluster.edit("hibernated", json!(true)).settle();
    assert!(cluster.find(Kind::Ingress).is_none());
    cluster.pass_time(10).edit("hibernated", json!(false)).settle();
    assert!(cluster.find(Kind::Ingress).is_some());
    cluster.session["spec"].as_object_mut().unwrap().remove("ingress");
    cluster.settle();
    assert!(cluster.find(Kind::Ingress).is_none());
}

/// Claims of the session, in the order of their names.
fn claims(cluster: &Cluster) -> Vec<&str> {
    let keys = cluster.objects.keys().filter(|(kind, _)| *kind == Kind::PersistentVolumeClaim);
    keys.map(|(_, name)| name.as_str()).collect()
}

fn sources(count: usize) -> serde_json::Value {
    (0..count).map(|i| json!({"mountPath": format!("/d{i}"), "secretRef": {"name": "s"}})).collect()
}

/// W24
#[test]
fn the_claim_of_a_data_source_goes_when_the_spec_drops_it() {
    let mut cluster = cluster(session("hello").spec("dataSources", sources(2))).running(1);
    assert_eq!(claims(&cluster), ["amalthea-hello-ds-0", "amalthea-hello-ds-1", "hello"]);
    cluster.edit("dataSources", sources(1));
    let plan = cluster.plan();
    assert_eq!(plan.delete, [], "the template that mounts it comes first");
    assert_eq!(plan.write[0].target().0, Kind::StatefulSet);
    cluster.settle();
    assert_eq!(claims(&cluster), ["amalthea-hello-ds-0", "hello"]);
    cluster.edit("dataSources", json!([])).settle();
    assert_eq!(claims(&cluster), ["hello"], "the user's files stay");
    cluster.edit("dataSources", sources(1)).settle();
    assert_eq!(claims(&cluster), ["amalthea-hello-ds-0", "hello"]);
}

#[test]
fn a_claim_stays_while_the_workload_would_mount_it() {
    let mut interactive =
        cluster(session("hello").strategy("never").spec("dataSources", sources(1))).running(1);
    interactive.edit("dataSources", json!([])).edit("hibernated", json!(true)).settle();
    assert_eq!(claims(&interactive), ["amalthea-hello-ds-0", "hello"]);

    let mut batch = cluster(session("hello").batch().spec("dataSources", sources(1))).running(1);
    batch.edit("dataSources", json!([])).settle();
    assert_eq!(claims(&batch), ["amalthea-hello-ds-0", "hello"], "a Job's template stays as it is");
    batch.pod_exits(0);
    batch.settle();
    assert_eq!(claims(&batch), ["hello"]);
}

#[test]
fn claims_that_only_look_like_a_data_sources_stay() {
    let mut cluster = cluster(session("hello").spec("dataSources", sources(3))).running(1);
    let name = |name: &str| (Kind::PersistentVolumeClaim, name.to_owned());
    let mut move_to = |from: &str, to: &str, owner: &str| {
        let mut claim = cluster.objects.remove(&name(from)).unwrap();
        claim["metadata"]["name"] = json!(to);
        claim["metadata"]["ownerReferences"][0]["uid"] = json!(owner);
        cluster.objects.insert(name(to), claim);
    };
    move_to("amalthea-hello-ds-0", "amalthea-hello-ds-0", "another");
    move_to("amalthea-hello-ds-1", "amalthea-hello-ds-", "uid-of-hello");
    move_to("amalthea-hello-ds-2", "amalthea-hello-ds-2-kept", "uid-of-hello");
    cluster.edit("dataSources", json!([])).settle();
    assert_eq!(
        claims(&cluster),
        ["amalthea-hello-ds-", "amalthea-hello-ds-0", "amalthea-hello-ds-2-kept", "hello"]
    );
}

#[rstest]
#[case("WSTUNNEL_SECRET", session("hello").remote().ingress())]
#[case("oauth2-proxy-config.yaml", session("hello").ingress().authentication("oidc"))]
fn secrets_are_made_once(#[case] key: &str, #[case] draft: Draft) {
    let mut cluster = cluster(draft).running(1);
    let secret =
        |cluster: &Cluster| cluster.objects[&(Kind::Secret, "hello---internal".into())]["data"][key].clone();
    let made = secret(&cluster);
    cluster.edit("template/metadata/labels", json!({"a": "b"})).settle();
    assert_eq!(secret(&cluster), made);
}

#[test]
fn the_size_of_a_claim_may_grow_and_its_class_stays() {
    let mut cluster = cluster(session("hello").spec("session/storage/className", json!("fast"))).running(1);
    cluster.session["spec"]["session"]["storage"] = json!({"size": "2Gi"});
    cluster.settle();
    let spec = &cluster.child(Kind::PersistentVolumeClaim)["spec"];
    assert_eq!(
        (&spec["storageClassName"], &spec["resources"]["requests"]["storage"]),
        (&json!("fast"), &json!("2Gi"))
    );
}

#[test]
fn adopted_secrets_go_with_the_session() {
    let draft = session("hello")
        .ingress()
        .spec("ingress/tlsSecret", json!({"name": "tls", "adopt": true}))
        .spec("imagePullSecrets", json!([{"name": "pull", "adopt": true}, {"name": "kept"}]))
        .approved(&["tls", "pull", "kept"]);
    let mut cluster = cluster(draft);
    cluster.secrets = ["tls", "pull", "kept"].map(str::to_owned).into();
    cluster.shared_secrets = vec!["pull".into()];
    cluster.settle();
    assert_eq!(cluster.session["metadata"]["finalizers"], json!(["amalthea.dev/secrets-finalizer"]));
    cluster.delete_session();
    let plan = cluster.plan();
    let pull = KeptSecret { name: "pull".into(), reason: KeepReason::Shared };
    assert_eq!((plan.delete_secrets, plan.keep_secrets), (vec!["tls".into()], vec![pull]));
    cluster.settle();
    assert!(cluster.session.is_null());
    assert_eq!(cluster.secrets, ["kept", "pull"].map(str::to_owned).into());
}

/// Admission is not asked everywhere and always. The spec alone never makes the operator delete a secret.
#[rstest]
#[case::no_record(session("hello"))]
#[case::of_other_secrets(session("hello").approved(&["other"]))]
#[case::of_another_session(session("other").approved(&["victim"]).with("/metadata/uid", json!("uid-of-hello")))]
#[case::forged(session("hello").with("/metadata/annotations/sojourn.dev~1approved-adoptions",
    json!(r#"{"secrets":["victim"],"binding":{"uid":"uid-of-hello"},"mac":"AAAA"}"#)))]
fn an_adoption_that_nobody_approved_deletes_nothing(#[case] draft: Draft) {
    let mut cluster = cluster(draft.with("/metadata/finalizers", json!(["amalthea.dev/secrets-finalizer"])));
    cluster.secrets = ["victim".to_owned()].into();
    cluster.delete_session();
    cluster.edit("imagePullSecrets", json!([{"name": "victim", "adopt": true}]));
    let kept = KeptSecret { name: "victim".into(), reason: KeepReason::NotApproved };
    assert_eq!(cluster.plan().keep_secrets, [kept]);
    cluster.settle();
    assert!(cluster.session.is_null());
    assert_eq!(cluster.secrets, ["victim".to_owned()].into());
}

#[test]
fn a_finalizer_only_while_there_is_something_to_delete() {
    let mut cluster = cluster(session("hello").with("/metadata/finalizers", json!(["other"])));
    cluster.settle();
    assert_eq!(cluster.session["metadata"]["finalizers"], json!(["other"]));
    cluster.edit("imagePullSecrets", json!([{"name": "pull", "adopt": true}])).settle();
    assert_eq!(cluster.session["metadata"]["finalizers"], json!(["other", "amalthea.dev/secrets-finalizer"]));
    cluster.edit("imagePullSecrets", json!([])).settle();
    assert_eq!(cluster.session["metadata"]["finalizers"], json!(["other"]));
}

/// Deleted while others hold it: what is ours to do is done once.
#[test]
fn a_session_that_others_hold_is_left_in_peace() {
    let draft = session("hello").batch().with("/metadata/finalizers", json!(["other"]));
    let mut cluster = cluster(draft).running(1);
    cluster.delete_session();
    cluster.settle();
    assert!(cluster.session["metadata"].get("deletionTimestamp").is_some());
    let finalizers = cluster.child(Kind::Job)["metadata"]["finalizers"].clone();
    assert!(finalizers.as_array().is_none_or(Vec::is_empty), "{finalizers}");
    assert_eq!(cluster.pass(), 0);
}
