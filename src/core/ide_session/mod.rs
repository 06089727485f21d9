//! The decisions for `IdeSession`, in the order in which a reconcile asks for them.
//!
//! ```text
//! observe   -> Observed                           what is known of one session                 (I/O)
//! plan      (&Observed, &context) -> Plan          what it becomes, and what to do before and after that is on record
//! apply     (Plan.first)                       what comes before                            (I/O)
//! status    (&Observed, &Step, now) -> Status     what to report
//! report    write it if it differs                                                          (I/O)
//! apply     (Plan.then)                        what comes after                             (I/O)
//! tell      (&Observed, &status)                  as Events                                    (I/O)
//! ```
//!
//! There is no `validate`: launch configurations are for the IDE to read, and what cannot even be sent to it fails the
//! session, as it does in the original.

pub mod conditions;
pub mod events;
pub mod observed;
pub mod plan;
pub mod preview;
pub mod reasons;
pub mod status;
pub mod step;

pub use observed::{
    Capture, Command, EndFacts, EndpointFacts, Files, Observed, PlanContext, RunFacts, StartFacts, StopFacts,
};
pub use plan::{Plan, plan};
pub use preview::{Preview, preview};
pub use status::status;
pub use step::Step;

#[cfg(test)]
mod tests;
