//! What sessions write, on its way from their IDEs into files.

use super::runs::Output;
use crate::{
    capture::{Capture, NameOwnerError, OpenCaptureError, Owner, Stream, Writer},
    core::ide_session::{self, Files, reasons::LogsReason},
    settings::CaptureSettings,
};
use futures::future::BoxFuture;
use jiff::Timestamp;
use parking_lot::Mutex;
use sojourn_crds::ide_session::IdeSession;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Why what a session writes is not kept.
#[derive(Debug, thiserror::Error)]
enum KeepOutputError {
    /// Its object has a name or UID that no file can be named after.
    #[error(transparent)]
    Name(#[from] NameOwnerError),
    /// The files cannot be made.
    #[error(transparent)]
    Open(#[from] OpenCaptureError),
}

/// See the module.
#[derive(Debug)]
pub struct Outputs {
    store: Capture,
    /// By UID: what is kept now, or why it is not.
    kept: Mutex<HashMap<Arc<str>, Result<Writer, String>>>,
}

impl Outputs {
    /// Outputs that are kept as `settings` say. Must be called within a runtime.
    pub fn new(settings: &CaptureSettings) -> Self {
        Self { store: Capture::start(settings), kept: Mutex::default() }
    }

    /// Where the files are.
    pub fn store(&self) -> &Capture {
        &self.store
    }

    /// What is there of a session's output. Looks into the directory only for a session that has ended, or whose
    /// output another process began to keep.
    pub async fn of(&self, session: &IdeSession) -> ide_session::Capture {
        let Ok(owner) = Owner::new(session.name(), session.uid()) else {
            return ide_session::Capture::None;
        };
        match self.kept.lock().get(session.uid()) {
            Some(Ok(_)) => return ide_session::Capture::Kept(self.files(&owner)),
            Some(Err(message)) => {
                let message = format!("What the session writes cannot be kept: {message}");
                return ide_session::Capture::Unavailable { reason: LogsReason::CaptureFailed, message };
            }
            None => {}
        }
        let on_record = session.status.as_ref().is_some_and(|status| status.std_out_file.is_some());
        let (store, who) = (self.store.clone(), owner.clone());
        let holds = || tokio::task::spawn_blocking(move || store.holds(&who, Stream::Stdout));
        if on_record && holds().await.unwrap_or(false) {
            return ide_session::Capture::Kept(self.files(&owner));
        }
        ide_session::Capture::None
    }

    /// Removes the files of sessions that are not among `alive`, by UID.
    pub async fn sweep(&self, alive: HashSet<String>) {
        match self.store.sweep(alive).await {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, "removed what sessions wrote that are gone"),
            Err(error) => tracing::warn!(%error, "files of sessions that are gone may be left"),
        }
    }

    fn files(&self, owner: &Owner) -> Files {
        let path = |stream| self.store.path(owner, stream).display().to_string();
        Files { std_out: path(Stream::Stdout), std_err: path(Stream::Stderr) }
    }

    async fn open(&self, name: &str, uid: &str) -> Result<Writer, KeepOutputError> {
        Ok(self.store.open(&Owner::new(name, uid)?).await?)
    }

    fn write(&self, uid: &str, stream: Stream, line: String, at: Timestamp) {
        if let Some(Ok(writer)) = self.kept.lock().get(uid) {
            writer.line(stream, line, at);
        }
    }
}

impl Output for Outputs {
    fn begin(&self, name: Arc<str>, uid: Arc<str>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if matches!(self.kept.lock().get(&uid), Some(Ok(_))) {
                return;
            }
            let opened = self.open(&name, &uid).await.map_err(|error| {
                tracing::warn!(%error, session = %name, "what an IDE session writes is not kept");
                error.to_string()
            });
            self.kept.lock().insert(uid, opened);
        })
    }

    fn line(&self, uid: &str, stderr: bool, line: String, at: Timestamp) {
        let stream = if stderr { Stream::Stderr } else { Stream::Stdout };
        self.write(uid, stream, line, at);
    }

    fn note(&self, uid: &str, line: String, at: Timestamp) {
        self.write(uid, Stream::System, line, at);
    }

    fn end(&self, uid: &str) {
        self.kept.lock().remove(uid);
    }

    fn remove(&self, name: Arc<str>, uid: Arc<str>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.kept.lock().remove(&uid);
            let Ok(owner) = Owner::new(&name, &uid) else { return };
            if let Err(error) = self.store.remove(&owner).await {
                tracing::warn!(%error, session = %name, "files of an IDE session may be left");
            }
        })
    }
}
