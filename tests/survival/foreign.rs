//! Others make a thousand objects a second beside a session: the operator does not answer to any of them.

use crate::{
    line::Line,
    operator::Life,
    plots::{self, Act, NAME},
    stage::Stage,
    story::AT_ONCE,
};
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{ConfigMap, Event, ObjectReference};
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};
use serde_json::json;
use sojourn_cluster::eventually;
use sojourn_crds::amalthea::AmaltheaSession;
use std::time::{Duration, Instant};

/// Objects of others.
const FLOOD: usize = 5000;
/// Writes at a time.
const AT_A_TIME: usize = 64;

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_foreign_events_makes_no_call() {
    let stage = Stage::set().await;
    let _turn = stage.turns.acquire().await;
    let namespace = stage.namespace().await;
    let line = Line::new(AT_ONCE);
    let life = Life::start(stage.cluster, &namespace, line.clone()).await;
    let sessions: Api<AmaltheaSession> = Api::namespaced(stage.client.clone(), &namespace);
    let Act::Create(spec) = &plots::always().scenes[0].act else { panic!("stories begin with a session") };
    let session = serde_json::from_value(json!({
        "apiVersion": "amalthea.dev/v1alpha1", "kind": "AmaltheaSession",
        "metadata": {"name": NAME, "namespace": namespace}, "spec": spec,
    }));
    sessions.create(&PostParams::default(), &session.unwrap()).await.unwrap();
    eventually("the session runs and is left alone", async || {
        let before = line.said();
        tokio::time::sleep(Duration::from_secs(2)).await;
        (plots::always().scenes[0].ends)(&stage.witness.holdings(&namespace))
            && line.said().calls.len() == before.calls.len()
    })
    .await
    .unwrap();

    line.arm(None);
    let started = Instant::now();
    let events: Api<Event> = Api::namespaced(stage.client.clone(), &namespace);
    let maps: Api<ConfigMap> = Api::namespaced(stage.client.clone(), &namespace);
    stream::iter(0..FLOOD)
        .for_each_concurrent(AT_A_TIME, async |index| {
            let params = PostParams::default();
            if index.is_multiple_of(2) {
                events.create(&params, &warning(&namespace, index)).await.unwrap();
            } else {
                maps.create(&params, &map(index)).await.unwrap();
            }
        })
        .await;
    println!("{:.0} foreign objects a second", FLOOD as f64 / started.elapsed().as_secs_f64());
    eventually("the operator has heard of them", async || line.said().events >= FLOOD as u64 / 2)
        .await
        .unwrap();
    assert_eq!(line.said().calls, Vec::<String>::new());
    life.end().await;
}

/// A warning about a pod, in every other case one whose name a pod of the session could have.
fn warning(namespace: &str, index: usize) -> Event {
    let pod = if index.is_multiple_of(4) { format!("{NAME}-0") } else { format!("foreign-{index}") };
    Event {
        metadata: ObjectMeta { name: Some(format!("flood-{index}")), ..ObjectMeta::default() },
        involved_object: ObjectReference {
            kind: Some("Pod".into()),
            name: Some(pod),
            namespace: Some(namespace.to_owned()),
            uid: Some(format!("foreign-{index}")),
            ..ObjectReference::default()
        },
        type_: Some("Warning".into()),
        reason: Some("FailedMount".into()),
        message: Some("somebody else's trouble".into()),
        last_timestamp: Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::now())),
        ..Event::default()
    }
}

/// An object that looks as if it belonged to the session.
fn map(index: usize) -> ConfigMap {
    let labels = [("app.kubernetes.io/instance".to_owned(), NAME.to_owned())];
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(format!("flood-{index}")),
            labels: Some(labels.into()),
            ..ObjectMeta::default()
        },
        ..ConfigMap::default()
    }
}
