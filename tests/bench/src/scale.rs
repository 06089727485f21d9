//! Part j: what a session costs among few and among many, beside the same objects made by hand.

use crate::{
    crowd::many_nodes,
    fixture,
    operator::Operator,
    sessions::{objects, ours, pods_are_ready},
    table::{Bound, Row, Table},
    together::Together,
};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::core::ApiResource;
use sojourn_cluster::test_namespace;

/// How many sessions there are, one time after the other, each time on a cluster of its own.
const SIZES: [usize; 4] = [250, 500, 1000, 2000];
/// A session of many may cost so much more than one of few; what is measured once varies.
const GROWTH: f64 = 1.5;

/// Measures each size, and lets the sessions idle for so many seconds.
pub(crate) async fn run(table: &mut Table, idle: u64) -> anyhow::Result<()> {
    let mut first = None;
    let mut add = |figure: String, unit, value, limit, bound| {
        table.add(Row { part: 'j', figure, unit, value, limit, bound });
    };
    for size in SIZES {
        let cluster = many_nodes().await?;
        let client = cluster.client().await?;
        let namespace = test_namespace(&client, "by-hand").await?;
        let sets = ApiResource::erase::<StatefulSet>(&());
        let by_hand = objects(size, fixture::complete_stateful_set);
        let by_hand = Together::new(&client, &sets, &namespace, pods_are_ready)
            .beside(fixture::beside)
            .paced(by_hand)
            .await?;
        cluster.stop().await;

        let cluster = many_nodes().await?;
        let client = cluster.client().await?;
        let operator = Operator::start(&cluster).await?;
        let empty = operator.usage()?;
        let namespace = test_namespace(&client, "sessions").await?;
        let ours = ours(&cluster, &operator, &namespace, size, idle).await?;
        drop(operator);
        cluster.stop().await;

        let each = |value: f64| value / size as f64;
        let cpu = each(ours.cpu) * 1000.0;
        let memory = each(ours.idle.resident - empty.resident) * 1024.0;
        println!("{size} sessions: {cpu:.2} ms of CPU and {memory:.1} KiB each");
        println!("requests until Running: {}", ours.requests);
        println!("requests while idle: {}", ours.idle_requests);
        let (first_cpu, first_memory) = *first.get_or_insert((cpu, memory));
        add(
            format!("{size} sessions until Running"),
            "/s",
            ours.arrived.rate,
            Some(by_hand.rate),
            Bound::None,
        );
        add(format!("{size}: CPU a session"), "ms", cpu, Some(first_cpu), Bound::RatioAtMost(GROWTH));
        add(
            format!("{size}: memory a session"),
            "KiB",
            memory,
            Some(first_memory),
            Bound::RatioAtMost(GROWTH),
        );
        add(format!("{size}: memory, peak"), "MiB", ours.idle.peak, None, Bound::None);
        let requests = each(ours.requests.total() as f64);
        add(format!("{size}: API requests a session"), "", requests, None, Bound::AtMost(7.0));
        let asked = ours.idle_requests.total() as f64;
        add(format!("{size}: API requests, {idle} s idle"), "", asked, None, Bound::AtMost(0.0));
        add(format!("{size}: CPU, {idle} s idle"), "s", ours.idle_cpu, None, Bound::None);
    }
    Ok(())
}
