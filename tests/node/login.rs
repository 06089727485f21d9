//! Sessions behind a login: the real oauth2-proxy, and a provider in the cluster's network.

use crate::{
    browser::{Answer, Browser, Site, ask},
    objects::error,
    provider::{CLIENT, Provider},
    session,
    stage::{handed_on, is, scene, script},
    support::{Scene, must},
};
use http::StatusCode;
use serde_json::{Value, json};
use sojourn_cluster::{Image, NODE_ADDRESS, eventually};
use sojourn_crds::amalthea::State;
use url::Url;

const HOST: &str = "sessions.example.org";
const PAGE: &str = "https://sessions.example.org/notebook/lab?x=1";

/// oauth2-proxy as built here, under the name that the operator has for it.
pub(crate) async fn proxy_image() -> Image {
    let built = sojourn_cluster::build_all_with_node().await.unwrap_or_else(|error| panic!("{error}"));
    let program = built.into_iter().find(|(name, _)| *name == "oauth2-proxy").unwrap().1;
    Image::new(sojourn::settings::OAUTH2_PROXY_IMAGE)
        .file("/bin/oauth2-proxy", &program)
        .setting("User", json!("1001"))
        .setting("Entrypoint", json!(["/bin/oauth2-proxy"]))
}

/// A session behind `authentication`, whose secret is `login`, once it runs.
async fn behind<'a>(scene: &'a Scene, authentication: Value) -> Site<'a> {
    let server = session::start_on(tokio::net::TcpListener::from_std(scene.listener()).unwrap());
    let more = json!({
        "authentication": authentication,
        "ingress": {"host": HOST, "pathPrefix": "/notebook", "tlsSecret": {"name": "tls", "adopt": false}},
        "session": {"urlPath": "/notebook"},
    });
    scene.session("main", handed_on(server, more)).await;
    let running = scene.eventually("main", "runs", is(State::Running)).await;
    assert_eq!(error(&running), "");
    let counts = running.status.unwrap().container_counts;
    assert_eq!((counts.ready, counts.total), (3, 3));
    let site = Site::of(scene, "main").await;
    site.is_reached().await;
    site
}

async fn secret(scene: &Scene, values: &[(&str, String)]) {
    let literals: Vec<_> =
        values.iter().map(|(key, value)| format!("--from-literal={key}={value}")).collect();
    let mut args = vec!["create", "secret", "generic", "login"];
    args.extend(literals.iter().map(String::as_str));
    must(scene.kubectl(&args).await);
}

/// Walks through the login as `user`.
async fn log_in(browser: &mut Browser<'_>, user: &str) -> (Url, Answer) {
    let form = browser.open(PAGE).await;
    assert!(form.1.body.contains("Who are you?"), "{form:?}");
    browser.submit(&form, "user", user).await
}

/// Everything that a login is for.
async fn a_login_opens_the_session_to_its_user_only(scene: &Scene, site: &Site<'_>, provider: &Provider) {
    let mut ada = Browser::new(scene, &[(HOST, site)]);
    let (url, page) = log_in(&mut ada, "ada").await;
    assert_eq!((url.as_str(), page.status), (PAGE, StatusCode::OK), "{page:?}");
    assert!(page.body.starts_with("GET /notebook/lab?x=1 "), "{}", page.body);

    // The cookie is enough from now on, and only it.
    let logins = provider.challenged.lock().unwrap().len();
    let (url, page) = ada.open(PAGE).await;
    assert_eq!((url.as_str(), page.status), (PAGE, StatusCode::OK), "{page:?}");
    assert_eq!(provider.challenged.lock().unwrap().len(), logins);
    let cookies = ada.cookies(PAGE);
    assert!(cookies.contains("_oauth2_proxy="), "{cookies}");
    let host = ("host", HOST);
    assert_eq!(site.echo("/notebook/tunnel", &[host, ("cookie", &cookies)]).await, Ok("ping".to_owned()));

    let get = [host, ("cookie", &cookies)];
    let downloads = (0..8).map(|_| site.download("/notebook/zeros/16", &get));
    assert_eq!(futures::future::join_all(downloads).await, [16 << 20; 8]);
    assert_eq!(scene.restarts("main").await, "0 0 0");

    let without = ask(site, "/notebook/lab", &[host]).await;
    assert_eq!(without.status, StatusCode::FOUND, "{without:?}");
    assert!(without.header("location").starts_with(&provider.issuer), "{without:?}");
    assert_eq!(site.echo("/notebook/tunnel", &[host]).await, Err(StatusCode::FOUND));
    let forged = cookies.replace("_oauth2_proxy=", "_oauth2_proxy=A");
    let forged = ask(site, "/notebook/lab", &[host, ("cookie", &forged)]).await;
    assert_eq!(forged.status, StatusCode::FOUND, "{forged:?}");
    // The proxy behind is not a way round.
    let pod = must(scene.kubectl(&["get", "pod", "main-0", "-o", "jsonpath={.status.podIP}"]).await);
    let behind = site.at(&format!("{pod}:65533"));
    assert_eq!(ask(&behind, "/notebook/lab", &[host]).await.status, StatusCode::FORBIDDEN);

    let mut eve = Browser::new(scene, &[(HOST, site)]);
    let (_, page) = log_in(&mut eve, "eve").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{page:?}");
    let (url, _) = eve.open(PAGE).await;
    assert_eq!(url.path(), "/authorize", "she is asked again");
}

