//! Memory with many hibernated sessions, as they come and after a cold start, and how long that start takes.

use crate::{
    crowd::many_nodes,
    fixture,
    operator::Operator,
    sessions::objects,
    table::{Bound, Row, Table},
    together::Together,
};
use kube::{
    Api, Client,
    api::ListParams,
    core::{ApiResource, DynamicObject},
};
use serde_json::Value;
use sojourn_cluster::test_namespace;
use sojourn_crds::amalthea::AmaltheaSession;
use std::time::Duration;

const SESSIONS: usize = 5000;
/// MiB.
const MEMORY: Bound = Bound::AtMost(64.0);
/// Seconds.
const COLD_START: Bound = Bound::AtMost(1.5);
/// A new leader has begun to look at all sessions by then.
const LEADING: Duration = Duration::from_secs(5);

/// Measures both.
pub(crate) async fn run(table: &mut Table) -> anyhow::Result<()> {
    let mut add = |figure: &str, unit, value, bound| {
        let figure = format!("{SESSIONS} hibernated: {figure}");
        table.add(Row { part: 'k', figure, unit, value, limit: None, bound });
    };
    let cluster = many_nodes().await?;
    let client = cluster.client().await?;
    let mut operator = Operator::start(&cluster).await?;
    let namespace = test_namespace(&client, "hibernated").await?;
    let resource = ApiResource::erase::<AmaltheaSession>(&());
    let all = objects(SESSIONS, session);
    Together::new(&client, &resource, &namespace, is_hibernated).at_once(all).await?;
    operator.until_quiet().await?;
    let grown = operator.usage()?;
    add("memory as they come", "MiB", grown.resident, MEMORY);
    add("the same, peak", "MiB", grown.peak, Bound::None);

    let ready = operator.restart().await?;
    tokio::time::sleep(LEADING).await;
    operator.until_quiet().await?;
    let cold = operator.usage()?;
    add("cold start until ready", "s", ready.as_secs_f64(), COLD_START);
    add("memory after a cold start", "MiB", cold.resident, MEMORY);
    add("the same, peak", "MiB", cold.peak, Bound::None);
    let woken = not_hibernated(&client, &resource, &namespace).await?;
    add("no longer hibernated after a cold start", "", woken as f64, Bound::AtMost(0.0));
    drop(operator);
    cluster.stop().await;
    Ok(())
}

/// How many sessions are in another state than they were.
async fn not_hibernated(client: &Client, resource: &ApiResource, namespace: &str) -> anyhow::Result<usize> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, resource);
    let sessions = api.list(&ListParams::default()).await?;
    Ok(sessions.iter().filter(|session| !is_hibernated(session)).count())
}

fn session(name: &str) -> Value {
    let mut session = fixture::small_session(name);
    session["spec"]["hibernated"] = true.into();
    session
}

fn is_hibernated(session: &DynamicObject) -> bool {
    session.data["status"]["state"] == "Hibernated"
}
