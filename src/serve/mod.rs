//! What the operator serves: webhooks and logs by TLS, and by plain HTTP probes, metrics and debug pages.

pub mod admin;
pub mod auth;
pub mod logs;
pub mod metrics;
pub mod ready;
pub mod webhooks;
