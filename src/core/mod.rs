//! The pure core: every decision of the operator as a function of values, `now` included.
//!
//! Nothing here can see a client, a clock, the environment or a random source. That is what makes a
//! decision testable by the thousand, explainable, and the same offline as in a cluster.
//!
//! * [`object`]: what the cluster holds, as small as we need it
//! * [`packed`]: texts that are much alike, kept small
//! * [`manifest`]: what we want it to hold, and how the two are compared
//! * [`settings`], [`images`]: the settings of the installation
//! * [`conditions`], [`event`], [`error`]: what is said of an object, and what went wrong
//! * [`release`]: what is done for an object so that nothing of ours holds it any more
//! * [`amalthea`]: the decisions for `AmaltheaSession`
//! * [`ide_session`]: the decisions for `IdeSession`

pub mod amalthea;
pub mod conditions;
pub mod error;
pub mod event;
pub mod ide_session;
pub mod images;
pub mod manifest;
pub mod merge;
pub mod object;
pub mod packed;
pub mod release;
pub mod settings;
pub mod workload;
