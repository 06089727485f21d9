//! What `helm uninstall` removes, in which order, and what it leaves.

use crate::{
    load::session,
    stage::{Stage, must},
};
use kube::{Api, api::PostParams};
use sojourn_cluster::{AuditCursor, eventually};
use sojourn_crds::amalthea::{AmaltheaSession, State};

#[tokio::test(flavor = "multi_thread")]
async fn the_webhooks_go_first_and_sessions_stay() {
    let stage = Stage::set().await;
    let _replica = stage.replica(&[]).await;
    stage.ready(1).await;
    let sessions: Api<AmaltheaSession> = Api::default_namespaced(stage.client.clone());
    sessions.create(&PostParams::default(), &session("stays", true)).await.unwrap();
    let state = async || sessions.get("stays").await.unwrap().status.map(|status| status.state);
    let runs = async || state().await == Some(State::Running);
    eventually("the session runs", runs).await.unwrap();

    let (_, before) = stage.cluster.audit().unwrap().since(AuditCursor::START).unwrap();
    must(stage.helm(&["uninstall", "sojourn", "--wait"]).await);

    let (entries, _) = stage.cluster.audit().unwrap().since(before).unwrap();
    let removed = entries.iter().filter(|entry| {
        entry.user == "admin" && entry.verb == "delete" && entry.code < 300 && entry.resource != "secrets"
    });
    let order: Vec<&str> = removed.map(|entry| entry.resource.as_str()).collect();
    let guards = |resource: &&str| resource.ends_with("webhookconfigurations");
    let first_other = order.iter().position(|resource| !guards(resource)).unwrap();
    let guarded = order[..first_other].iter().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(guarded.len(), 2, "both go before anything else: {order:?}");
    for resource in ["services", "deployments", "clusterrolebindings", "serviceaccounts"] {
        assert!(order[first_other..].contains(&resource), "{resource} goes: {order:?}");
    }
    let left = "validatingwebhookconfigurations,mutatingwebhookconfigurations,clusterroles";
    let left = must(stage.kubectl(&["get", left, "-o", "name"]).await);
    assert!(!left.contains("sojourn"), "{left}");
    // Sessions, and that there are sessions, stay.
    assert!(runs().await);
    must(stage.kubectl(&["get", "statefulset,pod", "-l", "app.kubernetes.io/instance=stays"]).await);
    sessions.create(&PostParams::default(), &session("late", true)).await.unwrap();
    stage.cluster.stop().await;
}
