//! Sessions in the operator's namespace, and what the operator authenticates with.

use crate::installation::Installation;
use jiff::SignedDuration;
use serde_json::json;
use sojourn_cluster::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_not_told_its_account_asks_who_it_is() {
    let mut installation = Installation::new("account", 1).await;
    installation.account = None;
    let replica = installation.start(0, SignedDuration::ZERO, &["--operator-secret=mounted"]).await;
    replica.becomes_ready().await;
    let session = |more: serde_json::Value| {
        let mut spec = json!({"session": {"image": "debian:12"}});
        json_patch::merge(&mut spec, &more);
        spec
    };
    let volume =
        |secret: &str| session(json!({"extraVolumes": [{"name": "v", "secret": {"secretName": secret}}]}));
    let admitted = async || installation.admit(volume("other")).await.is_ok();
    eventually("sessions are admitted", admitted).await.unwrap();
    for (spec, what) in [
        (session(json!({"serviceAccountName": "sojourn"})), "the service account of the operator"),
        (volume("mounted"), "a Secret of the operator"),
        (volume("sojourn-webhook"), "a Secret of the operator"),
    ] {
        let refused = installation.admit(spec).await.unwrap_err();
        assert!(refused.contains(what), "{refused}");
    }
    replica.ends().await;
}
