//! The IDE protocol on real sockets: our client against the fake IDE. No cluster is needed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test that cannot go on ends the test"
)]

mod early;
mod egress;
mod link;
mod nothing_secret;
mod notifications;
mod requests;
mod starts;
mod stops;
mod support;
mod tls;
