//! Sessions of agents at the door: what is asked of them, and how long their Jobs live. Nobody reconciles them here.

use crate::support::{Scene, must, scene};
use serde_json::{Value, json};
use sojourn_cluster::{Output, eventually, kubectl};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/sojourn/examples");

async fn example(scene: &Scene, name: &str) -> Output {
    scene.kubectl(&["apply", "-f", &format!("{EXAMPLES}/{name}.yaml")]).await
}

/// The Job of a session, as somebody else's operator writes it.
fn job(name: &str, deadline: Option<i64>) -> Value {
    let mut job = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "labels": {"agentic-session": "fix-the-build", "app": "ambient-code-runner"},
        },
        "spec": {"template": {"spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "ambient-code-runner", "image": "busybox"}],
        }}},
    });
    if let Some(deadline) = deadline {
        job["spec"]["activeDeadlineSeconds"] = json!(deadline);
    }
    job
}

/// What would become of a Job.
async fn tried(scene: &Scene, job: &Value) -> Output {
    let args = ["-n", scene.namespace.as_str(), "create", "--dry-run=server", "-f", "-"];
    kubectl(&scene.stage.cluster, &args, Some(&job.to_string())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_answer_names_every_wrong_field() {
    let scene = scene("agentic-door").await;
    must(example(&scene, "agentic").await);
    must(example(&scene, "agentic-project").await);
    let refused = example(&scene, "bad-agentic").await;
    assert!(!refused.success());
    for part in [
        "metadata.annotations[ambient-code.io/desired-phase]: the session is new and cannot be asked for \"running\"",
        "spec.environmentVariables[GREETING=]",
        "spec.environmentVariables[RUNNER_STATE_DIR]",
        "Warning: spec.repos[0].url",
        "Warning: spec.timeout",
    ] {
        assert!(refused.stderr.contains(part), "{part:?} is missing from {}", refused.stderr);
    }

    let annotate = async |annotations: &[&str]| {
        scene.kubectl(&[&["annotate", "--overwrite", "as", "fix-the-build"], annotations].concat()).await
    };
    let both =
        ["ambient-code.io/desired-phase=Running", "ambient-code.io/stop-requested-at=2026-01-01T08:00:00Z"];
    let refused = annotate(&both).await;
    assert!(refused.stderr.contains("cannot ask a session to start and to stop"), "{}", refused.stderr);
    must(annotate(&["ambient-code.io/desired-phase=Stopped", both[1]]).await);

    let user = json!({"spec": {"userContext": {"userId": "mallory"}}}).to_string();
    let refused = scene.kubectl(&["patch", "as", "fix-the-build", "--type=merge", "-p", &user]).await;
    assert!(refused.stderr.contains("spec.userContext: Forbidden: cannot be changed"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_of_a_session_lives_as_long_as_the_session_may() {
    let scene = scene("agentic-job").await;
    must(example(&scene, "agentic").await);
    let short = job("short", Some(300));
    eventually("the guard knows the session", async || !tried(&scene, &short).await.success()).await.unwrap();
    let refused = tried(&scene, &short).await;
    assert!(refused.stderr.contains("at least 14400 s (4h)"), "{}", refused.stderr);

    must(scene.apply(&job("filled", None)).await);
    let filled = scene.json("job", "filled").await;
    assert_eq!(filled["spec"]["activeDeadlineSeconds"], 14400);
    assert_eq!(filled["spec"]["ttlSecondsAfterFinished"], 600);
    must(scene.apply(&job("original", Some(14400))).await);

    must(scene.kubectl(&["delete", "as", "fix-the-build"]).await);
    eventually("the guard forgets the session", async || tried(&scene, &short).await.success())
        .await
        .unwrap();
    let warned = tried(&scene, &short).await;
    assert!(warned.stderr.contains("there is no AgenticSession \"fix-the-build\""), "{}", warned.stderr);
}
