//! Sojourn as somebody operates it: two replicas behind one address, replaced, upgraded, examined and uninstalled,
//! each on a cluster of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test that cannot go on ends the test"
)]

mod definition;
mod doctor;
mod ides;
mod load;
mod metrics;
mod release;
mod replica;
mod rollout;
mod secrets;
mod service;
mod stage;
mod uninstall;
