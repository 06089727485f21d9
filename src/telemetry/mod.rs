//! What the operator says about itself: logs and metrics, and traces where they are built in.

pub mod certificates;
pub mod ides;
pub mod log;
pub mod metrics;
pub mod queues;
pub(crate) mod sessions;
#[cfg(feature = "otel")]
pub(crate) mod trace;
