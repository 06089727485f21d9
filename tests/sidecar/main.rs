//! The programs of a session's pod, as processes: our binary, real sockets on loopback, real servers behind.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step of a test is a failed test")]

mod cloner;
mod gitproxy;
mod gitserver;
mod process;
mod proxy;
mod session;
