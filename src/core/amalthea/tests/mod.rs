//! Tests of the decisions.
//!
//! [`fixtures`] writes sessions, [`cluster`] is an API server and the controllers behind it as far as the
//! core can tell: objects with defaults and versions, workloads that make pods, Jobs that end. [`passes`] are
//! those of the operator over it. Everything else tests one subject each.

mod cluster;
mod controllers;
mod fixtures;
mod passes;
mod server;

mod claims;
mod conditions;
mod deadlines;
mod deletion;
mod edits;
mod failures;
mod goldens;
mod idle;
mod interruptions;
mod jobs;
mod model;
mod neighbours;
mod plan;
mod pods;
mod preview;
mod properties;
mod refusals;
mod restarts;
mod restored;
mod runs;
mod states;
mod timestamps;
