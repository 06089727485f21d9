//! The decisions for `AmaltheaSession`, in the order in which a reconcile asks for them.
//!
//! ```text
//! observe   -> World                                what the cluster holds of one session   (I/O)
//! validate  (&session) -> Checked                   what can be worked with, and what cannot
//! plan      (&Checked, &World, &Context) -> Plan    what to write, delete, tell, and when to look again
//! apply     (Plan) -> Applied                       what became of it                        (I/O)
//! status    (.., &Applied, ..) -> Status            what to report
//! report    write it if it differs                                                           (I/O)
//! ```

pub mod adoption;
pub mod children;
pub mod conditions;
mod dropped;
pub mod due;
pub mod idle;
pub mod notes;
pub mod plan;
pub mod preview;
pub mod run;
pub mod status;
pub mod validate;
pub mod world;

pub use plan::{Plan, plan};
pub use preview::{Preview, preview};
pub use status::status;
pub use validate::{Checked, obstacles, validate};
pub use world::{Applied, ChildError, Context, Requests, Usage, World};

#[cfg(test)]
mod tests;
