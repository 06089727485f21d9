//! `IdeSession` on a cluster: debug run sessions in IDEs, which no object of the cluster stands for.
//!
//! * [`reconcile`], [`report`]: the passes; the decisions are those of [`crate::core::ide_session`]
//! * [`watch`], [`index`]: the sessions that there are
//! * [`endpoints`]: which IDE a session is for
//! * [`runs`]: what is done in IDEs, and what becomes of it
//! * [`outputs`], [`logs`]: what sessions write, and what its readers have to know
//! * [`lead`]: what begins and ends with leadership

mod controller;
pub mod endpoints;
pub mod index;
pub mod lead;
pub mod logs;
pub mod outputs;
pub mod reconcile;
pub mod report;
mod rights;
pub mod runs;
pub mod watch;

pub use controller::IdeSessionController;
pub use reconcile::Reconciler;
pub(super) use rights::RIGHTS;
