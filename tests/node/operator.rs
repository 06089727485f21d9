//! The operator itself, in pods of its chart.

use crate::{
    stage::{HOME, RELEASE, scene, script},
    support::must,
};
use serde_json::json;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/sojourn/examples");

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_reached_through_the_service() {
    let scene = scene("webhooks").await;
    let refused = scene.kubectl(&["apply", "-f", &format!("{EXAMPLES}/bad-duration.yaml")]).await;
    assert!(!refused.success() && refused.stderr.contains("spec.culling.maxAge"), "{}", refused.stderr);
    let warned = scene.apply(&crate::support::session("fine", script("true", json!({})))).await;
    assert!(warned.success(), "{}", warned.stderr);
    let pods =
        must(scene.kubectl(&["get", "pods", "-n", HOME, "-o", "jsonpath={.items[*].status.podIP}"]).await);
    assert!(pods.split(' ').count() >= 2 && pods.starts_with("198.18."), "{pods}");
    let in_pod = async |program: &[&str]| {
        let deployment = format!("deployment/{RELEASE}");
        must(scene.kubectl(&[&["exec", "-n", HOME, &deployment, "--"], program].concat()).await)
    };
    assert!(in_pod(&["/sojourn", "--version"]).await.contains(env!("CARGO_PKG_VERSION")));
    assert!(in_pod(&["/manager", "--help"]).await.contains("--leader-elect"));
}
