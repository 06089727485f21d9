//! Kinds that an API server does not serve, or serves again. The clock is that of the test.

use super::*;
use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use kube::client::{Body, Client};
use parking_lot::Mutex;
use serde_json::json;
use std::convert::Infallible;
use tokio::{task::JoinSet, time::Instant};

/// Takes note of when all that there is was listed.
struct Listed {
    may_be_unknown: bool,
    times: Arc<Mutex<Vec<Instant>>>,
}

impl EventHandler for Listed {
    fn kind(&self) -> &'static str {
        "ConfigMap"
    }

    fn may_be_unknown(&self) -> bool {
        self.may_be_unknown
    }

    fn apply(&self, _: DynamicObject) -> Option<Key> {
        None
    }

    fn remove(&self, _: DynamicObject) -> Option<Key> {
        None
    }

    fn retain(&self, _: &HashSet<String>) -> Vec<Key> {
        self.times.lock().push(Instant::now());
        Vec::new()
    }

    fn enqueue(&self, _: Key) {}
}

/// An API server without objects that streams lists of the kind while it serves it, and how a watch of it does.
struct Stage {
    served: channel::Sender<bool>,
    sync: CacheSync,
    listed: Arc<Mutex<Vec<Instant>>>,
    _watch: JoinSet<()>,
}

impl Stage {
    fn set(served: bool, may_be_unknown: bool) -> Self {
        let (served, sync) = (channel::Sender::new(served), CacheSync::default());
        let listed = Arc::new(Mutex::new(Vec::new()));
        let server = served.clone();
        let service = tower::service_fn(move |_: http::Request<Body>| {
            let answer = answer(server.subscribe());
            async { Ok::<_, Infallible>(answer) }
        });
        let resource = kube::core::ApiResource::erase::<k8s_openapi::api::core::v1::ConfigMap>(&());
        let api = Api::all_with(Client::new(service, "default"), &resource);
        let handler = Listed { may_be_unknown, times: listed.clone() };
        let mut watch = JoinSet::new();
        watch.spawn(follow(api, watcher::Config::default(), handler, sync.register()));
        Self { served, sync, listed, _watch: watch }
    }

    /// Waits until that many kinds are missed.
    async fn misses(&self, count: usize) {
        self.sync.unserved().wait_for(|unserved| unserved.len() == count).await.unwrap();
    }
}

/// The end of the list, and then nothing until the kind is gone; or 404.
fn answer(mut served: channel::Receiver<bool>) -> http::Response<UnsyncBoxBody<Bytes, Infallible>> {
    if !*served.borrow() {
        let status = json!({"kind": "Status", "status": "Failure", "message": "not found", "reason": "NotFound", "code": 404});
        let body = Full::new(Bytes::from(status.to_string())).boxed_unsync();
        return http::Response::builder().status(404).body(body).unwrap();
    }
    let end = json!({"type": "BOOKMARK", "object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
        "resourceVersion": "1", "annotations": {"k8s.io/initial-events-end": "true"},
    }}});
    let line = Bytes::from(format!("{end}\n"));
    let line = stream::once(async { Ok::<_, Infallible>(Frame::data(line)) });
    let rest = stream::once(async move {
        served.wait_for(|served| !served).await.ok();
        Ok(Frame::data(Bytes::new()))
    });
    http::Response::new(StreamBody::new(line.chain(rest)).boxed_unsync())
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_was_gone_for_hours_is_seen_again_within_seconds() {
    for may_be_unknown in [false, true] {
        let stage = Stage::set(true, may_be_unknown);
        stage.sync.wait().await;
        stage.served.send_replace(false);
        stage.misses(1).await;
        tokio::time::sleep(Duration::from_secs(3 * 3600)).await;
        assert_eq!(*stage.sync.unserved().borrow(), BTreeSet::from(["ConfigMap"]));
        let back = Instant::now();
        stage.served.send_replace(true);
        stage.misses(0).await;
        let listed = *stage.listed.lock().last().unwrap();
        assert!(listed >= back && listed - back <= NOT_SERVED_RETRY, "{:?}", listed - back);
    }
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_must_be_served_is_missed_from_the_start() {
    let stage = Stage::set(false, false);
    stage.misses(1).await;
    assert!(!stage.sync.is_synced());
    stage.served.send_replace(true);
    stage.sync.wait().await;
    assert!(stage.sync.unserved().borrow().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_may_be_unknown_is_not_missed_and_rarely_asked_for() {
    let stage = Stage::set(false, true);
    stage.sync.wait().await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(stage.sync.unserved().borrow().is_empty());
    let asked = stage.listed.lock().len();
    assert!(asked < 3600 / 15, "{asked} times in an hour");
}
