//! Part c: sessions until Running against bare StatefulSets until ready, what the operator asks and uses for it, and
//! the same again while the sessions are idle.

use crate::{
    fixture,
    operator::{self, Operator},
    process::Usage,
    requests::Requests,
    table::{Bound, Row, Table},
    together::{self, Arrived, Together},
};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{PersistentVolumeClaim, Pod},
};
use kube::core::{ApiResource, DynamicObject};
use sojourn_cluster::{Cluster, Options, test_namespace};
use sojourn_crds::amalthea::AmaltheaSession;
use std::time::Duration;

/// After this the last status writes and Events are through.
const SETTLE: Duration = Duration::from_secs(10);

/// Measures with so many sessions, and lets them idle for so many seconds.
pub(crate) async fn run(table: &mut Table, sessions: usize, idle: u64) -> anyhow::Result<()> {
    let cluster = Cluster::start(Options {
        nodes: 20,
        audit_users: vec![operator::USER.into()],
        fast_controllers: true,
        ..Options::default()
    })
    .await?;
    let client = cluster.client().await?;
    let kinds = [
        ApiResource::erase::<Pod>(&()),
        ApiResource::erase::<StatefulSet>(&()),
        ApiResource::erase::<PersistentVolumeClaim>(&()),
    ];
    let stateful_sets = &kinds[1];

    // The controllers start slowly: what is measured first would be measured cold.
    let warm_up = test_namespace(&client, "warm-up").await?;
    let few = objects(50, fixture::bare_stateful_set);
    Together::new(&client, stateful_sets, &warm_up, pods_are_ready).paced(few).await?;
    together::clear(&client, stateful_sets, &warm_up, &kinds).await?;

    let namespace = test_namespace(&client, "bare").await?;
    let bare = objects(sessions, fixture::bare_stateful_set);
    let bare = Together::new(&client, stateful_sets, &namespace, pods_are_ready).paced(bare).await?;
    together::clear(&client, stateful_sets, &namespace, &kinds).await?;

    let namespace = test_namespace(&client, "complete").await?;
    let complete = objects(sessions, fixture::complete_stateful_set);
    let complete = Together::new(&client, stateful_sets, &namespace, pods_are_ready)
        .beside(fixture::beside)
        .paced(complete)
        .await?;
    together::clear(&client, stateful_sets, &namespace, &kinds[..2]).await?;

    let operator = Operator::start(&cluster).await?;
    let namespace = test_namespace(&client, "sessions").await?;
    let ours = ours(&cluster, &operator, &namespace, sessions, idle).await?;
    println!("requests until Running: {}", ours.requests);
    println!("requests while idle: {}", ours.idle_requests);

    let mut add = |figure: String, unit, value, limit, bound| {
        table.add(Row { part: 'c', figure, unit, value, limit, bound });
    };
    add(
        format!("{sessions} sessions until Running"),
        "/s",
        ours.arrived.rate,
        Some(bare.rate),
        Bound::RatioAtLeast(0.7),
    );
    // What Kubernetes does when somebody makes the same objects by hand: it binds one claim after the other.
    add(
        "the same, against the same objects made by hand".into(),
        "/s",
        ours.arrived.rate,
        Some(complete.rate),
        Bound::None,
    );
    add("one session until Running, median".into(), "s", ours.arrived.median, Some(bare.median), Bound::None);
    add(
        "API requests per session".into(),
        "",
        ours.requests.total() as f64 / sessions as f64,
        None,
        Bound::AtMost(7.0),
    );
    add("CPU until all are Running".into(), "s", ours.cpu, None, Bound::None);
    add("memory, peak".into(), "MiB", ours.idle.peak, None, Bound::Below(48.0));
    add("memory, idle".into(), "MiB", ours.idle.resident, None, Bound::Below(48.0));
    add(
        format!("API requests, {idle} s idle"),
        "",
        ours.idle_requests.total() as f64,
        None,
        Bound::AtMost(0.0),
    );
    add(format!("CPU, {idle} s idle"), "s", ours.idle_cpu, None, Bound::None);
    drop(operator);
    cluster.stop().await;
    Ok(())
}

/// What so many sessions cost.
pub(crate) struct Ours {
    pub(crate) arrived: Arrived,
    /// CPU seconds of the operator until all were Running.
    pub(crate) cpu: f64,
    /// What it asked until all were Running and told.
    pub(crate) requests: Requests,
    /// CPU seconds while they idled.
    pub(crate) idle_cpu: f64,
    /// What it asked while they idled.
    pub(crate) idle_requests: Requests,
    /// What it had used in the end.
    pub(crate) idle: Usage,
}

/// Lets so many sessions start in a namespace, and idle for so many seconds.
pub(crate) async fn ours(
    cluster: &Cluster,
    operator: &Operator,
    namespace: &str,
    sessions: usize,
    idle: u64,
) -> anyhow::Result<Ours> {
    let audit = cluster.audit()?;
    let (before, start) = (operator.usage()?, audit.cursor()?);
    let resource = ApiResource::erase::<AmaltheaSession>(&());
    let client = cluster.client().await?;
    let all = objects(sessions, fixture::small_session);
    let arrived = Together::new(&client, &resource, namespace, is_running).paced(all).await?;
    let running = operator.usage()?;
    tokio::time::sleep(SETTLE).await;
    let (entries, settled) = audit.since(start)?;
    let requests = Requests::count(&entries);
    let idle_from = operator.usage()?;
    tokio::time::sleep(Duration::from_secs(idle)).await;
    let (entries, _) = audit.since(settled)?;
    let idle_to = operator.usage()?;
    Ok(Ours {
        arrived,
        cpu: running.cpu - before.cpu,
        requests,
        idle_cpu: idle_to.cpu - idle_from.cpu,
        idle_requests: Requests::count(&entries),
        idle: idle_to,
    })
}

/// So many objects, each with a name of its own.
pub(crate) fn objects(count: usize, make: fn(&str) -> serde_json::Value) -> Vec<serde_json::Value> {
    (0..count).map(|index| make(&format!("s{index}"))).collect()
}

/// Whether the pod of a StatefulSet is ready.
pub(crate) fn pods_are_ready(stateful_set: &DynamicObject) -> bool {
    stateful_set.data["status"]["readyReplicas"] == 1
}

/// Whether a session runs.
pub(crate) fn is_running(session: &DynamicObject) -> bool {
    session.data["status"]["state"] == "Running"
}
