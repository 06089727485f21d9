//! Every case of the corpus against a real API server that asks our webhooks: the same verdict, with the same fields.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step of a test is a failed test")]

mod support;

use std::sync::{Arc, RwLock};

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use sojourn_certs::{Authority, CertResolver, Leaf, Names, server_config};
use sojourn_cluster::{Cluster, Options, eventually, test_namespace};
use sojourn_crds::KindDescriptor;
use sojourn_crds::text::on_one_line;
use sojourn_webhooks::Offline;
use sojourn_webhooks::case::{Case, NAMESPACE, USER};
use sojourn_webhooks::config::{ConfigSettings, Endpoint, Scope, mutating, validating};
use sojourn_webhooks::http::{WebhookState, router};
use sojourn_webhooks::metrics::Metrics;
use sojourn_webhooks::{Operation, table};
use support::{corpus, patch_of, verdict};
use tower::ServiceExt;

const OPERATOR: &str = "system:serviceaccount:sojourn:sojourn";
/// The UID of the session in the cases, which stands for the one that the server gives it.
const SESSION_UID: &str = "6f1d6f0e-58a4-4f3a-9d0e-2f4a9b1c7d10";

/// The webhook server of the test: one case's facts at a time.
struct Webhooks {
    known: Arc<RwLock<Option<Arc<Offline>>>>,
    settings: ConfigSettings,
}

impl Webhooks {
    fn serve() -> Self {
        let known: Arc<RwLock<Option<Arc<Offline>>>> = Arc::default();
        let authority = Authority::generate(Timestamp::now()).unwrap();
        let leaf = Leaf::issue(&authority, &Names::loopback(), Timestamp::now()).unwrap();
        let resolver = Arc::new(CertResolver::default());
        resolver.set(leaf.certified_key().unwrap());
        let tls = axum_server::tls_rustls::RustlsConfig::from_config(server_config(resolver).unwrap());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let facts = Arc::clone(&known);
        let answer = async move |request: Request<Body>| {
            let known = facts.read().unwrap().clone().expect("no case is under way");
            let guard = WebhookState {
                facts: known.clone(),
                authorizer: known,
                metrics: Arc::new(Metrics::default()),
            };
            router(guard).oneshot(request).await.unwrap()
        };
        let app = Router::new().fallback(answer);
        let server = axum_server::from_tcp_rustls(listener, tls).unwrap();
        tokio::spawn(server.serve(app.into_make_service()));
        let settings = ConfigSettings {
            name: "corpus".to_owned(),
            endpoint: Endpoint::Url(url),
            ca_bundle: authority.certificate_pem().as_bytes().to_vec(),
            operator_user: OPERATOR.to_owned(),
            scope: Scope::Cluster,
        };
        Self { known, settings }
    }

    fn know(&self, known: Offline) {
        *self.known.write().unwrap() = Some(Arc::new(known));
    }
}

/// The API server, as anybody we like.
struct Api(kube::Client);

struct Answered {
    code: u16,
    body: Value,
    warnings: usize,
}

impl Api {
    async fn send(&self, user: &str, method: Method, path: &str, body: &Value) -> Answered {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .header("impersonate-user", user)
            // Rights are not what is tested here.
            .header("impersonate-group", "system:masters")
            .body(kube::client::Body::from(body.to_string().into_bytes()))
            .unwrap();
        let response = self.0.send(request).await.unwrap();
        let code = response.status().as_u16();
        let warnings = response.headers().get_all("warning").iter().count();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answered { code, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null), warnings }
    }

    async fn must(&self, method: Method, path: &str, body: &Value) -> Value {
        let answered = self.send(OPERATOR, method, path, body).await;
        assert!(answered.code < 300, "{path}: {}", answered.body);
        answered.body
    }
}

/// Where the API server has the objects of the object's kind; in `namespace`, if they are in one.
fn path_of(object: &Value, namespace: &str) -> String {
    let row = table::TABLE.iter().find(|row| row.descriptor.kind == object["kind"]).unwrap();
    let KindDescriptor { api_version, plural, .. } = row.descriptor;
    match row.descriptor.is_namespaced() {
        true => format!("/apis/{api_version}/namespaces/{namespace}/{plural}"),
        false => format!("/apis/{api_version}/{plural}"),
    }
}

