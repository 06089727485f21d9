//! The CRD of sessions goes and comes back, as when somebody replaces it.

use crate::{
    load::session,
    replica::page,
    stage::{CHART, Stage, must},
};
use kube::{Api, api::PostParams};
use sojourn_cluster::{eventually, kubectl};
use sojourn_crds::amalthea::{AmaltheaSession, State};

const CRD: &str = "crd/amaltheasessions.amalthea.dev";

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_that_was_gone_is_noticed_when_it_is_back() {
    let stage = Stage::set().await;
    let replica = stage.replica(&[]).await;
    stage.ready(1).await;
    let sessions: Api<AmaltheaSession> = Api::default_namespaced(stage.client.clone());
    let runs = async |name: &str| {
        let reached = async || {
            let session = sessions.get_opt(name).await.ok().flatten();
            session.and_then(|session| session.status).is_some_and(|status| status.state == State::Running)
        };
        eventually(&format!("{name} runs"), reached).await.unwrap();
    };
    sessions.create(&PostParams::default(), &session("before", true)).await.unwrap();
    runs("before").await;
    let verbose = async || page(replica.health, "/readyz?verbose").await.unwrap();
    let warning = "[!] served kinds: the API server does not serve AmaltheaSession";
    assert!(!verbose().await.1.contains("[!] served kinds"));

    must(stage.kubectl(&["delete", CRD]).await);
    let told = eventually("it is told", async || verbose().await.1.contains(warning)).await;
    let (status, text) = verbose().await;
    told.unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(status, 200, "the webhooks of other kinds are needed: {text}");

    let crds =
        std::fs::read_to_string(format!("{CHART}/files/crds/amalthea.dev_amaltheasessions.yaml")).unwrap();
    must(kubectl(&stage.cluster, &["create", "-f", "-"], Some(&crds)).await.unwrap());
    let served = async || stage.kubectl(&["get", "ams", "-A"]).await.success();
    eventually("the CRD is served", served).await.unwrap();
    let created = async || sessions.create(&PostParams::default(), &session("after", true)).await.is_ok();
    eventually("a session is admitted", created).await.unwrap();
    runs("after").await;
    let (_, text) = verbose().await;
    assert!(!text.contains("[!] served kinds"), "{text}");
    stage.cluster.stop().await;
}
