//! What is served by plain HTTP beside the webhooks: probes, metrics, debug pages.

pub mod admin;
pub mod ready;
