//! What sessions write, read by people with tokens from the operator's own port.

use crate::{
    client::{Protocol, Target},
    play::{Play, play},
};
use http_body_util::BodyExt as _;
use hyper::{Response, body::Incoming};
use k8s_openapi::api::{
    admissionregistration::v1::ValidatingWebhookConfiguration, authentication::v1::TokenRequest,
    core::v1::ServiceAccount, rbac::v1::ClusterRoleBinding,
};
use kube::{
    Api,
    api::{ListParams, PostParams},
};
use serde_json::json;
use sojourn_cluster::eventually;
use sojourn_crds::ide_session::State;
use std::path::Path;

/// Somebody with a token.
struct Reader {
    target: Target,
    token: String,
}

impl Reader {
    /// A service account of that name, whose token may read logs, or may not.
    async fn new(play: &Play, name: &str, may: bool) -> Self {
        let client = &play.scene.client;
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
        let account = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        accounts.create(&PostParams::default(), &account).await.unwrap();
        let request = TokenRequest::default();
        let granted = accounts.create_token_request(name, &PostParams::default(), &request).await.unwrap();
        if may {
            let bindings: Api<ClusterRoleBinding> = Api::all(client.clone());
            let binding = serde_json::from_value(json!({
                "metadata": {"name": name},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "sojourn-ide-log-reader"},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "default"}],
            }));
            bindings.create(&PostParams::default(), &binding.unwrap()).await.unwrap();
        }
        // Where the API server calls the operator is where people do.
        let configurations: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
        let configuration = configurations.list(&ListParams::default()).await.unwrap().items.remove(0);
        let server = configuration.webhooks.unwrap().remove(0).client_config;
        let url: http::Uri = server.url.unwrap().parse().unwrap();
        let address = url.authority().unwrap().as_str().parse().unwrap();
        let target = Target::new(address, std::str::from_utf8(&server.ca_bundle.unwrap().0).unwrap());
        Self { target, token: granted.status.unwrap().token }
    }

    async fn ask(&self, session: &str, query: &str) -> Response<Incoming> {
        let path = format!("/apis/usvc-dev.developer.microsoft.com/v1/idesessions/{session}/log{query}");
        let mut client = self.target.connect(Protocol::Http1).await.unwrap();
        client.get(&path, &self.token).await.unwrap()
    }

    async fn read(&self, session: &str, query: &str) -> String {
        let response = self.ask(session, query).await;
        assert_eq!(response.status(), 200);
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    /// Waits until so much of a log is there.
    async fn reads(&self, session: &str, query: &str, text: &str) {
        let what = format!("the log of {session} is {text:?}");
        eventually(&what, async || self.read(session, query).await == text).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_follows_a_log_to_its_end() {
    let play = play("talks").await;
    let reader = Reader::new(&play, "log-reader", true).await;
    let stranger = Reader::new(&play, "log-stranger", false).await;
    let nobody = Reader { token: "made.up.token".into(), target: reader.target.clone() };
    let id = play.running().await;
    // The authorizer learns of the binding a moment later.
    let may = async || reader.ask("talks", "").await.status() == 200;
    eventually("the reader may read", may).await.unwrap();
    assert_eq!(nobody.ask("talks", "").await.status(), 401);
    assert_eq!(stranger.ask("talks", "").await.status(), 403);
    assert_eq!(reader.ask("silent", "").await.status(), 404);
    assert_eq!(reader.ask("talks", "?tail=0").await.status(), 400);

    let mut following = reader.ask("talks", "?follow=true").await;
    play.ide.log(&id, "hello");
    let first = following.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "hello\n");
    let stderr = json!({"notification_type": "serviceLogs", "session_id": id, "is_std_err": true, "log_message": "oops\n"});
    play.ide.notify(stderr);
    play.ide.log(&id, "world");
    reader.reads("talks", "?source=stderr&line_numbers=true", "1 oops\n").await;
    reader.reads("talks", "?tail=1", "world\n").await;
    play.desire("Stopped").await;
    let status = play.reaches(State::Stopped).await;
    let rest = following.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(rest, "world\n");
    assert_eq!(reader.read("talks", "?follow=true").await, "hello\nworld\n");

    let uid = play.get().await.unwrap().uid().to_owned();
    let folder = Path::new(status.std_out_file.as_ref().unwrap()).parent().unwrap().to_owned();
    let files = || {
        let entries = std::fs::read_dir(&folder).unwrap();
        entries.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains(&uid)).count()
    };
    assert_eq!(files(), 3, "its output, its errors, and what the operator says");
    play.delete().await;
    play.gone().await;
    assert_eq!(files(), 0);
    let gone = async || reader.ask("talks", "").await.status() == 404;
    eventually("the log is gone", gone).await.unwrap();
}
