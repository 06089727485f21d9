//! Kinds with children on a cluster: watches and questions on one side, writes on the other, the decisions of a
//! [`crate::core::workload::WorkloadKind`] between them. A kind of its own brings only a [`ControlledKind`].

pub mod apply;
mod controller;
pub mod index;
pub mod kind;
mod progress;
pub mod reconcile;
pub mod report;
pub mod settle;
pub mod warnings;
pub mod watch;

pub use controller::WorkloadController;
pub use index::Index;
pub use kind::ControlledKind;
pub use reconcile::Reconciler;
