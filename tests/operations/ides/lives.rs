//! The operator is killed while its sessions are in every state, and another goes on from what is on record.

use super::{creations, on_create, stops};
use crate::stage::{OPERATOR, Stage};
use http::StatusCode;
use serde_json::json;
use sojourn_cluster::eventually;
use sojourn_crds::ide_session::{IdeSession, State};
use sojourn_fake_ide::{Answer, FakeIde, Options, Step};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// Sessions whose creation is asked for and not answered. There is no place for more.
const IN_FLIGHT: [&str; 8] =
    ["in-flight", "in-flight-deleted", "crowd-1", "crowd-2", "crowd-3", "crowd-4", "crowd-5", "crowd-6"];
const UNKNOWN: &str = "operator restarted while the start request was in flight";

fn message(session: &IdeSession) -> Option<&str> {
    session.status.as_ref()?.message.as_deref()
}

fn has_process(pid: i64) -> impl Fn(&IdeSession) -> bool {
    move |session| session.status.as_ref().is_some_and(|status| status.pid == Some(pid))
}

/// Holds up what the IDE answers, for as long as there are no permits.
fn held() -> Vec<Step> {
    vec![Step::Hold(Arc::new(Semaphore::new(0)))]
}

/// A session that the IDE has created, and of which the API server takes no record.
async fn unrecorded(stage: &Stage, ide: &FakeIde) {
    let name = "unrecorded";
    stage.create(name, "", None).await;
    let rule = json!({"apiGroups": ["usvc-dev.developer.microsoft.com"], "apiVersions": ["*"],
        "operations": ["UPDATE"], "resources": ["idesessions/status"], "resourceNames": [name]});
    let policy = |kind: &str, spec: serde_json::Value| {
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
            "metadata": {"name": "nothing-is-recorded"}, "spec": spec})
    };
    let validations = json!([{"expression": "!has(object.status.sessionID)"}]);
    let judge = json!({"matchConstraints": {"resourceRules": [rule]}, "validations": validations});
    stage.apply(policy("ValidatingAdmissionPolicy", judge)).await;
    let binding = json!({"policyName": "nothing-is-recorded", "validationActions": ["Deny"]});
    stage.apply(policy("ValidatingAdmissionPolicyBinding", binding)).await;
    let status = r#"{"status":{"state":"","sessionID":"x"}}"#;
    let patch =
        ["patch", "idesession", name, "--subresource=status", "--type=merge", "--dry-run=server", "-p"];
    let refused = async || !stage.kubectl(&[&patch[..], &[status]].concat()).await.success();
    eventually("the policy is in force", refused).await.unwrap();

    let audit = stage.cluster.audit().unwrap();
    let since = audit.cursor().unwrap();
    stage.desire(name, "Running").await;
    let tried = async || {
        let (entries, _) = audit.since(since).unwrap();
        entries.iter().any(|it| {
            (it.user.as_str(), it.name.as_str(), it.subresource.as_str()) == (OPERATOR, name, "status")
                && it.code >= 400
        })
    };
    eventually("the operator has heard and cannot write it down", tried).await.unwrap();
    let session = stage.reaches(name, State::Starting).await;
    assert_eq!((session.status.unwrap().session_id, creations(ide, name)), (None, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn f12_a_killed_operator_is_followed_by_one_that_knows_its_sessions() {
    let stage = Stage::set().await;
    let ide = FakeIde::start(Options { owners: true, ..Options::default() }).await.unwrap();
    let first = stage.connected_to(&ide, &[]).await;
    let on_stop = |id: &str, times: Vec<Vec<Step>>| {
        ide.script(|script| script.stop_of.entry(id.to_owned()).or_default().extend(times));
    };

    // One session in each state, and in each way of being on its way.
    stage.create("unasked", "", None).await;
    let runs = stage.running("runs").await;
    ide.log(&runs, "before");
    let ends = stage.running("ends-meanwhile").await;
    let deleted = stage.running("deleted-meanwhile").await;
    let forgotten = stage.running("forgotten").await;
    let stopping = stage.running("stopping").await;
    let pending = stage.running("pending").await;
    on_stop(&forgotten, vec![held(), vec![Answer::Status(StatusCode::NO_CONTENT, String::new()).into()]]);
    on_stop(&stopping, vec![held()]);
    on_stop(&pending, vec![held()]);
    stage.desire("forgotten", "Stopped").await;
    stage.desire("stopping", "Stopped").await;
    stage.delete("pending").await;
    for (name, id) in [("forgotten", &forgotten), ("stopping", &stopping), ("pending", &pending)] {
        stage.reaches(name, State::Stopping).await;
        ide.until("it is to be stopped", |ide| stops(ide, id) == 1).await;
    }
    let (stopped, failed) = (stage.running("stopped").await, stage.running("failed").await);
    ide.end(&stopped, Some(0));
    ide.end(&failed, Some(1));
    stage.reaches("stopped", State::Stopped).await;
    stage.reaches("failed", State::Failed).await;
    unrecorded(&stage, &ide).await;
    // As many requests as there are places, and one that waits for its turn.
    for name in IN_FLIGHT {
        on_create(&ide, name, held());
        stage.create(name, "Running", None).await;
        ide.until("it is asked for", |ide| creations(ide, name) == 1).await;
    }
    stage.create("unsent", "Running", None).await;
    stage
        .becomes("unsent", "is about to be sent", |session| {
            session.status.as_ref().is_some_and(|status| status.start_attempt_time.is_some())
        })
        .await;
    stage.delete("in-flight-deleted").await;
    let version = |session: &IdeSession| session.metadata.resource_version.clone();
    let over = [stage.session("stopped").await.unwrap(), stage.session("failed").await.unwrap()];

    stage.kill(first).await;
    // What happens while nobody listens is told later.
    ide.process(&runs, 4711);
    ide.end(&ends, Some(6));
    stage.delete("deleted-meanwhile").await;
    let _second = stage.connected_to(&ide, &[]).await;

    // Running: it is the operator's again, and what was missed is heard. Its output goes on where it was.
    let session = stage.becomes("runs", "has its process", has_process(4711)).await;
    assert_eq!(session.state(), State::Running);
    ide.log(&runs, "after");
    let file = session.status.unwrap().std_out_file.unwrap();
    let read = || std::fs::read_to_string(&file).unwrap();
    eventually("both lives wrote", async || read().ends_with(" after\n")).await.unwrap();
    let lines = read();
    let numbers: Vec<_> = lines.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(numbers == ["1", "2"] && lines.lines().all(|line| line.contains("Z ")), "{lines}");
    stage.desire("runs", "Stopped").await;
    stage.reaches("runs", State::Stopped).await;
    assert_eq!((creations(&ide, "runs"), stops(&ide, &runs)), (1, 1));
    let session = stage.reaches("ends-meanwhile", State::Failed).await;
    assert_eq!(session.status.unwrap().exit_code, Some(6));

    // Starting: nobody knows whether it was sent, and it is never sent twice.
    for (name, sent) in [("unsent", 0), ("in-flight", 1), ("unrecorded", 1)] {
        let session = stage.reaches(name, State::Failed).await;
        assert_eq!((message(&session), creations(&ide, name)), (Some(UNKNOWN), sent), "{name}");
        stage.tells(name, "SessionMayRemain: ").await;
    }

    // Stopping: it is asked for again, and an IDE that has forgotten the session is believed.
    stage.reaches("stopping", State::Stopped).await;
    stage.reaches("forgotten", State::Stopped).await;
    assert_eq!((stops(&ide, &stopping), stops(&ide, &forgotten)), (2, 2));

    // Deletion pending: first the IDE, then the object.
    for name in ["pending", "deleted-meanwhile", "in-flight-deleted"] {
        stage.gone(name).await;
    }
    assert_eq!((stops(&ide, &pending), stops(&ide, &deleted)), (2, 1));
    assert_eq!(creations(&ide, "in-flight-deleted"), 1);
    stage.tells("in-flight-deleted", "SessionMayRemain: ").await;

    // Terminal: nothing at all. Not begun: as if nothing had happened.
    for before in over {
        let after = stage.session(before.metadata.name.as_deref().unwrap()).await.unwrap();
        assert_eq!(version(&after), version(&before));
    }
    stage.desire("unasked", "Running").await;
    stage.reaches("unasked", State::Running).await;
    assert_eq!(ide.violations(), Vec::<String>::new());
    let asked = ide.asked();
    assert!(
        asked.iter().all(|it| it.instance == asked[0].instance),
        "the IDE sees one and the same operator"
    );
    stage.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f20_an_operator_that_ends_takes_no_session_along() {
    let stage = Stage::set().await;
    let ide = FakeIde::start(Options::default()).await.unwrap();
    let first = stage.connected_to(&ide, &[]).await;
    let id = stage.running("long").await;
    let subscriptions = || ide.asked_for("GET", "/run_session/notify").len();
    // A standby watches, and leaves the IDE alone: a second connection would close the first.
    let second = stage.connected_to(&ide, &[]).await;
    assert_eq!(subscriptions(), 1);

    stage.end(first).await;
    ide.until("it says goodbye", |ide| ide.goodbyes() == 1).await;
    ide.until("the standby is connected", |_| subscriptions() == 2).await;
    assert_eq!(stops(&ide, &id), 0);
    let session = stage.session("long").await.unwrap();
    assert_eq!(session.state(), State::Running);
    ide.process(&id, 99);
    stage.becomes("long", "has its process", has_process(99)).await;

    // A request that is under way is seen to its end, by who sent it.
    let hold = Arc::new(Semaphore::new(0));
    on_create(&ide, "late", vec![Step::Hold(hold.clone())]);
    stage.create("late", "Running", None).await;
    ide.until("it is asked for", |ide| creations(ide, "late") == 1).await;
    let answer = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        hold.add_permits(1);
    };
    tokio::join!(stage.end(second), answer);
    ide.until("it says goodbye", |ide| ide.goodbyes() == 2).await;
    let late = stage.reaches("late", State::Running).await.status.unwrap().session_id.unwrap();
    assert_eq!((stops(&ide, &id), stage.session("long").await.unwrap().state()), (0, State::Running));
    let silent = async || !ide.has_listener();
    eventually("nobody listens", silent).await.unwrap();

    let _third = stage.connected_to(&ide, &[]).await;
    stage.desire("late", "Stopped").await;
    stage.reaches("late", State::Stopped).await;
    assert_eq!((creations(&ide, "late"), stops(&ide, &late)), (1, 1));
    stage.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_goes_on_when_the_leader_is_killed() {
    let stage = Stage::set().await;
    let ide = FakeIde::start(Options::default()).await.unwrap();
    let leader = stage.connected_to(&ide, &[]).await;
    let runs = stage.running("runs").await;
    let standby = stage.connected_to(&ide, &[]).await;
    on_create(&ide, "in-flight", held());
    stage.create("in-flight", "Running", None).await;
    ide.until("it is asked for", |ide| creations(ide, "in-flight") == 1).await;
    ide.process(&runs, 1);
    stage.becomes("runs", "has its process", has_process(1)).await;

    stage.kill(leader).await;
    ide.process(&runs, 2);
    stage.becomes("runs", "has its next process", has_process(2)).await;
    let session = stage.reaches("in-flight", State::Failed).await;
    assert_eq!((message(&session), creations(&ide, "in-flight")), (Some(UNKNOWN), 1));
    stage.delete("runs").await;
    stage.gone("runs").await;
    assert_eq!((creations(&ide, "runs"), stops(&ide, &runs)), (1, 1));
    stage.end(standby).await;
    stage.cluster.stop().await;
}
