//! Sojourn on a real node: installed by its chart from its image, with sessions that are processes. Needs
//! root; `make test-node` runs it. The tests mostly wait, so many of them run at a time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test that cannot go on ends the test"
)]

mod around;
mod batch;
mod browser;
mod failures;
mod interactive;
mod login;
mod lost;
mod operator;
mod provider;
mod repositories;
mod restart;
mod stage;
mod takeover;
mod token;

#[path = "../sidecar/gitserver.rs"]
#[allow(dead_code, reason = "shared with the tests of the sidecars, which use all of it")]
mod gitserver;

#[path = "../sidecar/process.rs"]
#[allow(dead_code, reason = "shared with the tests of the sidecars, which use all of it")]
mod process;
#[path = "../sidecar/session.rs"]
#[allow(dead_code, reason = "shared with the tests of the sidecars, which use all of it")]
mod session;

#[path = "../apart/original.rs"]
mod original;

#[path = "../e2e/objects.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests, which use all of it")]
mod objects;
#[path = "../e2e/support.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests, which use all of it")]
mod support;

/// Flags of an operator beside the cluster, of which there is none here.
const FLAGS: &[&str] = &[];

/// What is done on a cluster before such an operator starts: nothing.
async fn before(_: &sojourn_cluster::Cluster) {}

/// More variables in its environment: none.
fn variables() -> Vec<(&'static str, String)> {
    Vec::new()
}
