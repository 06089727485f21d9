//! The listeners of the operator: webhooks and HTTP APIs by TLS; probes, metrics and debug pages by plain HTTP.

pub(crate) mod admin;
pub mod auth;
pub mod intake;
pub mod logs;
pub(crate) mod metrics;
pub(crate) mod ready;
pub mod webhooks;
