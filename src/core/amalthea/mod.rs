//! The decisions for `AmaltheaSession`, in the order in which a reconcile asks for them.
//!
//! ```text
//! observe   -> Observed                                what the cluster holds of one session   (I/O)
//! validate  (&session) -> Checked                   what can be worked with, and what cannot
//! plan      (&Checked, &Observed, &PlanContext) -> Plan    what to write, delete, tell, and when to look again
//! apply     (Plan) -> Applied                       what became of it                        (I/O)
//! status    (.., &Applied, ..) -> Status            what to report
//! report    write it if it differs                                                           (I/O)
//! ```

pub mod adoption;
pub mod children;
pub mod conditions;
pub mod deadlines;
pub mod events;
pub mod idle;
pub mod observed;
pub mod plan;
pub mod preview;
mod prune;
pub mod run;
pub mod status;
pub mod validate;

pub use observed::{Applied, ChildError, Observed, PlanContext, Requests, Usage};
pub use plan::{Plan, plan};
pub use preview::{Preview, preview};
pub use status::status;
pub use validate::{Checked, blocking_findings, validate};

#[cfg(test)]
mod tests;
