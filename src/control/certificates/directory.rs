//! Reports changes in a directory, where the system can; callers poll as well.
//!
//! Not by `notify`: for one directory it brings a thread, a channel and a walker of trees, and on replaced
//! directories, as the kubelet makes them, the watch must be renewed here all the same. `rustix`, which has inotify,
//! is in the tree anyway.

use std::{path::Path, time::Duration};

/// How often files are read without an event.
pub(super) const POLL: Duration = Duration::from_secs(10);
/// How long to wait for more changes: files that belong together are written one after the other.
const QUIET: Duration = Duration::from_millis(200);

impl Directory {
    /// Returns when it has been quiet for a while, but no later than the next look.
    pub(super) async fn quiet(&self) {
        let quiet = async { while tokio::time::timeout(QUIET, self.changed()).await.is_ok() {} };
        tokio::time::timeout(POLL, quiet).await.ok();
    }
}

#[cfg(target_os = "linux")]
pub(super) use linux::Directory;
#[cfg(not(target_os = "linux"))]
pub(super) use other::Directory;

#[cfg(target_os = "linux")]
mod linux {
    use super::Path;
    use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
    use std::{os::fd::OwnedFd, path::PathBuf};
    use tokio::io::unix::AsyncFd;

    /// A watched directory. It may be created later, and may be replaced.
    pub(in super::super) struct Directory {
        path: PathBuf,
        events: Option<AsyncFd<OwnedFd>>,
    }

    impl Directory {
        /// Starts to watch a directory.
        pub(in super::super) fn new(path: &Path) -> Self {
            #[allow(
                deprecated,
                reason = "its successor is unsafe because of types whose descriptor may change; this one's cannot"
            )]
            let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)
                .map_err(std::io::Error::from)
                .and_then(AsyncFd::new);
            if let Err(error) = &events {
                tracing::info!(%error, "directories cannot be watched; they are looked at every ten seconds");
            }
            let this = Self { path: path.to_owned(), events: events.ok() };
            this.find();
            this
        }

        /// Renews the watch, for a directory that was created or replaced.
        pub(in super::super) fn find(&self) {
            let Some(events) = &self.events else { return };
            // The kubelet replaces links by renaming.
            let flags = WatchFlags::CREATE
                | WatchFlags::MOVED_TO
                | WatchFlags::CLOSE_WRITE
                | WatchFlags::DELETE
                | WatchFlags::ONLYDIR;
            if let Err(error) = inotify::add_watch(events.get_ref(), &self.path, flags) {
                tracing::debug!(%error, path = %self.path.display(), "the directory cannot be watched yet");
            }
        }

        /// Returns when something has changed.
        pub(in super::super) async fn changed(&self) {
            let Some(events) = &self.events else { return std::future::pending().await };
            let Ok(mut ready) = events.readable().await else { return std::future::pending().await };
            let mut scrap = [0; 4096];
            while rustix::io::read(events.get_ref(), &mut scrap).is_ok_and(|read| read > 0) {}
            ready.clear_ready();
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use super::Path;

    /// A directory without a watch.
    pub(in super::super) struct Directory;

    impl Directory {
        /// Does nothing.
        pub(in super::super) fn new(_: &Path) -> Self {
            Self
        }

        /// Does nothing.
        pub(in super::super) fn find(&self) {}

        /// Never returns.
        pub(in super::super) async fn changed(&self) {
            std::future::pending().await
        }
    }
}