/// Makes room for a case. What is in no namespace is still there from the one before.
async fn clear(api: &Api, case: &Case) {
    if table::row(&case.webhook).unwrap().descriptor.is_namespaced() {
        return;
    }
    let object = case.object.as_ref().unwrap();
    let path = format!("{}/{}", path_of(object, ""), object["metadata"]["name"].as_str().unwrap());
    let mut left = api.send(OPERATOR, Method::GET, &path, &Value::Null).await;
    if left.code == 404 {
        return;
    }
    left.body["metadata"]["finalizers"] = json!([]);
    api.must(Method::PUT, &path, &left.body).await;
    // An object that was on its way out has gone with its finalizer.
    let gone = api.send(OPERATOR, Method::DELETE, &path, &json!({})).await;
    assert!(gone.code < 300 || gone.code == 404, "{path}: {}", gone.body);
}

/// Creates an object as the operator does: with its status, and, if the case says so, on its way out.
async fn create(api: &Api, object: &Value, namespace: &str) -> Value {
    let path = path_of(object, namespace);
    let name = object["metadata"]["name"].as_str().unwrap();
    let mut made = api.must(Method::POST, &path, object).await;
    if object["status"].is_object() {
        made["status"] = object["status"].clone();
        made = api.must(Method::PUT, &format!("{path}/{name}/status"), &made).await;
    }
    if object["metadata"]["deletionTimestamp"].is_string() {
        made = api.must(Method::DELETE, &format!("{path}/{name}"), &json!({})).await;
    }
    made
}

/// The case with the UID that the server gave its session.
fn with_uid(case: &Case, uid: &str) -> Case {
    let replace = |value: &Value| -> Value {
        serde_json::from_str(&value.to_string().replace(SESSION_UID, uid)).unwrap()
    };
    let mut case = case.clone();
    case.old = case.old.as_ref().map(replace);
    case.object = case.object.as_ref().map(replace);
    case.facts.sessions = case.facts.sessions.iter().map(replace).collect();
    case
}

/// Sends the request of a case. An update is what the case changes, applied to what the server made of the old object.
async fn request(api: &Api, case: &Case, namespace: &str) -> Answered {
    let object = case.object.as_ref().unwrap();
    let path = path_of(object, namespace);
    let user = case.user.as_deref().unwrap_or(USER);
    if case.operation == Operation::Create {
        return api.send(user, Method::POST, &path, object).await;
    }
    let old = case.old.as_ref().unwrap();
    let path = format!("{path}/{}", object["metadata"]["name"].as_str().unwrap());
    create(api, old, namespace).await;
    loop {
        let mut live = api.must(Method::GET, &path, &Value::Null).await;
        json_patch::patch(&mut live, &json_patch::diff(old, object)).unwrap();
        let answered = api.send(user, Method::PUT, &path, &live).await;
        // A controller may have written in between.
        if answered.code != 409 {
            return answered;
        }
    }
}

