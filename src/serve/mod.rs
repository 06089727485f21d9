//! What the operator serves.

pub mod webhooks;
