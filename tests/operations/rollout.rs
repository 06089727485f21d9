//! An upgrade from the first version of the chart, with both replicas replaced, while sessions are admitted and start:
//! no admission fails, no session is stuck, and nothing is written twice.

use crate::{
    load::{Load, client, session},
    stage::{CHART, OPERATOR, Stage, must},
};
use kube::{
    Api,
    api::{ListParams, PostParams},
};
use sojourn_cluster::{AuditCursor, eventually, test_namespace};
use sojourn_crds::amalthea::{AmaltheaSession, State};
use std::{collections::BTreeMap, time::Duration};

/// The chart as it was first released.
const FIRST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/operations/first/sojourn-0.1.0.tgz");
/// Sessions that start meanwhile.
const SESSIONS: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_fails_no_admission_and_no_session() {
    let stage = Stage::set_from(FIRST).await;
    stage.make_do_with_this_binary().await;
    let replica = async || stage.replica(&["--shutdown-delay=3s"]).await;
    let mut replicas = vec![replica().await, replica().await];
    stage.ready(2).await;
    let load = Load::start(&stage.cluster).await;
    let namespace = test_namespace(&stage.client, "rollout").await.unwrap();
    let sessions: Api<AmaltheaSession> = Api::namespaced(client(&stage.cluster).await, &namespace);
    let starting = {
        let sessions = sessions.clone();
        tokio::spawn(async move {
            for number in 0..SESSIONS {
                let wanted = session(&format!("s-{number:03}"), true);
                sessions.create(&PostParams::default(), &wanted).await.unwrap();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
    };

    must(stage.upgrade(CHART, &["--set", "webhooks.trustedUsers={someone}"]).await);
    // As a Deployment does with maxUnavailable 25 % of two: the new one first.
    for _ in 0..2 {
        replicas.push(replica().await);
        stage.ready(3).await;
        let mut old = replicas.remove(0);
        old.terminate();
        assert!(old.ended().await, "it ends by itself, and well");
        stage.service.endpoints.remove(old.health);
        stage.ready(2).await;
    }
    starting.await.unwrap();
    let running = async || {
        let all = sessions.list(&ListParams::default()).await.unwrap();
        let states = all.items.iter().filter_map(|session| session.status.as_ref());
        states.filter(|status| status.state == State::Running).count() == SESSIONS
    };
    eventually("every session runs", running).await.unwrap_or_else(|error| panic!("{error}"));
    let before = load.answers();
    eventually("admission goes on", async || load.answers() > before + 20).await.unwrap();
    let (answers, wrong) = load.end().await;
    assert!(wrong.is_empty(), "{} of {answers} answers: {wrong:#?}", wrong.len());
    assert!(answers > 200, "only {answers} answers");

    // What was done, by object: a child is created once, whoever leads, and needs nothing more. A call that a leader
    // left under way when it ended is on record as failed, whether it came about or not.
    let (entries, _) = stage.cluster.audit().unwrap().since(AuditCursor::START).unwrap();
    let mut writes: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.user == OPERATOR && entry.namespace == namespace) {
        let child = !["events", "amaltheasessions"].contains(&entry.resource.as_str());
        if child && entry.code < 300 && ["create", "patch", "update", "delete"].contains(&entry.verb.as_str())
        {
            writes.entry(format!("{} {}", entry.resource, entry.name)).or_default().push(&entry.verb);
        }
    }
    // A claim, a secret, a workload and a Service each.
    let all = 4 * SESSIONS;
    assert!((all - 20..=all).contains(&writes.len()), "{} children of {all}", writes.len());
    let twice: Vec<_> = writes.iter().filter(|(_, writes)| writes.as_slice() != ["create"]).collect();
    assert!(twice.is_empty(), "written more than once: {twice:#?}");
    stage.cluster.stop().await;
}
