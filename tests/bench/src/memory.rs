//! Part g: memory of an operator that has no sessions to run, only webhooks to serve, under load.

use crate::{
    fixture,
    load::Target,
    operator::Operator,
    table::{Bound, Row, Table},
};
use anyhow::Context as _;
use hyper::body::Bytes;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::{Api, api::ListParams};
use sojourn_cluster::{Cluster, Options};
use std::time::Duration;

const CONNECTIONS: usize = 16;
const LOAD: Duration = Duration::from_secs(5);

/// Measures before, and after some time of admission.
pub(crate) async fn run(table: &mut Table) -> anyhow::Result<()> {
    let cluster = Cluster::start(Options::default()).await?;
    let operator = Operator::start(&cluster).await?;
    let before = operator.usage()?;
    let api: Api<ValidatingWebhookConfiguration> = Api::all(cluster.client().await?);
    let configurations = api.list(&ListParams::default()).await?;
    let bundle = configurations
        .into_iter()
        .flat_map(|configuration| configuration.webhooks.unwrap_or_default())
        .find_map(|webhook| webhook.client_config.ca_bundle)
        .with_context(|| format!("no webhook of {} has a bundle", cluster.dir().display()))?;
    let target = Target::new(operator.webhooks(), &String::from_utf8(bundle.0)?)?;
    let body = Bytes::from(fixture::review()?);
    let outcome = target.ask(CONNECTIONS, crate::admission::HANDLER, &body, LOAD).await?;
    let after = operator.usage()?;
    println!("{} admissions while memory was measured", outcome.requests());
    for (figure, value) in [
        ("memory with webhooks only, at rest", before.resident),
        ("memory with webhooks only, after load on 16 connections", after.resident),
        ("memory with webhooks only, peak", after.peak),
    ] {
        let figure = figure.to_owned();
        table.add(Row { part: 'g', figure, unit: "MiB", value, limit: None, bound: Bound::Below(24.0) });
    }
    drop(operator);
    cluster.stop().await;
    Ok(())
}
