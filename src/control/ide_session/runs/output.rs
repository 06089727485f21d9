//! The destination of the output of sessions.

use futures::future::BoxFuture;
use jiff::Timestamp;
use std::{fmt::Debug, sync::Arc};

/// Stores the output of sessions.
pub trait Output: Debug + Send + Sync + 'static {
    /// Begins to store the output of the session of this name and UID, or continues. Called before any request to the
    /// IDE about it.
    fn begin(&self, name: Arc<str>, uid: Arc<str>) -> BoxFuture<'_, ()>;

    /// Stores a line of the process. Returns at once.
    fn line(&self, uid: &str, stderr: bool, line: String, at: Timestamp);

    /// Stores a remark of the operator about the session. Returns at once.
    fn note(&self, uid: &str, line: String, at: Timestamp);

    /// The output is complete.
    fn end(&self, uid: &str);

    /// Removes the stored output.
    fn remove(&self, name: Arc<str>, uid: Arc<str>) -> BoxFuture<'_, ()>;
}
