//! What the operator serves: webhooks and logs by TLS, and by plain HTTP probes, metrics and debug pages.

pub(crate) mod admin;
pub mod auth;
pub mod logs;
pub(crate) mod metrics;
pub(crate) mod ready;
pub mod webhooks;