async fn run(api: &Api, webhooks: &Webhooks, name: &str, case: &Case) -> Result<(), String> {
    let namespace = test_namespace(&api.0, "corpus").await.unwrap();
    clear(api, case).await;
    webhooks.know(case.facts.known(&namespace).unwrap());
    let mut case = case.clone();
    for session in case.facts.sessions.clone() {
        let made = create(api, &session, &namespace).await;
        if session["metadata"]["uid"] == SESSION_UID {
            case = with_uid(&case, made["metadata"]["uid"].as_str().unwrap());
        }
    }
    webhooks.know(case.facts.known(&namespace).unwrap());
    let answered = request(api, &case, &namespace).await;
    let fail = |what: &str| Err(format!("{name}: {what}: {} {}", answered.code, answered.body));

    let expected = &case.expect;
    match expected.code {
        Some(code) if answered.code != code => return fail("refused otherwise"),
        None if answered.code >= 300 => return fail("not allowed"),
        _ => {}
    }
    let causes = answered.body["details"]["causes"].as_array().cloned().unwrap_or_default();
    let fields: Vec<_> = causes.iter().map(|cause| cause["field"].as_str().unwrap_or_default()).collect();
    if case.schema_refuses {
        // Where the schema looks at less than a rule, its path ends earlier. It has an entry of its own for rules that
        // it did not come to.
        let expected = |field: &&str| {
            *field == "<nil>"
                || expected.findings.iter().any(|f| f.path.is_empty() || f.path.starts_with(field))
        };
        return if fields.iter().all(expected) { Ok(()) } else { fail("other fields than by schema") };
    }
    let verdict = verdict(&case, &case.facts.known(NAMESPACE).unwrap());
    let denied: Vec<_> = verdict.denials().map(|finding| on_one_line(finding.path.as_str())).collect();
    if fields != denied {
        return fail("other fields");
    }
    let warned = verdict.warnings().count();
    if answered.warnings != warned {
        return fail(&format!("{} warnings instead of {warned}", answered.warnings));
    }
    for operation in patch_of(&case).as_array().unwrap() {
        let pointer = operation["path"].as_str().unwrap();
        if answered.body.pointer(pointer) != Some(&operation["value"]) {
            return fail(&format!("{pointer} is not as patched"));
        }
    }
    Ok(())
}

/// Installs a configuration and waits until the API server asks us.
async fn install(
    api: &Api,
    webhooks: &Webhooks,
    kind: &str,
    configuration: &impl serde::Serialize,
    probe: Case,
) {
    let path = format!("/apis/admissionregistration.k8s.io/v1/{kind}");
    api.must(Method::POST, &path, &serde_json::to_value(configuration).unwrap()).await;
    eventually("the webhooks are asked", async || {
        let namespace = test_namespace(&api.0, "probe").await.unwrap();
        webhooks.know(probe.facts.known(&namespace).unwrap());
        let answered = request(api, &probe, &namespace).await;
        let patched = answered.body["spec"]["activeDeadlineSeconds"].is_number();
        if probe.expect.allowed { patched } else { answered.code >= 400 }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_server_gives_the_same_verdicts() {
    let cluster = Cluster::start(Options::default()).await.unwrap();
    let api = Api(cluster.client().await.unwrap());
    for (_, crd) in sojourn_crds::all_crds() {
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        api.must(Method::POST, path, &crd).await;
    }
    for (_, crd) in sojourn_crds::all_crds() {
        let (group, version) = (&crd["spec"]["group"], &crd["spec"]["versions"][0]["name"]);
        let parts = [group, version, &crd["spec"]["names"]["plural"]].map(|part| part.as_str().unwrap());
        let path = format!("/apis/{}", parts.join("/"));
        eventually("the kind is served", async || {
            api.send(OPERATOR, Method::GET, &path, &Value::Null).await.code == 200
        })
        .await
        .unwrap();
    }

    let webhooks = Webhooks::serve();
    let corpus = corpus();
    // Mutation would fill in what a validating case leaves out, so each kind of webhook is tried alone.
    let (mutate, validate): (Vec<_>, Vec<_>) =
        corpus.iter().partition(|(_, case)| case.webhook == table::MUTATE_JOB);

    let probe = corpus["job/deadline-short-by-labels"].clone();
    let configuration = validating(&webhooks.settings);
    install(&api, &webhooks, "validatingwebhookconfigurations", &configuration, probe).await;
    let mut wrong = Vec::new();
    for (name, case) in validate {
        wrong.extend(run(&api, &webhooks, name, case).await.err());
    }
    let path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/corpus";
    api.must(Method::DELETE, path, &json!({})).await;

    let probe = corpus["job-mutate/fill-deadline-only"].clone();
    let configuration = mutating(&webhooks.settings);
    install(&api, &webhooks, "mutatingwebhookconfigurations", &configuration, probe).await;
    for (name, case) in mutate {
        wrong.extend(run(&api, &webhooks, name, case).await.err());
    }
    cluster.stop().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
