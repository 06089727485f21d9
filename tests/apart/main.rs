//! Sojourn on a cluster that no other test could share: another setting, objects that were there before the
//! operator, and an outage for all.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test that cannot go on ends the test"
)]

mod on_deadline;
#[allow(dead_code, reason = "shared with the tests on a real node, which use all of it")]
mod original;
mod outage;
mod takeover;

#[path = "../e2e/objects.rs"]
#[allow(dead_code, reason = "shared with the other end-to-end tests, which use all of it")]
mod objects;
#[path = "../e2e/support.rs"]
#[allow(dead_code, reason = "shared with the other end-to-end tests, which use all of it")]
mod support;

/// Flags of the operator.
const FLAGS: &[&str] = &["--idle-check-interval=1s", "--non-interactive-on-deadline=Hibernate"];

/// What is done on the cluster before the operator starts.
async fn before(cluster: &sojourn_cluster::Cluster) {
    takeover::leave_by_the_original(cluster).await;
}

/// More variables in the operator's environment: none.
fn variables() -> Vec<(&'static str, String)> {
    Vec::new()
}
