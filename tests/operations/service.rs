//! A Service, as kube-proxy makes one: an address that leads each new connection to a replica that was ready a moment
//! ago. Connections that are there stay where they are, also to a replica that goes.

use crate::replica::page;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// How long the cluster takes to learn whether a replica is ready.
const PROPAGATION: Duration = Duration::from_millis(500);

/// Ports of webhooks by ports of probes, and those of the replicas that count as ready.
#[derive(Clone, Default)]
pub(crate) struct Endpoints {
    all: Arc<Mutex<BTreeMap<u16, u16>>>,
    ready: Arc<Mutex<Vec<u16>>>,
}

impl Endpoints {
    /// A replica more.
    pub(crate) fn add(&self, health: u16, webhooks: u16) {
        self.all.lock().unwrap().insert(health, webhooks);
    }

    /// A replica less: its pod is gone.
    pub(crate) fn remove(&self, health: u16) {
        self.all.lock().unwrap().remove(&health);
    }

    /// How many replicas there are.
    pub(crate) fn count(&self) -> usize {
        self.all.lock().unwrap().len()
    }

    /// How many replicas count as ready.
    pub(crate) fn ready(&self) -> usize {
        self.ready.lock().unwrap().len()
    }

    async fn look(&self) {
        let all = self.all.lock().unwrap().clone();
        let mut ready = Vec::new();
        for (health, webhooks) in all {
            if page(health, "/readyz").await.is_some_and(|(status, _)| status == 200) {
                ready.push(webhooks);
            }
        }
        *self.ready.lock().unwrap() = ready;
    }
}

/// A Service that ends when it is dropped.
pub(crate) struct Service {
    pub(crate) port: u16,
    pub(crate) endpoints: Endpoints,
    _tasks: JoinSet<()>,
}

impl Service {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let endpoints = Endpoints::default();
        let mut tasks = JoinSet::new();
        let watched = endpoints.clone();
        tasks.spawn(async move {
            loop {
                watched.look().await;
                tokio::time::sleep(PROPAGATION).await;
            }
        });
        let known = endpoints.clone();
        tasks.spawn(async move {
            let next = AtomicUsize::new(0);
            loop {
                let Ok((mut client, _)) = listener.accept().await else { continue };
                let ready = known.ready.lock().unwrap().clone();
                // Without endpoints a connection is refused; here it is closed.
                if ready.is_empty() {
                    continue;
                }
                let port = ready[next.fetch_add(1, Ordering::Relaxed) % ready.len()];
                tokio::spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await {
                        tokio::io::copy_bidirectional(&mut client, &mut server).await.ok();
                    }
                });
            }
        });
        Self { port, endpoints, _tasks: tasks }
    }
}
