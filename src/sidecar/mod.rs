//! The programs inside a session's pod, as the original's sidecar image has them.
//!
//! * [`cloner`]: brings repositories to the session's volume
//! * [`gitproxy`]: adds credentials to what git asks of them later
//! * [`proxy`]: lets the right user through to the session
//! * [`listen`]: the HTTP listeners that they share, bounded in number and time
//! * [`web`]: what they ask of others
//!
//! Each is one small process in a container of a few MiB: one thread, no cluster, nothing written down.

pub(crate) mod cloner;
pub(crate) mod gitproxy;
pub(crate) mod listen;
pub(crate) mod proxy;
pub(crate) mod web;