/// What the secret of a session with `oidc` holds. Secrets that are made from files end with a line break.
fn openid_connect(issuer: &str) -> Vec<(&'static str, String)> {
    vec![
        ("OIDC_CLIENT_ID", CLIENT.0.to_owned()),
        ("OIDC_CLIENT_SECRET", format!("{}\n", CLIENT.1)),
        ("OIDC_ISSUER_URL", issuer.to_owned()),
        ("AUTHORIZED_EMAILS", "ada@example.org\nbob@example.org".to_owned()),
        ("ALLOW_UNVERIFIED_EMAILS", "false".to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn openid_connect_lets_in_who_is_named() {
    let scene = scene("oidc").await;
    let provider = Provider::start(scene.listener());
    secret(&scene, &openid_connect(&provider.issuer)).await;
    let site = behind(&scene, json!({"type": "oidc", "secretRef": {"name": "login"}})).await;
    a_login_opens_the_session_to_its_user_only(&scene, &site, &provider).await;
    assert_eq!(*provider.challenged.lock().unwrap(), [false; 2], "logins with PKCE");
}

#[tokio::test(flavor = "multi_thread")]
async fn openid_connect_has_pkce_where_the_secret_says_so() {
    let scene = scene("pkce").await;
    let provider = Provider::start(scene.listener());
    let mut values = openid_connect(&provider.issuer);
    values.push(("OIDC_CODE_CHALLENGE_METHOD", "S256".to_owned()));
    secret(&scene, &values).await;
    let site = behind(&scene, json!({"type": "oidc", "secretRef": {"name": "login"}})).await;
    let (url, page) = log_in(&mut Browser::new(&scene, &[(HOST, &site)]), "ada").await;
    assert_eq!((url.as_str(), page.status), (PAGE, StatusCode::OK), "{page:?}");
    assert_eq!(*provider.challenged.lock().unwrap(), [true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_configuration_of_oauth2_proxy_lets_in_whom_it_says() {
    let scene = scene("oauth2proxy").await;
    let provider = Provider::start(scene.listener());
    let config = format!(
        "provider = \"oidc\"\noidc_issuer_url = \"{}\"\nclient_id = \"{}\"\nclient_secret = \"{}\"\n\
         cookie_secret = \"0123456789abcdef0123456789abcdef\"\nskip_provider_button = true\n\
         redirect_url = \"https://{HOST}/notebook/oauth2/callback\"\nproxy_prefix = \"/notebook/oauth2\"\n\
         cookie_path = \"/notebook/\"\ncode_challenge_method = \"S256\"\n\
         authenticated_emails_file = \"/etc/oauth2-proxy/emails\"\n",
        provider.issuer, CLIENT.0, CLIENT.1,
    );
    secret(&scene, &[("proxy.cfg", config), ("emails", "ada@example.org".to_owned())]).await;
    let authentication = json!({"type": "oauth2proxy", "secretRef": {"name": "login", "key": "proxy.cfg"}});
    let site = behind(&scene, authentication).await;
    a_login_opens_the_session_to_its_user_only(&scene, &site, &provider).await;
    let challenged = provider.challenged.lock().unwrap().clone();
    assert_eq!(challenged, [true; 2], "logins with PKCE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_not_there_is_told_with_where_to_look() {
    let scene = scene("no-provider").await;
    secret(&scene, &openid_connect(&format!("http://{NODE_ADDRESS}:1"))).await;
    let more = json!({
        "authentication": {"type": "oidc", "secretRef": {"name": "login"}},
        "ingress": {"host": HOST, "pathPrefix": "/"},
    });
    scene.session("main", script("sleep 1000", more)).await;
    scene.eventually("main", "fails", is(State::Failed)).await;
    // Which log it is changes when the container starts again.
    eventually("the log that the status names says why", async || {
        let session = scene.get("main").await.unwrap();
        let Some((_, command)) = error(&session).split_once("kubectl ") else { return false };
        let log = scene.kubectl(&command.split(' ').collect::<Vec<_>>()).await;
        log.success() && log.stdout.contains("connection refused")
    })
    .await
    .unwrap();
}
