//! What sessions write, kept in files for as long as their objects are there.

use super::runs::Output;
use crate::{
    capture::{Capture, Owner, Stream, Writer},
    core::ide_session::{self as core, Files},
};
use futures::future::BoxFuture;
use jiff::Timestamp;
use sojourn_crds::ide_session::IdeSession;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// See the module.
#[derive(Debug)]
pub struct Kept {
    capture: Capture,
    sessions: Mutex<HashMap<Arc<str>, Slot>>,
}

/// What is kept of one session.
#[derive(Debug)]
enum Slot {
    /// More may come.
    Open(Files, Writer),
    /// What came is there.
    Over(Files),
    /// Nothing is, and this is why.
    Failed(String),
}

impl Kept {
    /// Keeps output in `capture`.
    pub fn new(capture: Capture) -> Self {
        Self { capture, sessions: Mutex::default() }
    }

    /// This replica begins to lead, and these are all sessions that there are: what is left of others is removed, and
    /// what is there of these is known from now on.
    pub async fn lead(&self, sessions: &[Arc<IdeSession>]) {
        let alive = sessions.iter().map(|session| session.uid().to_owned()).collect();
        match self.capture.sweep(alive).await {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, "removed the output of sessions that are gone"),
            Err(error) => tracing::warn!(%error, "the output of sessions that are gone stays"),
        }
        for session in sessions {
            let Ok(owner) = Owner::new(session.name(), session.uid()) else { continue };
            let (capture, files) = (self.capture.clone(), self.files(&owner));
            // Looking is left to those who may wait for a file system.
            let there = tokio::task::spawn_blocking(move || capture.holds(&owner, Stream::Stdout)).await;
            if there.unwrap_or_default() {
                self.lock().entry(session.uid().into()).or_insert(Slot::Over(files));
            }
        }
    }

    /// What is there of a session's output.
    pub fn facts(&self, uid: &str) -> core::Capture {
        match self.lock().get(uid) {
            None => core::Capture::None,
            Some(Slot::Open(files, _) | Slot::Over(files)) => core::Capture::Kept(files.clone()),
            Some(Slot::Failed(message)) => {
                core::Capture::Unavailable { reason: "CaptureFailed", message: message.clone() }
            }
        }
    }

    fn files(&self, owner: &Owner) -> Files {
        let path = |stream| self.capture.path(owner, stream).display().to_string();
        Files { std_out: path(Stream::Stdout), std_err: path(Stream::Stderr) }
    }

    async fn open(&self, name: &str, uid: &str) -> Slot {
        let failed = |error: String| Slot::Failed(format!("What the session writes is not kept: {error}"));
        let owner = match Owner::new(name, uid) {
            Ok(owner) => owner,
            Err(error) => return failed(error.to_string()),
        };
        match self.capture.open(&owner).await {
            Ok(writer) => Slot::Open(self.files(&owner), writer),
            Err(error) => {
                tracing::warn!(session = name, %error, "what a session writes is not kept");
                failed(error.to_string())
            }
        }
    }

    fn write(&self, uid: &str, stream: Stream, line: String, at: Timestamp) {
        if let Some(Slot::Open(_, writer)) = self.lock().get(uid) {
            writer.line(stream, line, at);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Slot>> {
        // Consistent between any two statements that could panic.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Output for Kept {
    fn begin(&self, name: Arc<str>, uid: Arc<str>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if matches!(self.lock().get(&uid), Some(Slot::Open(..))) {
                return;
            }
            let slot = self.open(&name, &uid).await;
            self.lock().insert(uid, slot);
        })
    }

    fn line(&self, uid: &str, stderr: bool, line: String, at: Timestamp) {
        self.write(uid, if stderr { Stream::Stderr } else { Stream::Stdout }, line, at);
    }

    fn note(&self, uid: &str, line: String, at: Timestamp) {
        self.write(uid, Stream::System, line, at);
    }

    fn end(&self, uid: &str) {
        if let Some(slot) = self.lock().get_mut(uid)
            && let Slot::Open(files, _) = slot
        {
            *slot = Slot::Over(files.clone());
        }
    }

    fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn remove(&self, name: Arc<str>, uid: Arc<str>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.forget(&uid);
            let Ok(owner) = Owner::new(&name, &uid) else { return };
            if let Err(error) = self.capture.remove(&owner).await {
                tracing::warn!(session = &*name, %error, "what a session wrote stays");
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::CaptureSettings;
    use serde_json::json;
    use std::path::Path;

    const UID: &str = "0b5e8a3e-0000-4000-8000-000000000001";

    fn kept(directory: &Path) -> Kept {
        let settings = CaptureSettings { directory: directory.to_owned(), shared: None, preserve: false };
        Kept::new(Capture::start(&settings))
    }

    fn session(name: &str) -> Arc<IdeSession> {
        Arc::new(serde_json::from_value(json!({"metadata": {"name": name, "uid": UID}})).unwrap())
    }

    fn files(kept: &Kept) -> Files {
        match kept.facts(UID) {
            core::Capture::Kept(files) => files,
            other => panic!("it is not kept: {other:?}"),
        }
    }

    #[tokio::test]
    async fn output_is_there_from_the_beginning_until_it_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let kept = kept(directory.path());
        assert_eq!(kept.facts(UID), core::Capture::None);
        kept.begin("a".into(), UID.into()).await;
        kept.begin("a".into(), UID.into()).await;
        kept.line(UID, false, "hello".into(), Timestamp::UNIX_EPOCH);
        kept.line(UID, true, "oh".into(), Timestamp::UNIX_EPOCH);
        kept.end(UID);
        kept.line(UID, false, "late".into(), Timestamp::UNIX_EPOCH);
        kept.capture.flush().await;
        let files = files(&kept);
        let read = |path: &str| std::fs::read_to_string(path).unwrap();
        assert!(read(&files.std_out).ends_with(" hello\n") && read(&files.std_err).ends_with(" oh\n"));
        kept.remove("a".into(), UID.into()).await;
        assert_eq!(kept.facts(UID), core::Capture::None);
        assert!(!Path::new(&files.std_out).exists());
    }

    #[tokio::test]
    async fn the_next_leader_finds_what_is_there_and_removes_what_is_nobodys() {
        let directory = tempfile::tempdir().unwrap();
        let first = kept(directory.path());
        first.begin("a".into(), UID.into()).await;
        let gone = "0b5e8a3e-0000-4000-8000-000000000002";
        first.begin("b".into(), gone.into()).await;
        first.capture.flush().await;
        let path = files(&first).std_out.clone();
        let other = path.replace(UID, gone).replace("a_out", "b_out");
        assert!(Path::new(&other).exists());
        drop(first);
        let next = kept(directory.path());
        next.lead(&[session("a")]).await;
        assert_eq!(files(&next).std_out, path);
        assert!(!Path::new(&other).exists());
    }

    #[tokio::test]
    async fn what_cannot_be_kept_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let kept = kept(directory.path());
        kept.begin("Not A Name".into(), UID.into()).await;
        assert!(matches!(kept.facts(UID), core::Capture::Unavailable { reason: "CaptureFailed", .. }));
    }
}
