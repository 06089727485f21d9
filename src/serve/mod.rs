//! What the operator serves: webhooks by TLS, and by plain HTTP probes, metrics and debug pages.

pub mod admin;
pub mod metrics;
pub mod ready;
pub mod webhooks;
