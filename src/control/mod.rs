//! Everything that talks to the API server: watches, reconciles, writes.
//!
//! Decisions are made in [`crate::core`]; here they are carried out. What is the same for every kind stands here
//! ([`worker`], [`queue`], [`watch`], [`context`], [`api`]); each kind has a folder with the rest.

pub mod amalthea;
pub mod api;
pub mod approval_key;
pub(crate) mod auth;
pub mod certificates;
pub mod context;
pub mod controller;
pub mod errors;
mod event;
pub mod facts;
pub mod ide_session;
pub mod job_constraints;
pub mod key;
pub mod lease;
pub mod pod_security;
pub mod queue;
pub mod rbac;
pub mod release;
pub mod version;
pub mod watch;
pub mod worker;
pub mod workload;
