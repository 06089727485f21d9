//! Everything that talks to the API server: watches, reconciles, writes.
//!
//! Decisions are made in [`crate::core`]; here they are carried out.

pub mod api;
pub mod apply;
pub mod certificates;
pub mod errors;
pub mod facts;
pub mod index;
pub mod lease;
pub mod queue;
pub mod rbac;
pub mod reconcile;
pub mod report;
mod requests;
pub mod terms;
pub mod usage;
pub mod visitors;
pub mod watch;

pub use reconcile::Operator;
