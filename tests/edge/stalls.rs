//! Clients that begin requests and do not end them. Nothing here waits for a time: the bounds of the tests are so long
//! that a request which were held up by others would come after their ends, and that is told.

use crate::{
    Served,
    client::{Protocol, Target},
    path, patient,
};
use futures::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use rstest::rstest;
use std::net::Ipv4Addr;

/// Streams at a time on one connection.
const STREAMS: usize = 64;

type Stalled = FuturesUnordered<BoxFuture<'static, anyhow::Result<u16>>>;

/// Begins `count` requests on one connection, which the server has received when this returns.
async fn stall(target: &Target, count: usize, stalled: &Stalled) {
    let mut client = target.connect(Protocol::Http2).await.unwrap();
    for _ in 1..count {
        let mut another = client.another().unwrap();
        let mut request: BoxFuture<'static, _> =
            Box::pin(async move { another.stall(&format!("{}?timeout=30s", path())).await });
        assert!(futures::poll!(&mut request).is_pending());
        stalled.push(request);
    }
    // Frames of one connection are received in their order. This one proves nothing: there is no such path.
    let (status, _) = client.post("/nowhere", "application/json", "{}").await.unwrap();
    assert_eq!(status, 404);
    stalled.push(Box::pin(async move { client.stall(&path()).await }));
}

/// That a stalled request is answered is a failure; that its connection is closed is none.
async fn answered(stalled: &mut Stalled) {
    while let Some(ended) = stalled.next().await {
        if let Ok(status) = ended {
            panic!("a body that never comes was answered first, with {status}");
        }
    }
    std::future::pending().await
}

#[rstest]
#[case::of_many_addresses(6, |connection| Ipv4Addr::new(127, 0, 1, connection))]
#[case::of_the_address_of_the_others(4, |_| Ipv4Addr::LOCALHOST)]
#[tokio::test]
async fn bodies_that_do_not_come_do_not_hold_up_others(
    #[case] connections: u8,
    #[case] address: fn(u8) -> Ipv4Addr,
) {
    let served = Served::start(patient()).await;
    let mut stalled = Stalled::new();
    for connection in 1..=connections {
        stall(&served.target.seen_from(address(connection)), STREAMS, &stalled).await;
    }
    tokio::select! {
        () = answered(&mut stalled) => {}
        () = served.still_serves() => {}
    }
}

#[tokio::test]
async fn connections_in_the_middle_of_a_request_make_room_for_others() {
    let mut limits = patient();
    limits.connections.connections = 8;
    let served = Served::start(limits).await;
    let mut stalled = Stalled::new();
    for _ in 0..8 {
        stall(&served.target, 2, &stalled).await;
    }
    tokio::select! {
        () = answered(&mut stalled) => {}
        () = served.still_serves() => {}
    }
}

#[tokio::test]
async fn a_client_with_a_verdict_keeps_its_connection_while_others_stall() {
    let mut limits = patient();
    limits.connections.connections = 8;
    let served = Served::start(limits).await;
    let mut known = served.target.connect(Protocol::Http2).await.unwrap();
    let review = crate::good_review();
    known.post(&path(), "application/json", review.clone()).await.unwrap();
    let stalled = Stalled::new();
    for _ in 0..16 {
        stall(&served.target, 2, &stalled).await;
    }
    let (status, _) = known.post(&path(), "application/json", review).await.unwrap();
    assert_eq!(status, 200);
}
