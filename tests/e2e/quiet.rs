//! What the operator asks of the API server: little for a start, nothing while nothing happens, and never for
//! what is not a session's.

use crate::{
    objects::{acting, batch},
    support::{OPERATOR, OPERATOR_USER, Scene, must, scene},
};
use serde_json::json;
use sojourn_cluster::{AuditCursor, AuditEntry};
use sojourn_crds::amalthea::State;
use std::time::Duration;

/// Sessions whose start is counted.
const STARTED: [&str; 4] = ["one", "two", "three", "four"];

/// What the operator asked for in the scene's namespace since then, and a line for each.
fn asked(scene: &Scene, since: AuditCursor) -> (Vec<AuditEntry>, Vec<String>) {
    let (entries, _) = scene.stage.cluster.audit().unwrap().since(since).unwrap();
    let asked: Vec<AuditEntry> = entries
        .into_iter()
        .filter(|entry| entry.user == OPERATOR_USER && entry.namespace == scene.namespace)
        .collect();
    let line = |entry: &AuditEntry| {
        format!("{} {}/{} {} {}", entry.verb, entry.resource, entry.subresource, entry.name, entry.code)
    };
    let lines = asked.iter().map(line).collect();
    (asked, lines)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_takes_seven_requests_and_then_all_is_quiet() {
    let scene = scene("quiet").await;
    let start = scene.stage.cluster.audit().unwrap().cursor().unwrap();
    for name in STARTED {
        let host = format!("{name}.example.org");
        scene.session(name, json!({"ingress": {"host": host}, "culling": {"maxAge": "1h"}})).await;
        scene.reaches(name, State::Running).await;
    }

    let ends = acting(json!({"sojourn.dev/test-complete-after": "100ms"}), batch(json!({})));
    scene.session("done", ends).await;
    scene.session("job", batch(json!({"maxAge": "1h"}))).await;
    scene.session("asleep", json!({"ingress": {"host": "asleep.example.org"}})).await;
    scene.session("crash", acting(json!({"sojourn.dev/test-pod": "crash-loop"}), json!({}))).await;
    scene.reaches("asleep", State::Running).await;
    must(scene.patch("asleep", json!({"spec": {"hibernated": true}})).await);
    scene.reaches("asleep", State::Hibernated).await;
    scene.reaches("done", State::Succeeded).await;
    scene.reaches("job", State::Running).await;
    scene.reaches("crash", State::Failed).await;
    // Counts of containers are written some seconds after the last of them changed.
    tokio::time::sleep(Duration::from_secs(7)).await;

    let (_, lines) = asked(&scene, start);
    let of = |name: &str| -> Vec<&String> {
        lines.iter().filter(|line| line.contains(&format!(" {name}"))).collect()
    };
    for name in STARTED {
        let made: Vec<_> = of(name)
            .into_iter()
            .filter(|line| !line.contains("/status") && !line.contains("events/"))
            .collect();
        assert_eq!(
            made.len(),
            5,
            "each child of {name} is made once, and not looked at: {made:#?} of {lines:#?}"
        );
    }
    // A start that had to wait for a node or a claim tells of that, which takes a status write more.
    let starts: Vec<_> = STARTED.iter().map(|name| of(name)).collect();
    let cheapest = starts.iter().map(Vec::len).min();
    assert!(cheapest.is_some_and(|least| least <= 7), "{starts:#?}");

    let before: Vec<_> = scene.api().list(&Default::default()).await.unwrap().items;
    let quiet = scene.stage.cluster.audit().unwrap().cursor().unwrap();
    tokio::time::sleep(Duration::from_secs(20)).await;
    let (_, lines) = asked(&scene, quiet);
    let lines: Vec<_> = lines.iter().filter(|line| !line.starts_with("watch ")).collect();
    assert!(lines.is_empty(), "nothing happened, and the operator asked {lines:#?}");
    let after = scene.api().list(&Default::default()).await.unwrap().items;
    let versions = |list: &[sojourn_crds::amalthea::AmaltheaSession]| -> Vec<_> {
        list.iter().map(|session| session.metadata.resource_version.clone()).collect()
    };
    assert_eq!(versions(&after), versions(&before), "nobody wrote to the sessions");
}

/// W28: the original holds all secrets, pods, events and Jobs of the cluster in memory.
#[tokio::test(flavor = "multi_thread")]
async fn only_what_belongs_to_sessions_is_asked_for() {
    let scene = scene("labels").await;
    scene.session("main", json!({})).await;
    scene.reaches("main", State::Running).await;
    let (entries, _) = scene.stage.cluster.audit().unwrap().since(AuditCursor::START).unwrap();
    // A watch asks for all that there is too: lists are streamed.
    let lists = entries.iter().filter(|entry| entry.user == OPERATOR_USER);
    let lists = lists.filter(|entry| ["list", "watch"].contains(&entry.verb.as_str()));
    // To ask for an object by its name is to ask for that one.
    let lists = lists.filter(|entry| !entry.query.contains("fieldSelector=metadata.name%3D"));
    let of = |kind: &str| -> Vec<&AuditEntry> {
        // What the metrics API calls pods is no more than their use.
        let objects = lists.clone().filter(|entry| entry.group != "metrics.k8s.io");
        objects.filter(|entry| entry.resource == kind).collect()
    };
    let ours = "labelSelector=app.kubernetes.io%2Fpart-of%3Damaltheasession-operator";
    // In its own namespace the operator looks for IDEs.
    let beside = [
        ("secrets", "labelSelector=sojourn.dev%2Fide-endpoint%3Dtrue"),
        ("services", "fieldSelector=spec.type%3DExternalName"),
        ("pods", ""),
    ];
    for kind in ["pods", "secrets", "jobs", "statefulsets", "services", "ingresses", "persistentvolumeclaims"]
    {
        let lists = of(kind);
        assert!(lists.iter().any(|list| list.query.contains(ours)), "{kind} are asked for");
        for AuditEntry { namespace, query, .. } in lists {
            let at_home = namespace == OPERATOR.0
                && beside.iter().any(|(what, which)| *what == kind && query.contains(which));
            assert!(query.contains(ours) || at_home, "{kind} in {namespace:?}: {query}");
        }
    }
    let mut events = of("events").into_iter();
    assert!(events.all(|list| list.query.contains("fieldSelector=type%3DWarning")));
}
