//! Runs in a fake IDE on real sockets. No cluster is needed.

mod connections;
mod starts;
mod stops;
mod support;
