//! `IdeSession` on a real control plane, with an IDE on real sockets.
//!
//! The kind belongs to no namespace, and one operator serves all of its sessions. So each test has the cluster for
//! itself while it runs, with an IDE and an operator of its own, under exactly the chart's rights.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test that cannot go on ends the test"
)]

mod lifecycle;
mod logs;
mod restarts;
mod stage;

#[path = "../edge/client.rs"]
#[allow(dead_code, reason = "shared with the tests of the server, which use all of it")]
mod client;
#[path = "../e2e/objects.rs"]
#[allow(dead_code, reason = "shared with the other end-to-end tests, which use all of it")]
mod objects;
#[path = "../e2e/support.rs"]
#[allow(dead_code, reason = "shared with the other end-to-end tests, which use all of it")]
mod support;

/// Flags of the operator that the shared part would start.
const FLAGS: &[&str] = &[];

/// What is done on the cluster before the shared part would start an operator: nothing.
async fn before(_: &sojourn_cluster::Cluster) {}
