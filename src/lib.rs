//! Sojourn: user sessions on Kubernetes, guarded at the door. See `ARCHITECTURE.md`.
//!
//! * [`core`]: every decision, as pure functions
//! * [`control`]: what talks to the API server
//! * [`serve`]: webhooks, probes, metrics
//! * [`http_server`]: the HTTP server behind the listeners of `serve` and `sidecar`
//! * [`ide`]: the protocol by which an IDE is asked for run sessions
//! * [`capture`]: what the sessions of an IDE write, kept in files
//! * [`sidecar`]: the programs inside a session's pod
//! * [`reason`]: the reasons of conditions and Events, with their meaning
//! * [`settings`], [`telemetry`]: flags, logs, metrics
//! * [`cmd`]: the commands of the binary

pub mod capture;
pub mod cmd;
pub mod control;
pub mod core;
pub mod http_server;
pub mod ide;
pub mod reason;
pub mod serve;
pub mod settings;
pub(crate) mod sidecar;
pub mod telemetry;
