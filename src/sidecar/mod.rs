//! The programs inside a session's pod, as the original's sidecar image has them.
//!
//! * [`proxy`]: lets the right user through to the session
//! * [`listen`]: the HTTP listeners that they share, bounded in number and time
//!
//! Each is one small process in a container of a few MiB: one thread, no cluster, nothing written down.

pub mod listen;
pub mod proxy;
