//! The rules, one concept a file. A rule is a plain function of the request and the facts.

pub mod amalthea_session;
pub mod code;
pub(crate) mod dns;
pub mod ide_session;
pub mod job;
