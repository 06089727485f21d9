//! Part a: the admission handler against an empty one in the same server, and against one that reads the review as
//! JSON and does nothing with it.
//!
//! Rounds of both alternate, so that whatever else the machine does hits both alike; the median round counts.

use crate::{
    fixture,
    load::{Outcome, Target},
    table::{Bound, Row, Table},
    webhooks::{DECODING, EMPTY, Webhooks},
};
use anyhow::ensure;
use hyper::body::Bytes;
use std::{sync::atomic::Ordering, time::Duration};

/// The path of the handler with the full set of rules.
pub(crate) const HANDLER: &str = "/validate/amalthea.dev/v1alpha1/amaltheasessions?timeout=5s";
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(800);

/// Measures with 1 and with 16 connections.
pub(crate) async fn run(table: &mut Table) -> anyhow::Result<()> {
    let webhooks = Webhooks::serve()?;
    let target = Target::new(webhooks.address, &webhooks.ca_pem)?;
    let body = Bytes::from(fixture::review()?);
    for connections in [1, 16] {
        let (mut empty, mut decoding, mut ours) = (Vec::new(), Vec::new(), Vec::new());
        // The first round only warms up.
        for round in 0..=ROUNDS {
            let read = webhooks.read.load(Ordering::Relaxed);
            let limit = target.ask(connections, EMPTY, &body, ROUND).await?;
            let read = webhooks.read.load(Ordering::Relaxed) - read;
            let sent = limit.requests() * body.len();
            ensure!(read == sent, "the empty handler read {read} of {sent} bytes: it is no limit");
            let decoded = target.ask(connections, DECODING, &body, ROUND).await?;
            let figure = target.ask(connections, HANDLER, &body, ROUND).await?;
            if round > 0 {
                empty.push(limit);
                decoding.push(decoded);
                ours.push(figure);
            }
        }
        let (empty, decoding, ours) = (median(empty), median(decoding), median(ours));
        let what =
            format!("11 KB review, {connections} connection{}", if connections > 1 { "s" } else { "" });
        table.add(Row {
            part: 'a',
            figure: what.clone(),
            unit: "/s",
            value: ours.rate,
            limit: Some(empty.rate),
            bound: Bound::RatioAtLeast(0.8),
        });
        table.add(Row {
            part: 'a',
            figure: format!("{what}, against reading it as JSON"),
            unit: "/s",
            value: ours.rate,
            limit: Some(decoding.rate),
            bound: Bound::None,
        });
        table.add(Row {
            part: 'a',
            figure: format!("{what}, CPU with the client's"),
            unit: "µs",
            value: ours.cpu,
            limit: Some(empty.cpu),
            bound: Bound::None,
        });
        for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
            table.add(Row {
                part: 'a',
                figure: format!("{what}, {name}"),
                unit: "µs",
                value: ours.percentile(share),
                limit: Some(empty.percentile(share)),
                bound: Bound::None,
            });
        }
    }
    Ok(())
}

fn median(mut rounds: Vec<Outcome>) -> Outcome {
    rounds.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let middle = rounds.len() / 2;
    rounds.into_iter().nth(middle).unwrap_or_default()
}
