//! The decisions for `IdeSession`, in the order in which a reconcile asks for them.
//!
//! ```text
//! observe   -> World                           what is known of one session                 (I/O)
//! plan      (&World, now) -> Plan              what it becomes, and what to do before and after that is on record
//! apply     (Plan.first)                       what comes before                            (I/O)
//! status    (&World, &Step, now) -> Status     what to report
//! report    write it if it differs, tell it                                                 (I/O)
//! apply     (Plan.then)                        what comes after                             (I/O)
//! ```
//!
//! There is no `validate`: launch configurations are for the IDE to read, and what cannot even be sent to it fails the
//! session, as it does in the original.

pub mod conditions;
pub mod notes;
pub mod plan;
pub mod status;
pub mod step;
pub mod world;

pub use plan::{Plan, plan};
pub use status::status;
pub use step::Step;
pub use world::{Capture, Command, EndFacts, EndpointFacts, Files, RunFacts, StartFacts, StopFacts, World};

#[cfg(test)]
mod tests;
