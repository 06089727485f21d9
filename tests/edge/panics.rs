//! A rule that panics.

use crate::{Served, client::Protocol, good_review, guard};
use rstest::rstest;
use serde_json::json;
use sojourn::http_server::Limits;
use sojourn_crds::{KindDescriptor, ResourceScope};
use sojourn_webhooks::{
    http::{router, router_of},
    table::{FailurePolicy, Row, WebhookType},
};
use tokio_util::sync::CancellationToken;

const THINGS: KindDescriptor = KindDescriptor {
    group: "",
    version: "v1",
    api_version: "v1",
    kind: "Thing",
    plural: "things",
    singular: "thing",
    short_names: &[],
    scope: ResourceScope::Namespaced,
};

static PANICKING: [Row; 1] = [Row {
    name: "panics.test",
    descriptor: &THINGS,
    webhook_type: WebhookType::Validating,
    operations: &[],
    failure_policy: FailurePolicy::Fail,
    timeout_seconds: 5,
    conditions: &[],
    needs_sessions: false,
    needs_access_review: false,
    read: |_, _| panic!("as the test wants it"),
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
