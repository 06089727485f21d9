//! `AmaltheaSession` on a cluster: watches and questions on one side, writes on the other, the decisions of
//! [`crate::core::amalthea`] between them.

pub mod apply;
pub mod index;
pub mod reconcile;
pub mod report;
mod requests;
pub mod usage;
pub mod watch;

pub use reconcile::Reconciler;

#[cfg(test)]
mod tests;
