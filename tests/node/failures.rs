//! What goes wrong with real containers is named in the status of the session.

use crate::{
    objects::{condition, error},
    stage::{is, job, scene, script},
    support::{Scene, must},
};
use serde_json::{Value, json};
use sojourn_crds::amalthea::{AmaltheaSession, State};

/// Starts a session, and waits for a state with a text, which `kubectl describe` shows too.
async fn says(scene: &Scene, name: &str, spec: Value, state: State, part: &str) {
    scene.session(name, spec).await;
    let what = format!("is {state:?} and says {part:?}");
    scene
        .eventually(name, &what, |session| {
            session.status.as_ref().is_some_and(|status| status.state == state)
                && error(session).contains(part)
        })
        .await;
    let described = must(scene.kubectl(&["describe", "ams", name]).await);
    // It breaks no lines, and shows quotes as they are.
    assert!(described.contains(part), "{described}");
}

const SESSION: &str = "amalthea-session";

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_runs_out_of_memory_is_named() {
    let scene = scene("memory").await;
    let small = json!({"session": {"resources": {"limits": {"memory": "32Mi"}}}});
    let greedy = "exec dd if=/dev/zero of=/dev/null bs=200M count=10";
    let text = format!("the container {SESSION} ran out of memory (OOMKilled)");
    tokio::join!(
        // It is started and killed again, and now and then the node says for what reason.
        says(&scene, "interactive", script(greedy, small.clone()), State::Failed, &text),
        // A busy node may say that it was killed before it knows why, and there is no second time.
        says(&scene, "batch", job(greedy, small), State::Failed, "out of memory"),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_ends_or_cannot_begin_is_told_with_its_reason() {
    let scene = scene("commands").await;
    let told = "echo no such kernel >/dev/termination-log; exit 7";
    let nothing = json!({"session": {"command": ["/no/such/program"]}});
    let prepare = json!({"initContainers": [{
        "name": "prepare", "image": "busybox", "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", "echo no space left >/dev/termination-log; exit 4"],
    }]});
    let crashing =
        |text: &str| format!("is crashing, this is the best reason for the crash we could extract: {text:?}");
    let (kernel, silent) = (crashing("no such kernel"), crashing("exit code 7"));
    tokio::join!(
        says(&scene, "told", script(told, json!({})), State::Failed, &kernel),
        says(&scene, "silent", script("exit 7", json!({})), State::Failed, &silent),
        says(&scene, "well", script("exit 0", json!({})), State::Failed, "it ended by itself (exit code 0)"),
        says(
            &scene,
            "nothing",
            script("", nothing),
            State::Failed,
            "/no/such/program: no such file or directory"
        ),
        says(&scene, "prepare", script("", prepare.clone()), State::Failed, "no space left"),
        says(
            &scene,
            "batch",
            job("", prepare),
            State::Failed,
            "the container prepare terminated with an error no space left"
        ),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pod_needs_and_does_not_find_is_named() {
    let scene = scene("needs").await;
    let image = json!({"session": {"image": "nowhere.example.org/nothing:1"}});
    let no_image = format!("failure to retrieve image for container {SESSION}: ");
    let variable = json!({"session": {"env": [
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "lost", "key": "key"}}},
    ]}});
    let volume = json!({
        "session": {"extraVolumeMounts": [{"name": "keys", "mountPath": "/keys"}]},
        "extraVolumes": [{"name": "keys", "secret": {"secretName": "lost"}}],
    });
    let lost = "secret \"lost\" not found";
    tokio::join!(
        says(&scene, "image", script("", image), State::Failed, &no_image),
        says(&scene, "variable", script("", variable), State::Failed, lost),
        says(&scene, "volume", script("sleep 1000", volume.clone()), State::NotReady, lost),
        says(&scene, "batch", job("true", volume), State::NotReady, lost),
    );
    // What was missing comes, and nothing has to be done to the sessions.
    let secret = ["create", "secret", "generic", "lost", "--from-literal=key=found"];
    must(scene.kubectl(&secret).await);
    let state = |state: State| {
        move |session: &AmaltheaSession| {
            session.status.as_ref().is_some_and(|status| status.state == state && error(session).is_empty())
        }
    };
    let batch = scene.eventually("batch", "ends", state(State::Succeeded));
    tokio::join!(scene.eventually("volume", "runs", state(State::Running)), batch);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_its_node_evicts_says_why() {
    let scene = scene("evicted").await;
    let small = json!({"session": {"resources": {"limits": {"ephemeral-storage": "5Mi"}}}});
    let large = "dd if=/dev/zero of=/tmp/file bs=1M count=50; sleep 1000";
    let text = "Pod ephemeral local storage usage exceeds the total limit of containers 5Mi.";
    // The first pod of it only: the file says that there was one.
    let once = format!("test -e /workspace/again && exec sleep 1000; touch /workspace/again; {large}");
    let interactive = async {
        scene.session("interactive", script(&once, small.clone())).await;
        let what = "runs again, and says why it had to";
        let told = |session: &AmaltheaSession| {
            let running = session.status.as_ref().is_some_and(|status| status.state == State::Running);
            running && condition(session, "Interrupted", "True").is_some_and(|message| message.contains(text))
        };
        scene.eventually("interactive", what, told).await;
        let described = must(scene.kubectl(&["describe", "ams", "interactive"]).await);
        assert!(described.contains("Evicted"), "{described}");
    };
    tokio::join!(says(&scene, "batch", job(large, small.clone()), State::Failed, text), interactive);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_in_the_words_of_the_command() {
    let scene = scene("disk").await;
    let full = "dd if=/dev/zero of=/dev/shm/file bs=1M count=8 2>/dev/termination-log";
    let small = json!({"session": {"shmSize": "1Mi"}});
    let text = "No space left on device";
    let mut prepare = small.clone();
    prepare["initContainers"] = json!([{
        "name": "prepare", "image": "busybox", "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", full],
        "volumeMounts": [{"name": "amalthea-dev-shm", "mountPath": "/dev/shm"}],
    }]);
    tokio::join!(
        says(&scene, "interactive", script(full, small.clone()), State::Failed, text),
        says(&scene, "batch", job(full, small.clone()), State::Failed, text),
        says(&scene, "init", script("sleep 1000", prepare), State::Failed, text),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_a_pod_from_the_node_is_told() {
    let scene = scene("nowhere").await;
    let never = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "asleep"},
        "provisioner": "example.org/asleep",
    });
    must(scene.apply(&never).await);
    let quota = json!({"metadata": {"name": "little"}, "spec": {"hard": {"limits.memory": "1Gi"}}});
    scene.create("resourcequota", quota).await;
    scene.becomes("resourcequota", "little", "counts", |quota| !quota["status"]["hard"].is_null()).await;
    let limited = |more: Value| {
        let mut spec = json!({"session": {"resources": {"limits": {"memory": "32Mi"}}}});
        json_patch::merge(&mut spec, &more);
        script("sleep 1000", spec)
    };
    let huge = limited(json!({"session": {"resources": {"requests": {"cpu": "10000"}}}}));
    let mars = limited(
        json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "planet", "operator": "In", "values": ["mars"]}]}],
        }}}}),
    );
    let claim = limited(json!({"session": {"storage": {"className": "asleep"}}}));
    let unknown = limited(json!({"session": {"storage": {"className": "no-such-class"}}}));
    let greedy = limited(json!({"session": {"resources": {"limits": {"memory": "2Gi"}}}}));
    let priority = limited(json!({"priorityClassName": "no-such-priority"}));
    tokio::join!(
        says(&scene, "huge", huge, State::NotReady, "Insufficient cpu"),
        says(&scene, "mars", mars, State::NotReady, "didn't match Pod's node affinity/selector"),
        says(&scene, "claim", claim, State::NotReady, "unbound immediate PersistentVolumeClaims"),
        says(&scene, "unknown", unknown, State::Failed, "the PVC \"unknown\" cannot be provisioned"),
        says(&scene, "greedy", greedy, State::Failed, "Quota exceeded"),
        says(&scene, "priority", priority, State::Failed, "no PriorityClass with name no-such-priority"),
    );
    // Whatever keeps it from running keeps nobody from stopping or removing it.
    for name in ["huge", "claim", "unknown", "greedy", "priority"] {
        must(scene.patch(name, json!({"spec": {"hibernated": true}})).await);
        scene
            .eventually(name, "is hibernated", |session| {
                session.status.as_ref().is_some_and(|status| status.state == State::Hibernated)
                    && error(session).is_empty()
            })
            .await;
        must(scene.kubectl(&["delete", "ams", name, "--wait=false"]).await);
        scene.session_gone(name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_that_never_succeeds_is_told_and_given_up_on() {
    let scene = scene("closed").await;
    let closed = json!({"session": {"readinessProbe": {"type": "tcp"}}});
    scene.session("main", script("sleep 1000", closed)).await;
    let text = format!("the container {SESSION} runs, but its readiness probe does not succeed");
    scene
        .eventually("main", "says what it waits for", |session| {
            condition(session, "Ready", "False").is_some_and(|message| message.contains(&text))
        })
        .await;
    must(scene.patch("main", json!({"spec": {"culling": {"maxStartingDuration": "60s"}}})).await);
    scene.eventually("main", "is hibernated", is(State::Hibernated)).await;
}
