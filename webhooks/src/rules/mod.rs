//! The rules, with one file for each concept. A rule is a function of the request and the facts.

pub mod agentic_session;
pub mod amalthea_session;
pub mod code;
pub(crate) mod durations;
pub(crate) mod git;
pub mod ide_session;
pub mod job;
pub(crate) mod metadata;
pub(crate) mod mount_paths;
pub mod notebook;
pub(crate) mod object_name;
pub mod operator_credentials;
pub(crate) mod pod;
pub mod pod_security;
pub mod project_settings;
pub(crate) mod unique_names;
pub(crate) mod variables;
