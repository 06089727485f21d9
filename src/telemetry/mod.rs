//! What the operator says about itself: logs and metrics.

pub mod certificates;
pub mod log;
pub mod metrics;
pub mod sessions;
