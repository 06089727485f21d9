//! Sojourn on a real control plane. The tests mostly wait, so many at a time cost no more than a few:
//! `cargo test --test e2e -- --test-threads=16` takes a minute, where one per core takes two.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test that cannot go on ends the test"
)]

mod agentic;
mod batch;
mod claims;
mod culling;
mod deadline;
mod disturbances;
mod foreign;
mod lifecycle;
mod objects;
mod plan;
mod pod_security;
mod poison;
mod problems;
mod quiet;
mod routes;
mod secrets;
mod strategies;
mod support;
mod told;

/// Flags of the operator that serves all tests: idleness is seen within a second instead of thirty.
const FLAGS: &[&str] = &["--idle-check-interval=1s"];

/// What is done on the cluster before the operator starts: nothing.
async fn before(_: &sojourn_cluster::Cluster) {}

/// More variables in the operator's environment: none.
fn variables() -> Vec<(&'static str, String)> {
    Vec::new()
}
