//! A rule that panics.

use crate::{Served, client::Protocol, good_review, guard};
use rstest::rstest;
use serde_json::json;
use sojourn::http_server::Limits;
use sojourn_crds::{DescribedKind, KindDescriptor, amalthea::AmaltheaSession};
use sojourn_webhooks::{
    http::{router, router_of},
    table::Row,
};
use tokio_util::sync::CancellationToken;

const THINGS: KindDescriptor =
    KindDescriptor { group: "", api_version: "v1", plural: "things", ..*AmaltheaSession::DESCRIPTOR };

static PANICKING: [Row; 1] = [Row {
    descriptor: &THINGS,
    read: |_, _| panic!("as the test wants it"),
    ..Row::validating::<AmaltheaSession>("panics.test")
}];

#[rstest]
#[tokio::test]
async fn a_panic_is_an_answer_and_the_connection_goes_on(
    #[values(Protocol::Http1, Protocol::Http2)] protocol: Protocol,
) {
    let routes = router(guard()).merge(router_of(&PANICKING, guard()));
    let served = Served::start_with(routes, Limits::default(), CancellationToken::new()).await;
    let mut client = served.target.connect(protocol).await.unwrap();
    for _ in 0..3 {
        let (status, answer) =
            client.post("/validate/v1/things", "application/json", good_review()).await.unwrap();
        assert_eq!(status, 200);
        assert_eq!(answer["response"]["uid"], "the-uid");
        assert_eq!(answer["response"]["allowed"], json!(false));
        assert_eq!(answer["response"]["status"]["code"], 500);
    }
    served.still_serves().await;
}
