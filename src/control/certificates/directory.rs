//! Tells when something in a directory changes, where the system can; whoever waits polls, too.

use std::path::Path;

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

    /// A watched directory. It may come later, and may be replaced.
    pub(in super::super) struct Directory {
        path: PathBuf,
        events: Option<AsyncFd<OwnedFd>>,
    }

    impl Directory {
        /// Watches a directory from now on.
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

        /// Finds the directory again; to watch one that is watched already changes nothing.
        pub(in super::super) fn find(&self) {
            let Some(events) = &self.events else { return };
            // Whoever swaps links, as the kubelet does, moves them into place.
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

    /// A directory that is only polled.
    pub(in super::super) struct Directory;

    impl Directory {
        /// Nothing is watched.
        pub(in super::super) fn new(_: &Path) -> Self {
            Self
        }

        /// There is nothing to find.
        pub(in super::super) fn find(&self) {}

        /// Never returns.
        pub(in super::super) async fn changed(&self) {
            std::future::pending().await
        }
    }
}
