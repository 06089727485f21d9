//! What the operator serves: webhooks behind TLS; probes, metrics and debug pages in the open.

pub mod admin;
pub mod ready;
pub mod webhooks;
