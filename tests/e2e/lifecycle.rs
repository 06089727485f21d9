//! Sessions from start to end.

use crate::support::{must, scene};
use serde_json::json;
use sojourn_crds::amalthea::State;

#[tokio::test(flavor = "multi_thread")]
async fn an_interactive_session_runs_hibernates_and_resumes() {
    let scene = scene("interactive").await;
    scene.session("hello", json!({"ingress": {"host": "hello.example.org"}})).await;
    let running = scene.reaches("hello", State::Running).await;
    let status = running.status.unwrap();
    assert_eq!(status.url.as_deref(), Some("http://hello.example.org/"));
    let first_run = status.run_id.unwrap();
    assert!(!scene.json("ingress", "hello").await.is_null());

    must(scene.patch("hello", json!({"spec": {"hibernated": true}})).await);
    let hibernated = scene.reaches("hello", State::Hibernated).await.status.unwrap();
    assert!(hibernated.hibernated_since.is_some());
    assert_eq!(hibernated.run_id, None);
    scene.gone("pod", "hello-0").await;
    scene.gone("ingress", "hello").await;
    assert!(!scene.json("pvc", "hello").await.is_null(), "the user's files stay");

    must(scene.patch("hello", json!({"spec": {"hibernated": false}})).await);
    let resumed = scene.reaches("hello", State::Running).await.status.unwrap();
    assert_eq!(resumed.hibernated_since, None);
    assert_ne!(resumed.run_id.as_ref(), Some(&first_run));
    let pod = scene.json("pod", "hello-0").await;
    assert_eq!(pod["metadata"]["annotations"]["renku.io/run_id"].as_str(), resumed.run_id.as_deref());
    assert!(!scene.json("ingress", "hello").await.is_null());
}

/// The API server takes two variables of one name in a POST, and refuses them in every server-side apply.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_with_a_variable_twice_hibernates_and_resumes() {
    let scene = scene("twice").await;
    let variable = |value: &str| json!({"name": "A", "value": value});
    let env = json!([variable("1"), variable("2")]);
    scene.session("twice", json!({"session": {"image": "busybox:1.36", "env": env}})).await;
    scene.reaches("twice", State::Running).await;
    assert_eq!(scene.json("pod", "twice-0").await["spec"]["containers"][0]["env"], json!([variable("2")]));

    must(scene.patch("twice", json!({"spec": {"hibernated": true}})).await);
    scene.reaches("twice", State::Hibernated).await;
    must(scene.patch("twice", json!({"spec": {"hibernated": false}})).await);
    scene.reaches("twice", State::Running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_session_runs_hibernates_and_resumes() {
    let scene = scene("batch").await;
    scene
        .session("job", json!({"sessionType": "NonInteractive", "culling": {"maxAge": "1h", "maxHibernatedDuration": "10m"}}))
        .await;
    scene.reaches("job", State::Running).await;
    let job = scene.json("job", "job").await;
    assert_eq!(job["spec"]["activeDeadlineSeconds"], 3600);
    assert_eq!(job["spec"]["ttlSecondsAfterFinished"], 600);

    must(scene.patch("job", json!({"spec": {"culling": {"maxAge": "2h"}}})).await);
    sojourn_cluster::eventually("the Job's deadline follows", async || {
        scene.json("job", "job").await["spec"]["activeDeadlineSeconds"] == 7200
    })
    .await
    .unwrap();

    must(scene.patch("job", json!({"spec": {"hibernated": true}})).await);
    scene.reaches("job", State::Hibernated).await;
    assert_eq!(scene.json("job", "job").await["spec"]["suspend"], true);

    must(scene.patch("job", json!({"spec": {"hibernated": false}})).await);
    let resumed = scene.reaches("job", State::Running).await.status.unwrap();
    let job = scene.json("job", "job").await;
    assert_eq!(job["spec"]["suspend"], false);
    assert_eq!(job["spec"]["activeDeadlineSeconds"], 7200);
    assert_eq!(
        job["spec"]["template"]["metadata"]["annotations"]["renku.io/run_id"].as_str(),
        resumed.run_id.as_deref()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_duration_is_refused_with_the_way_out() {
    let scene = scene("refused").await;
    let refused = scene.apply(&crate::support::session("bad", json!({"culling": {"maxAge": "1d"}}))).await;
    assert!(!refused.success());
    println!("{}", refused.stderr);
    assert!(refused.stderr.contains("24h"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_crd_is_small_enough_for_a_client_side_apply() {
    let scene = scene("crd").await;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/crds/yaml/amalthea.dev_amaltheasessions.yaml");
    must(scene.kubectl(&["apply", "-f", file, "--dry-run=server"]).await);
    must(
        scene.kubectl(&["apply", "-f", file, "--dry-run=server", "--server-side", "--force-conflicts"]).await,
    );
}
