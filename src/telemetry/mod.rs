//! What the operator says about itself: logs and metrics.

pub mod log;
pub mod metrics;
pub mod queues;
pub mod sessions;
