//! Reads a log file from its start to its end, and beyond while it is followed.

use super::{Logs, SessionLookup, line_filter::LineFilter, query::Query};
use crate::capture::{Capture, Owner, Stream, Updates};
use bytes::Bytes;
use std::{
    fs,
    io::{self, BufRead as _, BufReader},
    sync::Arc,
    time::Duration,
};
use tokio::{
    fs::File,
    io::AsyncReadExt as _,
    sync::{OwnedSemaphorePermit, watch},
    task::spawn_blocking,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// Bytes per read.
const PIECE: usize = 64 << 10;
/// How long a follower continues after the end of a session: its last output may arrive after its end is reported.
pub(super) const LINGER: Duration = Duration::from_secs(5);

/// A log that is being read.
pub(super) struct LogReader {
    capture: Capture,
    owner: Owner,
    stream: Stream,
    file: Option<File>,
    cut: LineFilter,
    piece: Vec<u8>,
    follow: Option<Follow>,
    /// The end of the file is the end of the log.
    last: bool,
    _place: OwnedSemaphorePermit,
}

/// What notifies a follower of changes.
struct Follow {
    sessions: Arc<dyn SessionLookup>,
    changes: watch::Receiver<u64>,
    updates: Updates,
    stop: CancellationToken,
    /// When following a session that has ended stops.
    until: Option<Instant>,
}

impl LogReader {
    /// Opens the log of `stream`. `query` says whether it is followed.
    pub(super) async fn begin(
        logs: &Logs,
        owner: Owner,
        stream: Stream,
        query: &Query,
        place: OwnedSemaphorePermit,
    ) -> io::Result<Self> {
        let mut follow = query.follow.then(|| Follow::new(logs, &owner));
        if follow.as_ref().is_some_and(|follow| follow.is_pointless(&owner)) {
            follow = None;
        }
        // Lines that were passed in before the request are in the response.
        logs.capture.flush().await;
        let (capture, who) = (logs.capture.clone(), owner.clone());
        let counted = query.tail.is_some();
        let (file, lines) = blocking(move || {
            let file = capture.read(&who, stream)?;
            let lines = if counted && file.is_some() { count(capture.read(&who, stream)?)? } else { 0 };
            Ok((file, lines))
        })
        .await?;
        Ok(Self {
            capture: logs.capture.clone(),
            owner,
            stream,
            file: file.map(File::from_std),
            cut: LineFilter::new(query, lines),
            piece: Vec::new(),
            last: follow.is_none(),
            follow,
            _place: place,
        })
    }

    /// Whether there is a file.
    pub(super) fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// The requested lines, in chunks.
    pub(super) fn stream(self) -> impl futures::Stream<Item = io::Result<Bytes>> + Send {
        futures::stream::try_unfold(self, async |mut reading| {
            let bytes = reading.next().await?;
            Ok(bytes.map(|bytes| (bytes, reading)))
        })
    }

    /// The next chunk; `None` at the end.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        while !self.cut.is_over() {
            let mut out = Vec::new();
            let read = self.read().await?;
            self.cut.feed(&self.piece[..read], &mut out);
            if read == 0 && self.last {
                self.cut.finish(&mut out);
                return Ok((!out.is_empty()).then(|| out.into()));
            }
            if !out.is_empty() {
                return Ok(Some(out.into()));
            }
            if read == 0 {
                self.last = match &mut self.follow {
                    Some(follow) => follow.is_over(&self.owner).await,
                    None => true,
                };
            }
        }
        Ok(None)
    }

    /// Reads a chunk; 0 at the end of the file, or while there is no file.
    async fn read(&mut self) -> io::Result<usize> {
        if self.file.is_none() {
            let (capture, owner, stream) = (self.capture.clone(), self.owner.clone(), self.stream);
            self.file = blocking(move || capture.read(&owner, stream)).await?.map(File::from_std);
        }
        let Some(file) = &mut self.file else { return Ok(0) };
        self.piece.resize(PIECE, 0);
        file.read(&mut self.piece).await
    }
}

impl Follow {
    fn new(logs: &Logs, owner: &Owner) -> Self {
        Self {
            sessions: logs.sessions.clone(),
            changes: logs.sessions.changes(),
            updates: logs.capture.updates(owner),
            stop: logs.stop.clone(),
            until: None,
        }
    }

    /// Whether no more output can arrive.
    fn is_pointless(&self, owner: &Owner) -> bool {
        match self.sessions.find(owner.name()) {
            Some(found) => found.uid != owner.uid() || found.deleting || found.state.is_terminal(),
            None => true,
        }
    }

    /// Waits until there may be more to read. Returns true when the output in the file is complete.
    async fn is_over(&mut self, owner: &Owner) -> bool {
        loop {
            // Later changes end the wait below.
            self.changes.borrow_and_update();
            let Some(found) = self.sessions.find(owner.name()) else { return true };
            if found.uid != owner.uid() || found.deleting || !self.sessions.keeps_logs() {
                return true;
            }
            if found.state.is_terminal() {
                self.until.get_or_insert_with(|| Instant::now() + LINGER);
            }
            let until = self.until;
            let lingered = async move {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.updates.wait() => return false,
                () = lingered => return true,
                () = self.stop.cancelled() => return true,
                changed = self.changes.changed() => if changed.is_err() { return true },
            }
        }
    }
}

/// The number of lines; an incomplete last line counts.
fn count(file: Option<fs::File>) -> io::Result<u64> {
    let Some(file) = file else { return Ok(0) };
    let mut file = BufReader::with_capacity(PIECE, file);
    let (mut lines, mut last) = (0, b'\n');
    loop {
        let piece = file.fill_buf()?;
        let Some(end) = piece.last() else { break };
        last = *end;
        lines += piece.iter().filter(|byte| **byte == b'\n').count() as u64;
        let used = piece.len();
        file.consume(used);
    }
    Ok(lines + u64::from(last != b'\n'))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await?
}
