//! Sojourn: user sessions on Kubernetes, guarded at the door.

pub mod control;
pub mod core;
pub mod serve;
pub mod settings;
pub mod telemetry;
