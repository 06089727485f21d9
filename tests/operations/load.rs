//! Admission under way all the time: sessions that can work and sessions that cannot, by dry run, through the real API
//! server. Each answer must be the right one.

use kube::{
    Api, Client, Config,
    api::PostParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;
use sojourn_cluster::Cluster;
use sojourn_crds::amalthea::AmaltheaSession;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use tokio::task::JoinSet;

/// How many requests are under way at a time.
const AT_A_TIME: usize = 4;

/// A client that takes every answer as it is: nothing is asked twice.
pub(crate) async fn client(cluster: &Cluster) -> Client {
    let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    config.default_retry = false;
    Client::try_from(config).unwrap()
}

/// A session that can work, or one that cannot.
pub(crate) fn session(name: &str, works: bool) -> AmaltheaSession {
    let max_age = if works { "24h" } else { "1d" };
    let object = json!({
        "metadata": {"name": name},
        "spec": {"session": {"image": "debian:12"}, "culling": {"maxAge": max_age}},
    });
    serde_json::from_value(object).unwrap()
}

#[derive(Default)]
struct Seen {
    answers: AtomicUsize,
    wrong: Mutex<Vec<String>>,
    ended: AtomicBool,
}

/// The load, until it is ended.
pub(crate) struct Load {
    seen: Arc<Seen>,
    tasks: JoinSet<()>,
}

impl Load {
    pub(crate) async fn start(cluster: &Cluster) -> Self {
        let seen = Arc::new(Seen::default());
        let mut tasks = JoinSet::new();
        for worker in 0..AT_A_TIME {
            let api: Api<AmaltheaSession> = Api::default_namespaced(client(cluster).await);
            let seen = seen.clone();
            tasks.spawn(async move {
                let params = PostParams { dry_run: true, ..PostParams::default() };
                for turn in 0.. {
                    if seen.ended.load(Ordering::Relaxed) {
                        return;
                    }
                    let works = turn % 2 == 0;
                    let answer = api.create(&params, &session(&format!("load-{worker}"), works)).await;
                    let wrong = match answer {
                        Ok(_) if works => None,
                        Ok(_) => Some("a session that cannot work was admitted".to_owned()),
                        Err(kube::Error::Api(status)) if !works && status.code == 422 => None,
                        Err(error) => Some(error.to_string()),
                    };
                    seen.answers.fetch_add(1, Ordering::Relaxed);
                    seen.wrong.lock().unwrap().extend(wrong);
                }
            });
        }
        Self { seen, tasks }
    }

    /// How many requests were answered until now.
    pub(crate) fn answers(&self) -> usize {
        self.seen.answers.load(Ordering::Relaxed)
    }

    /// Ends the load: how many requests were answered, and the answers that were wrong.
    pub(crate) async fn end(self) -> (usize, Vec<String>) {
        self.seen.ended.store(true, Ordering::Relaxed);
        self.tasks.join_all().await;
        (self.seen.answers.load(Ordering::Relaxed), self.seen.wrong.lock().unwrap().clone())
    }
}
