//! `AmaltheaSession` on a cluster: what it adds to the machinery of all kinds with children
//! ([`crate::control::workload`]).

mod gauges;
mod kind;
mod requests;
mod rights;
pub mod usage;

use crate::control::workload;
use sojourn_crds::amalthea::AmaltheaSession;

pub(super) use rights::RIGHTS;

/// What the cluster holds of all sessions.
pub type Index = workload::Index<AmaltheaSession>;
/// The reconciler of sessions.
pub type Reconciler = workload::Reconciler<AmaltheaSession>;

#[cfg(test)]
mod tests;
