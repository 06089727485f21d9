//! The IDE execution protocol, our side of it: run sessions in a connected IDE are created, stopped and
//! followed. Nothing here knows Kubernetes.
//!
//! What can be decided without a socket is: [`endpoint`], [`egress`], [`version`], [`launch`], [`problem`],
//! [`notification`], [`buffer`] and [`timing`] are plain functions and values. The rest carries it out:
//! [`dial`] connects, `request` asks, `socket` listens, and [`connection`] is what a reconciler holds.
//!
//! Three promises. The token is never shown. Everything that a peer sends is bounded in size and number
//! before it is kept. Notifications of one session keep their order, from before the answer to the request
//! that created it until it is released.
//!
//! `protocol.schema.json` beside this file describes the bodies and notifications; tests hold what both
//! sides really send against it.

pub mod buffer;
pub(crate) mod certificate;
pub mod connection;
pub mod dial;
pub(crate) mod egress;
pub mod endpoint;
pub(crate) mod instance;
pub mod launch;
pub mod notification;
pub(crate) mod problem;
mod reason;
mod request;
pub(crate) mod session;
mod socket;
pub(crate) mod start;
mod text;
pub mod timing;
pub(crate) mod token;
mod verify;
pub(crate) mod version;

pub use connection::{Connection, ConnectionState, Notifications, Options, Stop, StopError, StopErrorKind};
pub use endpoint::Endpoint;
pub use instance::InstanceId;
pub use launch::{Launch, RunRequest};
pub use notification::{Notification, Payload};
pub use reason::ConnectionReason;
pub use session::SessionId;
pub use start::{Start, StartError, StartErrorKind, Started};

/// Bytes of a response body or of a notification frame that are read at most.
pub const MAX_BYTES: usize = 4 << 20;
