//! Admission for the kinds that Sojourn serves: the rules, the review protocol and the router.
//!
//! There is no Kubernetes client, no clock and no environment here. What a rule needs to know beyond the object
//! it judges comes in through [`Facts`]; what only the API server can answer is asked through [`Authorizer`].
//! One [`table`] drives the router, the webhook configurations and the access rights they need, and [`judge`] gives
//! the same verdict to the webhook and to whoever checks a manifest offline.

pub mod case;
pub mod config;
pub mod facts;
pub mod finding;
pub mod http;
pub mod judge;
pub mod kind;
pub mod metrics;
pub mod object;
mod questions;
pub mod rbac;
pub mod request;
pub mod review;
pub mod rules;
pub mod session_kinds;
pub mod table;

pub use facts::{Access, AccessQuestion, Authorizer, Facts, GuardSettings, Offline};
pub use finding::{Code, FieldPath, Finding, Severity};
pub use judge::{Evaluation, Verdict, judge};
pub use object::Object;
pub use request::{Operation, Request};
pub use session_kinds::{JobConstraints, SESSION_KINDS, SessionKind};
pub use table::{Row, TABLE};
