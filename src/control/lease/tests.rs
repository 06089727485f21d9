//! The loop itself, with tokio's paused clock and a store in memory.

use super::*;
use crate::telemetry::metrics::Metrics;
use std::sync::Mutex;

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    lease: Option<Lease>,
    version: u64,
    /// The store answers nobody.
    gone: bool,
    requests: u64,
}

impl Memory {
    async fn touch<T>(
        &self,
        act: impl FnOnce(&mut Inner) -> Result<T, ReachLeaseError>,
    ) -> Result<T, ReachLeaseError> {
        let gone = self.0.lock().unwrap().gone;
        if gone {
            std::future::pending::<()>().await;
        }
        let mut inner = self.0.lock().unwrap();
        inner.requests += 1;
        act(&mut inner)
    }
    fn holder(&self) -> Option<String> {
        self.0.lock().unwrap().lease.clone()?.spec?.holder_identity
    }
}

fn write(inner: &mut Inner, mut lease: Lease) -> Result<Lease, ReachLeaseError> {
    let version = |lease: &Lease| lease.metadata.resource_version.clone();
    if inner.lease.as_ref().and_then(version) != version(&lease) {
        return Err(ReachLeaseError::Conflict);
    }
    inner.version += 1;
    lease.metadata.resource_version = Some(inner.version.to_string());
    inner.lease = Some(lease.clone());
    Ok(lease)
}

impl LeaseStore for Memory {
    async fn get(&self) -> Result<Option<Lease>, ReachLeaseError> {
        self.touch(|inner| Ok(inner.lease.clone())).await
    }
    async fn create(&self, lease: Lease) -> Result<Lease, ReachLeaseError> {
        self.touch(|inner| write(inner, lease)).await
    }
    async fn replace(&self, lease: Lease) -> Result<Lease, ReachLeaseError> {
        self.touch(|inner| write(inner, lease)).await
    }
    /// Nobody tells: what holds without hints holds with them.
    fn holders(&self) -> impl Stream<Item = Option<String>> + Send + 'static {
        futures::stream::pending()
    }
}

fn candidate(store: &Memory, identity: &str) -> (Leadership, CancellationToken, tokio::task::JoinHandle<()>) {
    let stop = CancellationToken::new();
    let (election, leadership) =
        Election::new(store.clone(), identity.into(), Timing::default(), Metrics::default().lease).unwrap();
    (leadership, stop.clone(), tokio::spawn(election.run(stop)))
}

async fn opens_within(leadership: &mut Leadership, limit: Duration) {
    tokio::time::timeout(limit, leadership.acquired()).await.unwrap();
    assert!(leadership.is_leader());
}

#[tokio::test(start_paused = true)]
async fn a_clean_shutdown_hands_over_at_once() {
    let store = Memory::default();
    let (mut first, stop_first, ended) = candidate(&store, "first");
    opens_within(&mut first, Duration::from_secs(1)).await;
    let (mut second, stop, _) = candidate(&store, "second");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(first.is_leader() && !second.is_leader());
    stop_first.cancel();
    ended.await.unwrap();
    assert!(!first.is_leader());
    assert_eq!(store.holder().as_deref(), Some(""));
    opens_within(&mut second, Duration::from_secs(3)).await;
    assert_eq!(store.holder().as_deref(), Some("second"));
    let spec = store.0.lock().unwrap().lease.clone().unwrap().spec.unwrap();
    assert_eq!((spec.lease_transitions, spec.lease_duration_seconds), (Some(1), Some(15)));
    stop.cancel();
}

#[tokio::test(start_paused = true)]
async fn a_crash_costs_one_lease() {
    let store = Memory::default();
    let (mut first, _, task) = candidate(&store, "first");
    opens_within(&mut first, Duration::from_secs(1)).await;
    let (mut second, stop, _) = candidate(&store, "second");
    tokio::time::sleep(Duration::from_secs(5)).await;
    task.abort();
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert!(!second.is_leader());
    opens_within(&mut second, Duration::from_secs(8)).await;
    stop.cancel();
}

#[tokio::test(start_paused = true)]
async fn leadership_ends_before_the_lease_expires_when_the_store_is_silent() {
    let store = Memory::default();
    let (mut leadership, stop, _) = candidate(&store, "only");
    opens_within(&mut leadership, Duration::from_secs(1)).await;
    store.0.lock().unwrap().gone = true;
    let start = Instant::now();
    leadership.lost().await;
    let took = start.elapsed();
    assert!(took <= Duration::from_secs(10), "{took:?}");
    assert!(took >= Duration::from_secs(7), "gave up too early: {took:?}");
    store.0.lock().unwrap().gone = false;
    opens_within(&mut leadership, Duration::from_secs(7)).await;
    stop.cancel();
}

#[tokio::test(start_paused = true)]
async fn a_leader_asks_once_in_two_seconds() {
    let store = Memory::default();
    let (mut leadership, stop, _) = candidate(&store, "only");
    opens_within(&mut leadership, Duration::from_secs(1)).await;
    let before = store.0.lock().unwrap().requests;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let requests = store.0.lock().unwrap().requests - before;
    assert!((29..=31).contains(&requests), "{requests}");
    stop.cancel();
}

#[test]
fn times_that_cannot_work_are_refused() {
    let good = Timing::default();
    assert!(good.check().is_ok());
    for bad in [
        Timing { lease: good.renew_deadline, ..good },
        Timing { renew_deadline: good.retry * 2, ..good },
        Timing { retry: Duration::ZERO, ..good },
    ] {
        assert!(bad.check().is_err(), "{bad:?}");
    }
}

#[test]
fn hints_are_worth_a_look_when_they_may_change_who_leads() {
    let mut elector = Elector::new("me".into(), "lease".into(), Timing::default());
    assert!(
        elector.calls_for_read(None)
            && !elector.calls_for_read(Some("other"))
            && !elector.calls_for_read(Some("me"))
    );
    let now = std::time::Instant::now();
    elector.wrote(elector.record(Timestamp::UNIX_EPOCH), now, now);
    assert!(
        elector.calls_for_read(None)
            && elector.calls_for_read(Some("other"))
            && !elector.calls_for_read(Some("me"))
    );
    assert_eq!(elector.next(now), Step::Wait(Timing::default().retry));
    elector.invalidate();
    assert_eq!(elector.next(now), Step::Observe);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_lease_is_not_acquired_while_its_holder_may_still_write() {
    let store = Memory::default();
    let (mut first, _, _) = candidate(&store, "first");
    opens_within(&mut first, Duration::from_secs(1)).await;
    let (second, stop, _) = candidate(&store, "second");
    tokio::time::sleep(Duration::from_secs(5)).await;
    for _ in 0..3 {
        store.0.lock().unwrap().lease = None;
        for _ in 0..30 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(!second.is_leader(), "the first one makes it anew");
        }
        assert!(first.is_leader());
    }
    stop.cancel();
}

#[test]
fn leadership_without_an_election_is_held() {
    assert!(Leadership::always().is_leader());
}
