//! What every kind with children shares, as functions of values. A kind brings only its own decisions: see
//! [`WorkloadKind`].
//!
//! ```text
//! observe   -> Observed                             what the cluster holds of one session   (I/O)
//! validate  (&session) -> Checked                   what can be worked with, and what cannot
//! plan      (&Checked, &Observed, ..) -> Plan       what to write and delete
//! apply     (Plan) -> Applied                       what became of it                        (I/O)
//! status    (.., &Applied, ..) -> Report            what to report, and when to reconcile again
//! report    write it if it differs                                                           (I/O)
//! ```

pub mod applied;
pub mod diagnosis;
pub mod foreign;
pub mod job;
pub mod kind;
pub mod observed;
pub mod plan;
pub mod pod;
pub mod preview;
pub mod report;
pub mod urgency;

pub use applied::{Applied, ChildError};
pub use kind::{PlanContext, WorkloadKind};
pub use observed::{Observed, SameRoute, Warning};
pub use plan::{Delete, KeepReason, KeptSecret, Plan, Release};
pub use report::{Report, SessionAction};
pub use urgency::Urgency;
