//! Parts k and l: what sessions cost that are created all at once, the cluster too, beside the same objects made by a
//! script.

use crate::{
    alone, fixture, hibernated,
    operator::{self, Operator},
    process,
    requests::Requests,
    script,
    sessions::{is_running, objects, pods_are_ready},
    table::{Bound, Row, Table},
    together::{Arrived, Together},
};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::core::ApiResource;
use sojourn_cluster::{Cluster, Options, test_namespace};
use sojourn_crds::amalthea::AmaltheaSession;
use std::time::Duration;

/// How many there are at once, with the most API requests for each and the most memory in MiB. Fewer have no bound for
/// it: most of what little they need is that of the program. Of 500, some twenty report their progress.
const SIZES: [(usize, f64, Option<f64>); 2] = [(500, 6.05, None), (2000, 6.5, Some(48.0))];
const MANY: usize = 10_000;
const MEMORY_OF_MANY: f64 = 128.0;
/// After this the last status writes and Events are through.
const SETTLE: Duration = Duration::from_secs(10);

/// Measures each size, and sessions that are hibernated.
pub(crate) async fn run(table: &mut Table) -> anyhow::Result<()> {
    for (index, (size, requests, memory)) in SIZES.into_iter().enumerate() {
        let script = by_script(size).await?;
        let cluster = many_nodes().await?;
        let operator = Operator::start(&cluster).await?;
        if index == 0 {
            alone::run(table, &cluster.client().await?).await?;
        }
        let ours = by_operator(&cluster, &operator, size).await?;
        drop(operator);
        cluster.stop().await;
        rows(table, 'k', size, &ours, Some(&script), Some(requests), memory);
    }
    hibernated::run(table).await
}

/// Measures ten thousand. A script would take as long again, and what it costs for each is known by then.
pub(crate) async fn many(table: &mut Table) -> anyhow::Result<()> {
    let cluster = many_nodes().await?;
    let operator = Operator::start(&cluster).await?;
    let ours = by_operator(&cluster, &operator, MANY).await?;
    drop(operator);
    cluster.stop().await;
    rows(table, 'l', MANY, &ours, None, None, Some(MEMORY_OF_MANY));
    Ok(())
}

/// What it took until all had arrived.
struct Way {
    arrived: Arrived,
    /// CPU seconds of the API server.
    api_server: f64,
}

/// The same of the operator's way, and what it used in the end.
struct Ours {
    way: Way,
    requests: Requests,
    memory: process::Usage,
}

async fn by_script(size: usize) -> anyhow::Result<Way> {
    let cluster = many_nodes().await?;
    let client = cluster.client().await?;
    let namespace = test_namespace(&client, "script").await?;
    let sets = ApiResource::erase::<StatefulSet>(&());
    let all = objects(size, script::stateful_set);
    let before = api_server(&cluster)?;
    let arrived =
        Together::new(&client, &sets, &namespace, pods_are_ready).beside(script::beside).at_once(all).await?;
    let way = Way { arrived, api_server: api_server(&cluster)? - before };
    cluster.stop().await;
    Ok(way)
}

async fn by_operator(cluster: &Cluster, operator: &Operator, size: usize) -> anyhow::Result<Ours> {
    let client = cluster.client().await?;
    let namespace = test_namespace(&client, "sessions").await?;
    let sessions = ApiResource::erase::<AmaltheaSession>(&());
    let all = objects(size, fixture::small_session);
    let audit = cluster.audit()?;
    let (before, start) = (api_server(cluster)?, audit.cursor()?);
    let arrived = Together::new(&client, &sessions, &namespace, is_running).at_once(all).await?;
    let way = Way { arrived, api_server: api_server(cluster)? - before };
    tokio::time::sleep(SETTLE).await;
    let requests = Requests::count(&audit.since(start)?.0);
    println!("requests of {size} at once: {requests}");
    Ok(Ours { way, requests, memory: operator.usage()? })
}

fn rows(
    table: &mut Table,
    part: char,
    size: usize,
    ours: &Ours,
    script: Option<&Way>,
    requests: Option<f64>,
    memory: Option<f64>,
) {
    let mut add = |figure: &str, unit, value, limit, bound| {
        table.add(Row { part, figure: format!("{size} at once: {figure}"), unit, value, limit, bound });
    };
    let each = |value: f64| value / size as f64;
    let Ours { way, requests: asked, memory: used } = ours;
    let at_most = |most: Option<f64>| most.map_or(Bound::None, Bound::AtMost);
    let (rate, cpu) = match script {
        Some(_) => (Bound::RatioAtLeast(0.85), Bound::RatioAtMost(1.2)),
        None => (Bound::None, Bound::None),
    };
    add("until Running", "/s", way.arrived.rate, script.map(|it| it.arrived.rate), rate);
    add("until Running, median", "s", way.arrived.median, script.map(|it| it.arrived.median), Bound::None);
    let of_server = |way: &Way| each(way.api_server) * 1e3;
    add("CPU of the API server, each", "ms", of_server(way), script.map(of_server), cpu);
    add("API requests, each", "", each(asked.total() as f64), None, at_most(requests));
    add("of which status writes", "", each(asked.status_writes() as f64), None, Bound::None);
    add("of which Events", "", each(asked.events() as f64), None, Bound::None);
    add("memory", "MiB", used.resident, None, at_most(memory));
    add("memory, peak", "MiB", used.peak, None, Bound::None);
}

fn api_server(cluster: &Cluster) -> anyhow::Result<f64> {
    Ok(process::usage(cluster.process_id("kube-apiserver")?)?.cpu)
}

/// A cluster that has room for all, and counts what the operator asks.
pub(crate) async fn many_nodes() -> Result<Cluster, sojourn_cluster::Error> {
    let audit_users = vec![operator::USER.into()];
    Cluster::start(Options { nodes: 40, audit_users, fast_controllers: true, ..Options::default() }).await
}
