//! `gitproxy proxy` between the git program and a server that speaks TLS.

use crate::{
    gitserver::{Server, TOKEN, git, provider},
    process::{Sidecar, connect, get, request, send_from, text},
};
use base64::{Engine, engine::general_purpose};
use http::StatusCode;
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Command, Output},
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A git server, a provider of tokens, and the proxy in between.
struct Stage {
    server: Server,
    asked: std::sync::Arc<std::sync::Mutex<Vec<&'static str>>>,
    proxy: Sidecar,
    git: SocketAddr,
    folder: TempDir,
}

impl Stage {
    /// With the account's token `access`, and `more` in the environment.
    async fn new(access: &str, more: &[(&str, &str)]) -> Self {
        let (server, authority) = Server::start_tls().await;
        let (provider, asked) = provider(TOKEN).await;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        fs::write(path("server.pem"), authority).unwrap();
        let repositories = serde_json::json!([{"url": server.url("private"), "provider": "p"}]).to_string();
        let providers = serde_json::json!([{"id": "p", "access_token_url": format!("{provider}/token")}]);
        let env = [
            ("GIT_PROXY_ADDRESS", "127.0.0.1"),
            ("GIT_PROXY_PORT", "0"),
            ("GIT_PROXY_HEALTH_PORT", "0"),
            ("GIT_PROXY_ANONYMOUS_SESSION", "false"),
            ("GIT_PROXY_RENKU_AUTHENTICATION_VERSION", "v2"),
            ("GIT_PROXY_RENKU_ACCESS_TOKEN", access),
            ("GIT_PROXY_RENKU_REFRESH_TOKEN", "refresh me"),
            ("GIT_PROXY_RENKU_TOKEN_URL", &format!("{provider}/renew")),
            ("GIT_PROXY_REPOSITORIES", &repositories),
            ("GIT_PROXY_PROVIDERS", &providers.to_string()),
            ("GIT_PROXY_CA_FILE", &path("proxy.pem")),
            ("SSL_CERT_FILE", &path("server.pem")),
        ];
        let proxy = Sidecar::start(&["gitproxy", "proxy"], &[&env[..], more].concat());
        let git = proxy.address("git");
        Self { server, asked, proxy, git, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Clones `url` by way of the proxy, trusting the authority in `trusted`.
    async fn clone(&self, url: &str, trusted: &str, into: &str) -> Output {
        let mut command = Command::new("git");
        command.args(["-c", &format!("http.proxy=http://{}", self.git)]);
        command.args(["-c", &format!("http.sslCAInfo={}", self.path(trusted).display())]);
        command.args(["-c", "credential.helper=", "clone", url]).arg(self.path(into));
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.env("HOME", self.folder.path()).env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_ASKPASS", "").env("SSH_ASKPASS", "");
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn expired() -> String {
    format!("e30.{}.x", general_purpose::URL_SAFE_NO_PAD.encode(r#"{"exp": 1000000000}"#))
}

#[tokio::test(flavor = "multi_thread")]
async fn git_gets_credentials_for_its_own_repository_only() {
    let stage = Stage::new("renku-token", &[]).await;
    let url = stage.server.url("private");
    let output = stage.clone(&url, "proxy.pem", "clone").await;
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(fs::read_to_string(stage.path("clone/file.txt")).unwrap(), "third");
    let shown = |name: &str| format!("Basic {}", general_purpose::STANDARD.encode(name));
    let seen = stage.server.seen.lock().unwrap().clone();
    assert!(seen.iter().all(|(_, shown_here)| *shown_here == Some(shown("oauth2:git-token"))), "{seen:?}");
    assert_eq!(stage.asked.lock().unwrap().clone(), ["token"], "one token serves all requests");
    assert!(!git(&stage.path("clone"), &["config", "--list", "--local"]).contains(TOKEN));

    // A neighbour whose name begins alike gets nothing.
    stage.server.seen.lock().unwrap().clear();
    let output = stage.clone(&stage.server.url("private-part"), "proxy.pem", "other").await;
    assert!(said(&output).contains("could not read Username"), "{}", said(&output));
    assert!(stage.server.seen.lock().unwrap().iter().all(|(_, shown)| shown.is_none()));
    let output = stage.clone(&stage.server.url("public"), "proxy.pem", "public").await;
    assert!(output.status.success(), "{}", said(&output));

    // Without the authority of this very pod the proxy is not trusted.
    let output = stage.clone(&url, "server.pem", "again").await;
    assert!(said(&output).contains("certificate"), "{}", said(&output));
    stage.proxy.terminate();
    let (status, log) = stage.proxy.ended();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("token\":\"") && !log.contains(TOKEN) && !log.contains("refresh me"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_its_own_passes_untouched() {
    let stage = Stage::new("renku-token", &[]).await;
    // Another host, as far as names go: its own certificate comes through.
    let url = format!("https://localhost:{}/public.git", stage.server.address.port());
    let output = stage.clone(&url, "server.pem", "clone").await;
    assert!(output.status.success(), "{}", said(&output));
    assert!(stage.asked.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_has_ended_is_renewed_once() {
    let stage = Stage::new(&expired(), &[]).await;
    let url = stage.server.url("private");
    for into in ["one", "two"] {
        let output = stage.clone(&url, "proxy.pem", into).await;
        assert!(output.status.success(), "{}", said(&output));
    }
    assert_eq!(stage.asked.lock().unwrap().clone(), ["renewal", "token"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_git_is_told() {
    let stage = Stage::new("another", &[]).await;
    let output = stage.clone(&stage.server.url("private"), "proxy.pem", "clone").await;
    assert!(!output.status.success());
    assert!(stage.server.seen.lock().unwrap().is_empty(), "nothing goes out without the token");
    assert_eq!(stage.asked.lock().unwrap()[0], "token");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_in_particular_gets_nothing_added() {
    let stage = Stage::new("renku-token", &[("GIT_PROXY_ANONYMOUS_SESSION", "true")]).await;
    let output = stage.clone(&stage.server.url("public"), "server.pem", "clone").await;
    assert!(output.status.success(), "{}", said(&output));
    let output = stage.clone(&stage.server.url("private"), "server.pem", "other").await;
    assert!(said(&output).contains("could not read Username"), "{}", said(&output));
    assert!(stage.asked.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_its_own_pod_and_says_how_it_is() {
    let stage = Stage::new("renku-token", &[]).await;
    let health = stage.proxy.address("health");
    let pong = (StatusCode::OK, "{\"message\":\"pong\"}".to_owned());
    assert_eq!(get(health, "/ping", &[]).await, pong);
    assert_eq!(get(health, "/health", &[]).await.0, StatusCode::OK);
    let authority = fs::read_to_string(stage.path("proxy.pem")).unwrap();
    assert_eq!(get(health, "/ca.pem", &[]).await, (StatusCode::OK, authority));
    assert_eq!(get(stage.git, "/", &[]).await.0, StatusCode::INTERNAL_SERVER_ERROR);

    let outside = Ipv4Addr::new(127, 9, 8, 7);
    let through = request(&format!("http://{health}/ping"), &[]);
    assert_eq!(text(send_from(stage.git, Ipv4Addr::LOCALHOST, through.clone()).await).await, pong);
    assert_eq!(send_from(stage.git, outside, through).await.status(), StatusCode::FORBIDDEN);
    let mut stream = connect(stage.git, outside).await;
    let ask = format!("CONNECT {0} HTTP/1.1\r\nhost: {0}\r\n\r\n", stage.server.address);
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 403");
}
