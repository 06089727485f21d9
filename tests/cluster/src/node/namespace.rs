//! The network of a node: a namespace of its own, so that no address, route or rule of the machine is
//! touched, and nothing that runs there can reach anything outside. It ends with its last process.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::sync::oneshot;

use crate::Error;
use crate::process::ProcessId;

/// A network namespace, by a process that lives in it.
#[derive(Debug, Clone)]
pub(crate) struct Network(PathBuf);

impl Network {
    /// The one that `process` lives in.
    pub(crate) fn of(process: ProcessId) -> Self {
        Self(PathBuf::from(format!("/proc/{}/ns/net", process.pid)))
    }

    /// What programs that enter namespaces take.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Whether it is another one than that of this process. A process that is to make its own has that
    /// of its parent for a moment.
    pub(crate) fn is_apart(&self) -> bool {
        let ours = std::fs::read_link("/proc/self/ns/net").ok();
        std::fs::read_link(&self.0).is_ok_and(|theirs| Some(theirs) != ours)
    }

    /// Does something on a thread in this network. Sockets that it opens stay there, whoever uses them.
    pub(crate) fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T, Error> {
        let fail = |source| Error::EnterNetwork { source };
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| -> io::Result<T> {
                self.enter()?;
                Ok(act())
            });
            let panicked = |_| io::Error::other("what was to be done there panicked");
            thread.join().map_err(panicked).flatten().map_err(fail)
        })
    }

    /// Moves this thread, and no other, there for the rest of its life.
    fn enter(&self) -> io::Result<()> {
        let file = File::open(&self.0)?;
        Ok(move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?)
    }
}

/// A port of loopback that leads to the same port of loopback in a node's network. Closed when dropped.
#[derive(Debug)]
pub(crate) struct Passage {
    close: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Passage {
    /// Opens one.
    pub(crate) fn open(network: &Network, port: u16) -> Result<Self, Error> {
        let fail = |source| Error::EnterNetwork { source };
        // Opened before the thread moves, so it listens in the network of this process.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(fail)?;
        listener.set_nonblocking(true).map_err(fail)?;
        let (close, closed) = oneshot::channel();
        let network = network.clone();
        let thread = std::thread::Builder::new().name(format!("passage {port}"));
        let thread = thread
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
                if let (Ok(()), Ok(runtime)) = (network.enter(), runtime) {
                    runtime.block_on(async {
                        tokio::select! {
                            () = carry(listener, (Ipv4Addr::LOCALHOST, port).into()) => {}
                            _ = closed => {}
                        }
                    });
                }
            })
            .map_err(fail)?;
        Ok(Self { close: Some(close), thread: Some(thread) })
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        drop(self.close.take());
        if let Some(thread) = self.thread.take() {
            // That it panicked changes nothing: it is gone, and its sockets with it.
            let _ = thread.join();
        }
    }
}

/// Carries connections to `target` until it is dropped.
async fn carry(listener: TcpListener, target: SocketAddr) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((mut near, _)) = accepted else { continue };
                connections.spawn(async move {
                    // Either end may close, or never have been there: the other one sees that.
                    if let Ok(mut far) = tokio::net::TcpStream::connect(target).await {
                        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
