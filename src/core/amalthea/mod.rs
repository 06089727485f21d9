//! The decisions for `AmaltheaSession`. [`kind`] ties them to what all kinds with children share
//! ([`crate::core::workload`]).

pub mod adoption;
pub mod children;
mod completion;
pub mod conditions;
pub mod deadlines;
mod deletion;
pub mod events;
pub mod files;
mod gate;
pub mod idle;
mod kind;
pub mod observed;
pub mod plan;
pub mod preview;
mod prune;
pub mod reasons;
pub mod run;
pub mod status;
pub mod summary;
mod unchangeable;
pub mod validate;

pub use crate::core::workload::{Applied, ChildError, Plan};
pub use observed::{Measurements, Observed, PlanContext, Requests, Usage};
pub use plan::plan;
pub use preview::{Preview, preview};
pub use status::status;
pub use validate::{Checked, blocking_findings, validate};

/// Annotation under which a session in memory says why its spec could not be kept. It is never written to the cluster.
pub const UNREADABLE: &str = "sojourn.dev/unreadable-spec";

#[cfg(test)]
mod tests;
