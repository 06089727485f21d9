//! What a person sees who creates one session, while nothing else happens.

use crate::{
    fixture,
    sessions::is_running,
    table::{Bound, Row, Table},
};
use anyhow::Context as _;
use futures::TryStreamExt;
use kube::{
    Api, Client,
    api::PostParams,
    core::{ApiResource, DynamicObject},
    runtime::{WatchStreamExt, watcher},
};
use sojourn_cluster::test_namespace;
use sojourn_crds::amalthea::AmaltheaSession;
use std::time::{Duration, Instant};

const SESSIONS: usize = 15;
/// Between one session and the next, so that nothing of the one is left to do.
const PAUSE: Duration = Duration::from_millis(500);
/// Seconds within which there is to be news of a session, whatever is saved.
const NEWS: Bound = Bound::AtMost(1.0);

/// Measures one after the other.
pub(crate) async fn run(table: &mut Table, client: &Client) -> anyhow::Result<()> {
    let namespace = test_namespace(client, "alone").await?;
    let resource = ApiResource::erase::<AmaltheaSession>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource);
    let (mut told, mut ran) = (Vec::new(), Vec::new());
    for index in 0..SESSIONS {
        let (first, running) = one(&api, &format!("alone{index}")).await?;
        told.push(first);
        ran.push(running);
        tokio::time::sleep(PAUSE).await;
    }
    for (figure, mut times, bound) in
        [("until its first status", told, NEWS), ("until Running", ran, Bound::None)]
    {
        times.sort_unstable();
        for (which, at) in [("median", SESSIONS / 2), ("slowest", SESSIONS - 1)] {
            let figure = format!("one session alone: {figure}, {which}");
            let value = times[at].as_secs_f64();
            table.add(Row { part: 'k', figure, unit: "s", value, limit: None, bound });
        }
    }
    Ok(())
}

/// How long one session takes until it has a status, and until it runs.
async fn one(api: &Api<DynamicObject>, name: &str) -> anyhow::Result<(Duration, Duration)> {
    let session: DynamicObject = serde_json::from_value(fixture::small_session(name))?;
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut news = std::pin::pin!(watcher(api.clone(), config).default_backoff().applied_objects());
    let created = Instant::now();
    api.create(&PostParams::default(), &session).await?;
    let mut first = None;
    while let Some(session) = news.try_next().await? {
        if session.data["status"].is_object() {
            first.get_or_insert(created.elapsed());
        }
        if is_running(&session) {
            return Ok((first.context("it runs without a status")?, created.elapsed()));
        }
    }
    anyhow::bail!("the watch ended")
}
