//! Several replicas on a real API server: certificates that rotate, and the Lease. No admission fails, whatever
//! happens to the Secret, to the bundles and to clocks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test that cannot go on ends the test"
)]

mod balancer;
mod bundle;
mod chart;
mod clients;
mod credentials;
mod files;
mod installation;
mod lease;
mod load;
mod rotation;
mod secret;
mod watchdog;
