//! What the operator says about itself: logs and metrics.

pub mod metrics;
pub mod sessions;
