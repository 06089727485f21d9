//! Admission for the kinds that Sojourn serves: the rules, the review protocol and the router.
//!
//! There is no Kubernetes client, no clock and no environment here. What a rule needs to know beyond the object
//! comes in through [`Facts`]; the API server reviews the access of users through [`Authorizer`].
//! One [`table`] drives the router, the webhook configurations and the access rights they need, and [`evaluate()`]
//! gives the same verdict to the webhook and to the commands that check a manifest offline.

mod access_reviews;
pub mod adoption;
pub mod case;
pub mod config;
pub mod evaluate;
pub mod facts;
pub mod finding;
pub mod http;
pub mod kind;
pub mod metrics;
pub mod object;
pub mod rbac;
pub mod request;
pub mod review;
pub mod rules;
pub mod session_kinds;
pub mod settings;
pub mod table;

pub use evaluate::{Evaluation, Verdict, evaluate};
pub use facts::{Access, AccessReview, Authorizer, Facts, Offline};
pub use finding::{Code, FieldPath, Finding, Severity};
pub use object::Object;
pub use request::{Operation, Request};
pub use session_kinds::{JobConstraints, SESSION_KINDS, SessionKind};
pub use settings::AdmissionSettings;
pub use table::{Row, TABLE};
