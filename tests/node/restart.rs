//! The operator is restarted while it is asked.

use crate::{
    stage::{HOME, RELEASE, scene, script},
    support::must,
};
use serde_json::json;
use sojourn_cluster::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_notices_that_the_operator_is_restarted() {
    let scene = scene("restart").await;
    let fine = crate::support::session("main", script("trap 'exit 0' TERM; sleep 1000 & wait", json!({})));
    let bad = crate::support::session("bad", json!({"culling": {"maxAge": "-1s"}}));
    let pods = ["get", "pods", "-n", HOME, "-o", "jsonpath={.items[*].metadata.name}"];
    let before = must(scene.kubectl(&pods).await);
    let restart = async {
        must(scene.kubectl(&["rollout", "restart", &format!("deployment/{RELEASE}"), "-n", HOME]).await);
        let replaced = async || {
            let now = must(scene.kubectl(&pods).await);
            !before.split(' ').any(|pod| now.contains(pod))
        };
        eventually("the pods that there were are gone", replaced).await.unwrap();
    };
    let asked = async {
        let mut asked = 0;
        let mut restart = std::pin::pin!(restart);
        loop {
            tokio::select! {
                () = &mut restart => return asked,
                () = async {
                    must(scene.apply(&fine).await);
                    let refused = scene.apply(&bad).await;
                    assert!(refused.stderr.contains("spec.culling.maxAge"), "{}", refused.stderr);
                } => asked += 1,
            }
        }
    };
    let asked = asked.await;
    println!("asked {asked} times meanwhile");
    assert!(asked > 0, "nobody asked");
    // A new one does what the old ones did.
    let holder = ["get", "lease", "-n", HOME, "-o", "jsonpath={.items[*].spec.holderIdentity}"];
    eventually("a new operator leads", async || {
        let holder = must(scene.kubectl(&holder).await);
        !holder.is_empty() && !before.split(' ').any(|pod| holder.contains(pod))
    })
    .await
    .unwrap();
    must(scene.patch("main", json!({"spec": {"hibernated": true}})).await);
    scene.gone("pod", "main-0").await;
}
