//! Sessions that are asked for all the time while a test does its worst.

use crate::installation::Installation;
use serde_json::json;
use sojourn_cluster::eventually;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;

/// Requests at a time.
const AT_A_TIME: usize = 4;

/// Constant load, until it is ended.
pub(crate) struct Load {
    admitted: Arc<AtomicU64>,
    failed: Arc<Mutex<Vec<String>>>,
    tasks: JoinSet<()>,
}

impl Load {
    /// Waits until sessions are admitted, and bad ones refused with a reason, then starts.
    pub(crate) async fn start(installation: &Arc<Installation>) -> Self {
        let good = json!({"session": {"image": "debian:12"}});
        eventually("sessions are admitted", async || installation.admit(good.clone()).await.is_ok())
            .await
            .unwrap();
        let bad = json!({"session": {"image": "debian:12"}, "culling": {"maxAge": "1 day"}});
        let refused = installation.admit(bad).await.unwrap_err();
        assert!(refused.contains("spec.culling.maxAge"), "the webhooks are not asked: {refused}");
        let mut load = Self { admitted: Arc::default(), failed: Arc::default(), tasks: JoinSet::new() };
        for _ in 0..AT_A_TIME {
            let (installation, good) = (installation.clone(), good.clone());
            let (admitted, failed) = (load.admitted.clone(), load.failed.clone());
            load.tasks.spawn(async move {
                loop {
                    match installation.admit(good.clone()).await {
                        Ok(()) => drop(admitted.fetch_add(1, Ordering::Relaxed)),
                        Err(error) => failed.lock().unwrap().push(error),
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
        }
        load
    }

    pub(crate) fn admitted(&self) -> u64 {
        self.admitted.load(Ordering::Relaxed)
    }

    /// Waits until so many more were admitted.
    pub(crate) async fn admits(&self, more: u64) {
        let goal = self.admitted() + more;
        eventually("more sessions are admitted", async || self.admitted() >= goal).await.unwrap();
    }

    /// Ends the load, of which nothing may have failed.
    pub(crate) fn ends_without_a_failure(self) -> u64 {
        let failed = self.failed.lock().unwrap();
        assert!(failed.is_empty(), "{} of {} failed: {:#?}", failed.len(), self.admitted(), *failed);
        self.admitted()
    }
}
