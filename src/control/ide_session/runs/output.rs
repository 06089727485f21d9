//! Where what sessions write goes.

use futures::future::BoxFuture;
use jiff::Timestamp;
use std::{fmt::Debug, sync::Arc};

/// Keeps the output of sessions.
pub trait Output: Debug + Send + Sync + 'static {
    /// Begins to keep the output of the session of this name and UID, or goes on with it. Comes before the IDE is
    /// asked anything about it.
    fn begin(&self, name: Arc<str>, uid: Arc<str>) -> BoxFuture<'_, ()>;

    /// Takes what a process wrote. Returns at once.
    fn line(&self, uid: &str, stderr: bool, line: String, at: Timestamp);

    /// Takes a line of ours about a session. Returns at once.
    fn note(&self, uid: &str, line: String, at: Timestamp);

    /// No more will come.
    fn end(&self, uid: &str);

    /// Removes what was kept.
    fn remove(&self, name: Arc<str>, uid: Arc<str>) -> BoxFuture<'_, ()>;
}
