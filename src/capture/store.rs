//! The store of captured output. One task writes for all sessions, round-robin, all that each has buffered.

use super::{
    buffer::{Buffer, Item},
    files::{Directory, Growing},
    names::{Owner, Stream},
};
use crate::settings::CaptureSettings;
use jiff::Timestamp;
use parking_lot::Mutex;
use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{JoinError, spawn_blocking},
};

/// Bytes of all sessions that may be buffered.
const MAX_WAITING: usize = 16 << 20;
/// The delay after the first failed removal; it doubles with each failure.
const FIRST_RETRY: Duration = Duration::from_millis(200);
/// How long a removal is retried.
const RETRIES: Duration = Duration::from_secs(3);

/// A session is not captured.
#[derive(Debug, thiserror::Error)]
pub enum OpenCaptureError {
    /// It is captured already.
    #[error("its output is being kept already")]
    Twice,
    /// One of its files cannot be created or used.
    #[error("{path}: {source}")]
    Begin {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The process ends.
    #[error("the process ends")]
    Ending(#[from] JoinError),
}

/// Files are still there.
#[derive(Debug, thiserror::Error)]
pub enum RemoveCaptureError {
    /// They cannot be removed.
    #[error("the kept output cannot be removed: {0}")]
    Remove(#[from] io::Error),
    /// The process ends.
    #[error("the process ends")]
    Ending(#[from] JoinError),
}

/// The store. Clones share it.
#[derive(Clone, Debug)]
pub struct Capture {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    disk: Arc<Disk>,
    preserve: bool,
    open: Mutex<HashMap<String, Arc<Entry>>>,
    /// Counts what was opened.
    opened: watch::Sender<u64>,
    work: mpsc::UnboundedSender<Work>,
}

#[derive(Debug)]
struct Disk {
    directory: Directory,
    waiting: AtomicUsize,
}

/// A session that is captured.
#[derive(Debug)]
struct Entry {
    owner: Owner,
    disk: Arc<Disk>,
    inbox: Mutex<Inbox>,
    /// Held while its files are written only.
    files: Mutex<[Growing; 3]>,
    /// Counts what was written.
    written: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inbox {
    buffer: Buffer,
    /// The writing task knows that something waits.
    announced: bool,
    closed: bool,
}

/// What the writing task is asked for. Of each session at most one waits.
enum Work {
    Write(Arc<Entry>),
    Tell(oneshot::Sender<()>),
}

impl Capture {
    /// A store as `settings` say. Needs a runtime; touches no file yet.
    pub fn start(settings: &CaptureSettings) -> Self {
        let (work, asked) = mpsc::unbounded_channel();
        tokio::spawn(write_all(asked));
        let directory = Directory::choose(&settings.directory, settings.shared.as_deref());
        Self {
            shared: Arc::new(Shared {
                disk: Arc::new(Disk { directory, waiting: AtomicUsize::new(0) }),
                preserve: settings.preserve,
                open: Mutex::default(),
                opened: watch::Sender::new(0),
                work,
            }),
        }
    }

    /// The file that holds `stream` of `owner`, whether it is there or not. For people to read about, never to be
    /// opened by what they say it is.
    pub fn path(&self, owner: &Owner, stream: Stream) -> PathBuf {
        self.shared.disk.directory.file(owner, stream)
    }

    /// Begins to capture a session, or goes on with what an earlier life of this process captured of it.
    pub async fn open(&self, owner: &Owner) -> Result<Writer, OpenCaptureError> {
        if self.shared.open.lock().contains_key(owner.uid()) {
            return Err(OpenCaptureError::Twice);
        }
        // What an earlier writer brought is in the files before they are looked at.
        self.flush().await;
        let (disk, who) = (self.shared.disk.clone(), owner.clone());
        let files = spawn_blocking(move || {
            let begin = |stream| match disk.directory.begin(&who, stream) {
                Ok(written) => Ok(Growing::new(stream, written)),
                Err(source) => {
                    Err(OpenCaptureError::Begin { path: disk.directory.file(&who, stream), source })
                }
            };
            Ok::<_, OpenCaptureError>([
                begin(Stream::Stdout)?,
                begin(Stream::Stderr)?,
                begin(Stream::System)?,
            ])
        });
        let files = Mutex::new(files.await??);
        let entry = Arc::new(Entry {
            owner: owner.clone(),
            disk: self.shared.disk.clone(),
            inbox: Mutex::default(),
            files,
            written: watch::Sender::new(0),
        });
        let mut open = self.shared.open.lock();
        if open.contains_key(owner.uid()) {
            return Err(OpenCaptureError::Twice);
        }
        open.insert(owner.uid().to_owned(), entry.clone());
        drop(open);
        self.shared.opened.send_modify(|count| *count += 1);
        Ok(Writer { shared: self.shared.clone(), entry })
    }

    /// Ends the capture of `owner` and removes its files, unless they are to be preserved. Files that cannot be removed
    /// are tried again for three seconds.
    pub async fn remove(&self, owner: &Owner) -> Result<(), RemoveCaptureError> {
        let entry = self.shared.open.lock().remove(owner.uid());
        if let Some(entry) = entry {
            entry.inbox.lock().closed = true;
        }
        if self.shared.preserve {
            return Ok(());
        }
        let (mut wait, mut left) = (FIRST_RETRY, RETRIES);
        loop {
            let (disk, who) = (self.shared.disk.clone(), owner.clone());
            match spawn_blocking(move || disk.directory.remove(&who)).await? {
                Err(_) if left > Duration::ZERO => {
                    tokio::time::sleep(wait.min(left)).await;
                    left = left.saturating_sub(wait);
                    wait *= 2;
                }
                removed => return Ok(removed?),
            }
        }
    }

    /// Removes the files of objects whose UIDs are not among `alive`, and returns how many. For when a replica begins
    /// to lead and knows all objects; what others keep in the directory stays, and so does what is to be preserved.
    pub async fn sweep(&self, alive: HashSet<String>) -> Result<usize, RemoveCaptureError> {
        if self.shared.preserve {
            return Ok(0);
        }
        let disk = self.shared.disk.clone();
        Ok(spawn_blocking(move || disk.directory.sweep(&alive)).await??)
    }

    /// Waits until all lines that were passed in before are written, or have failed.
    pub async fn flush(&self) {
        let (done, told) = oneshot::channel();
        // There is no response when the writing task has ended; then nothing is written any more.
        if self.shared.work.send(Work::Tell(done)).is_ok() {
            let _ = told.await;
        }
    }

    /// Whether `stream` of `owner` is kept here. Blocks for as long as a file system takes.
    pub fn holds(&self, owner: &Owner, stream: Stream) -> bool {
        self.read(owner, stream).is_ok_and(|file| file.is_some())
    }

    /// What has been written of `stream`, from its beginning; none when nothing is kept here. Blocks for as long as a
    /// file system takes.
    pub fn read(&self, owner: &Owner, stream: Stream) -> io::Result<Option<File>> {
        self.shared.disk.directory.read(owner, stream)
    }

    /// Notifies of output of `owner` that is written from now on.
    pub fn updates(&self, owner: &Owner) -> Updates {
        let opened = self.shared.opened.subscribe();
        Updates {
            shared: self.shared.clone(),
            owner: owner.clone(),
            opened,
            written: self.shared.subscribe(owner),
        }
    }
}

impl Shared {
    fn subscribe(&self, owner: &Owner) -> Option<watch::Receiver<u64>> {
        self.open.lock().get(owner.uid()).map(|entry| entry.written.subscribe())
    }
}

/// Captures one session. The capture ends when this is dropped; buffered lines are still written.
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    entry: Arc<Entry>,
}

impl Writer {
    /// Buffers a line, or several separated by newlines. Returns at once.
    pub fn line(&self, stream: Stream, text: impl Into<String>, at: Timestamp) {
        let item = Item { stream, at, text: text.into() };
        let waiting = &self.entry.disk.waiting;
        let mut inbox = self.entry.inbox.lock();
        if inbox.closed {
            return;
        }
        let room = MAX_WAITING.saturating_sub(waiting.load(Ordering::Relaxed));
        waiting.fetch_add(inbox.buffer.push(item, room), Ordering::Relaxed);
        let announced = std::mem::replace(&mut inbox.announced, true);
        drop(inbox);
        if !announced {
            // The writing task is gone when the process ends only.
            let _ = self.shared.work.send(Work::Write(self.entry.clone()));
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.entry.inbox.lock().closed = true;
        let mut open = self.shared.open.lock();
        if open.get(self.entry.owner.uid()).is_some_and(|entry| Arc::ptr_eq(entry, &self.entry)) {
            open.remove(self.entry.owner.uid());
        }
    }
}

/// Notifies a reader of new output.
#[derive(Debug)]
pub struct Updates {
    shared: Arc<Shared>,
    owner: Owner,
    opened: watch::Receiver<u64>,
    written: Option<watch::Receiver<u64>>,
}

impl Updates {
    /// Waits until something has been written since this was created or last returned. Returns once more when the
    /// capture ends. Cancel safe.
    pub async fn wait(&mut self) {
        if let Some(written) = &mut self.written {
            if written.changed().await.is_err() {
                self.written = None;
            }
            return;
        }
        // The store lives as long as this does, so this does not end before something is opened.
        while self.opened.changed().await.is_ok() {
            self.written = self.shared.subscribe(&self.owner);
            if self.written.is_some() {
                return;
            }
        }
    }
}

/// Writes what is buffered, until all handles of the store are gone.
async fn write_all(mut asked: mpsc::UnboundedReceiver<Work>) {
    while let Some(work) = asked.recv().await {
        match work {
            Work::Write(entry) => {
                let writing = entry.clone();
                if spawn_blocking(move || writing.write()).await.is_err() {
                    return;
                }
                entry.written.send_modify(|count| *count += 1);
            }
            // The caller may be gone.
            Work::Tell(done) => drop(done.send(())),
        }
    }
}

impl Entry {
    fn write(&self) {
        let (items, room) = {
            let mut inbox = self.inbox.lock();
            inbox.announced = false;
            inbox.buffer.take()
        };
        let mut files = self.files.lock();
        for file in files.iter_mut() {
            if let Err(error) = file.write(&self.disk.directory, &self.owner, &items) {
                let session = self.owner.name();
                tracing::warn!(%error, session, "what an IDE session wrote cannot be kept");
            }
        }
        self.disk.waiting.fetch_sub(room, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
