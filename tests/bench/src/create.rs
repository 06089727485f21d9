//! Part b: creation of small sessions through the real API server, with and without our webhooks.
//!
//! Only one of two namespaces is guarded, and creations in both alternate. No operator is at work beside it.

use crate::{
    fixture,
    table::{Bound, Row, Table},
    together,
    webhooks::Webhooks,
};
use anyhow::ensure;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use sojourn_cluster::{Cluster, Options, eventually, test_namespace};
use sojourn_crds::amalthea::AmaltheaSession;
use sojourn_webhooks::config::{ConfigSettings, Endpoint, Scope, mutating, validating};
use std::time::{Duration, Instant};

const SESSIONS: usize = 300;
const WARM_UP: usize = 20;

/// Measures the latency that whoever creates a session sees.
pub(crate) async fn run(table: &mut Table) -> anyhow::Result<()> {
    let cluster = Cluster::start(Options::default()).await?;
    let client = cluster.client().await?;
    together::install_crds(&cluster).await?;
    let guarded = test_namespace(&client, "guarded").await?;
    let free = test_namespace(&client, "free").await?;
    let webhooks = Webhooks::serve()?;
    install(&client, &webhooks, &guarded).await?;
    let (guarded, free): (Api<AmaltheaSession>, Api<AmaltheaSession>) =
        (Api::namespaced(client.clone(), &guarded), Api::namespaced(client, &free));
    let bad = {
        let mut bad = fixture::small_session("bad");
        bad["spec"]["session"]["storage"]["size"] = "0".into();
        serde_json::from_value::<AmaltheaSession>(bad)?
    };
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    eventually("the webhooks are asked", async || guarded.create(&dry, &bad).await.is_err()).await?;
    ensure!(free.create(&dry, &bad).await.is_ok(), "the namespace that is not guarded is guarded");

    let (mut with, mut without) = (Vec::new(), Vec::new());
    for index in 0..WARM_UP + SESSIONS {
        let session = serde_json::from_value(fixture::small_session(&format!("s{index}")))?;
        let limit = create(&free, &session).await?;
        let figure = create(&guarded, &session).await?;
        if index >= WARM_UP {
            without.push(limit);
            with.push(figure);
        }
    }
    for (name, share) in [("median", 2), ("p99", 100)] {
        table.add(Row {
            part: 'b',
            figure: format!("create a session with webhooks, {name}"),
            unit: "ms",
            value: quantile(&mut with, share),
            limit: Some(quantile(&mut without, share)),
            bound: Bound::None,
        });
    }
    cluster.stop().await;
    Ok(())
}

async fn install(client: &Client, webhooks: &Webhooks, namespace: &str) -> anyhow::Result<()> {
    let settings = ConfigSettings {
        name: "bench".into(),
        endpoint: Endpoint::Url(format!("https://{}", webhooks.address)),
        ca_bundle: webhooks.ca_pem.as_bytes().to_vec(),
        operator_user: "nobody".into(),
        scope: Scope::Namespaces(vec![namespace.to_owned()]),
    };
    let params = PatchParams::apply("bench").force();
    let api: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    api.patch("bench", &params, &Patch::Apply(validating(&settings))).await?;
    let api: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    api.patch("bench", &params, &Patch::Apply(mutating(&settings))).await?;
    Ok(())
}

async fn create(api: &Api<AmaltheaSession>, session: &AmaltheaSession) -> anyhow::Result<Duration> {
    let started = Instant::now();
    api.create(&PostParams::default(), session).await?;
    Ok(started.elapsed())
}

/// The latency that all but one in `share` do not exceed, in milliseconds.
fn quantile(latencies: &mut [Duration], share: usize) -> f64 {
    latencies.sort_unstable();
    let at = latencies.len() - latencies.len() / share - 1;
    latencies.get(at).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
}
