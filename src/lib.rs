//! Sojourn: user sessions on Kubernetes, guarded at the door. See `ARCHITECTURE.md`.

pub mod control;
pub mod core;
