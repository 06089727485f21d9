//! Real git servers, on loopback unless somebody says otherwise: git's own HTTP backend behind a password, with LFS
//! beside it, and sshd.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, StatusCode, header};
use sha2::{Digest, Sha256};
use sojourn::{http_server::Limits, serve::webhooks::serve_router};
use sojourn_certs::{authority::Authority, leaf::Leaf, names::Names, server::CertResolver};
use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub(crate) const USER: &str = "ada";
pub(crate) const PASSWORD: &str = "p@ss word'\"$(x)";
/// What a provider gives.
pub(crate) const TOKEN: &str = "git-token";
/// The content of the file that is stored with LFS.
pub(crate) const LARGE: &str = "large content\n";

/// Host and `Authorization` of a request.
type Asked = (String, Option<String>);

/// A folder of repositories, served by HTTP. Those whose name begins with `private` ask for [`USER`] or
/// for [`TOKEN`].
#[derive(Clone)]
pub(crate) struct Server {
    scheme: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) root: Arc<TempDir>,
    /// Host and `Authorization` of each request.
    pub(crate) seen: Arc<Mutex<Vec<Asked>>>,
}

/// Runs git with nothing of this machine's configuration.
pub(crate) fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(["-c", "protocol.file.allow=always", "-c", "user.name=t", "-c", "user.email=t@example.org"])
        .args(args)
        .env("HOME", folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").unwrap(), "localhost").await
    }

    /// One on a listener of the caller's, which is reached as `elsewhere` too.
    pub(crate) async fn start_on(listener: TcpListener, elsewhere: &str) -> Self {
        let server = Self::new("http", &listener, elsewhere);
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let router = Router::new().fallback(serve).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    /// One that speaks TLS, and the certificate of its authority.
    pub(crate) async fn start_tls() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self::new("https", &listener, "localhost");
        let now = jiff::Timestamp::now();
        let authority = Authority::generate(now).unwrap();
        let resolver = Arc::new(CertResolver::default());
        let leaf = Leaf::issue(&authority, &Names::loopback(), now).unwrap();
        resolver.set(leaf.certified_key().unwrap());
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let router = Router::new().fallback(serve).with_state(server.clone());
        let stop = CancellationToken::new();
        let serving = serve_router(listener, resolver, router, Limits::default(), stop);
        tokio::spawn(serving);
        (server, authority.certificate_pem().to_owned())
    }

    fn new(scheme: &'static str, listener: &TcpListener, elsewhere: &str) -> Self {
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let root = Arc::new(tempfile::tempdir().unwrap());
        let server = Self { scheme, address, root, seen: Arc::default() };
        server.fill(elsewhere);
        server
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("{}://{}/{name}.git", self.scheme, self.address)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(format!("{name}.git"))
    }

    /// A public and a private repository with branches, tags, submodules and a large file.
    fn fill(&self, elsewhere: &str) {
        let work = tempfile::tempdir().unwrap();
        let work = work.path();
        let publish = |name: &str| {
            let bare = self.path(name);
            git(work, &["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
            git(&bare, &["config", "uploadpack.allowAnySHA1InWant", "true"]);
        };
        git(work, &["init", "--quiet", "--initial-branch", "trunk"]);
        std::fs::write(work.join("part.txt"), "part").unwrap();
        git(work, &["add", "part.txt"]);
        git(work, &["commit", "--quiet", "-m", "part"]);
        let part = git(work, &["rev-parse", "HEAD"]);
        publish("part");
        publish("private-part");

        let commit = |text: &str| {
            std::fs::write(work.join("file.txt"), text).unwrap();
            git(work, &["add", "--all"]);
            git(work, &["commit", "--quiet", "-m", text]);
        };
        commit("first");
        git(work, &["tag", "v1"]);
        commit("second");
        git(work, &["branch", "feature"]);
        let digest: String = Sha256::digest(LARGE).iter().map(|byte| format!("{byte:02x}")).collect();
        let pointer = format!(
            "version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {}\n",
            LARGE.len()
        );
        std::fs::write(work.join("large.bin"), pointer).unwrap();
        std::fs::write(work.join(".gitattributes"), "*.bin filter=lfs diff=lfs merge=lfs -text\n").unwrap();
        // Another host than that of the repository, though it is the same server.
        let elsewhere = format!("http://{elsewhere}:{}/part.git", self.address.port());
        let modules = format!(
            "[submodule \"near\"]\n path = near\n url = ../private-part.git\n\
             [submodule \"far\"]\n path = far\n url = {elsewhere}\n"
        );
        std::fs::write(work.join(".gitmodules"), modules).unwrap();
        for path in ["near", "far"] {
            git(work, &["update-index", "--add", "--cacheinfo", &format!("160000,{part},{path}")]);
        }
        // Files that are added after the submodules, which are no directories here.
        std::fs::write(work.join("file.txt"), "third").unwrap();
        git(work, &["add", "file.txt", "large.bin", ".gitattributes", ".gitmodules"]);
        git(work, &["commit", "--quiet", "-m", "third"]);
        git(work, &["update-ref", "refs/merge-requests/1/head", "v1"]);
        publish("private");
        git(work, &["checkout", "--quiet", "-B", "trunk", "feature"]);
        publish("public");
        for name in ["private", "public"] {
            let bare = self.path(name);
            git(&bare, &["update-ref", "refs/merge-requests/1/head", "refs/tags/v1"]);
        }
    }
}

async fn serve(State(server): State<Server>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 << 20).await.unwrap();
    let text =
        |name: header::HeaderName| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let authorization = text(header::AUTHORIZATION);
    let host = text(header::HOST).or_else(|| head.uri.authority().map(ToString::to_string));
    server.seen.lock().unwrap().push((host.unwrap(), authorization.clone()));
    let path = head.uri.path();
    let expected = [format!("{USER}:{PASSWORD}"), format!("oauth2:{TOKEN}")]
        .map(|text| Some(format!("Basic {}", STANDARD.encode(text))));
    if path.starts_with("/private") && !expected.contains(&authorization) {
        return (StatusCode::UNAUTHORIZED, [("www-authenticate", "Basic realm=\"git\"")]).into_response();
    }
    if path.ends_with("/info/lfs/objects/batch") {
        let mut answer: serde_json::Value = serde_json::from_slice(&body).unwrap();
        for object in answer["objects"].as_array_mut().unwrap() {
            let href = format!("http://{}/large", server.address);
            object["actions"] = serde_json::json!({"download": {"href": href}});
        }
        let body = serde_json::json!({"transfer": "basic", "objects": answer["objects"]}).to_string();
        return ([("content-type", "application/vnd.git-lfs+json")], body).into_response();
    }
    if path == "/large" {
        return LARGE.into_response();
    }
    let (path, query) = (path.to_owned(), head.uri.query().unwrap_or_default().to_owned());
    let (method, root) = (head.method.to_string(), server.root.path().to_owned());
    let headers = head.headers;
    tokio::task::spawn_blocking(move || backend(&root, &method, &path, &query, &headers, body)).await.unwrap()
}

/// One request to git's own backend.
fn backend(root: &Path, method: &str, path: &str, query: &str, headers: &HeaderMap, body: Bytes) -> Response {
    let text = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", text("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", text("content-encoding"))
        .env("GIT_PROTOCOL", text("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&body).ok());
    let mut out = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    writer.join().unwrap();
    child.wait().unwrap();
    let end = out.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let mut response = Response::new(Body::from(out[end + 4..].to_vec()));
    for line in std::str::from_utf8(&out[..end]).unwrap().lines() {
        let (name, value) = line.split_once(": ").unwrap();
        if name == "Status" {
            *response.status_mut() = value[..3].parse().unwrap();
        } else {
            let name: http::HeaderName = name.parse().unwrap();
            response.headers_mut().insert(name, value.parse().unwrap());
        }
    }
    response
}

/// sshd for the user who runs the tests.
pub(crate) struct Ssh {
    child: Child,
    folder: TempDir,
    host: IpAddr,
    pub(crate) port: u16,
    pub(crate) user: String,
}

fn keygen(path: &Path, passphrase: &str) {
    let done = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", passphrase, "-f"])
        .arg(path)
        .status()
        .expect("ssh-keygen of the package openssh-client");
    assert!(done.success());
}

impl Ssh {
    pub(crate) fn start() -> Self {
        Self::start_on(Ipv4Addr::LOCALHOST.into())
    }

    /// One at an address of the network that the calling thread is in.
    pub(crate) fn start_on(host: IpAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, passphrase) in [("host", ""), ("plain", ""), ("locked", "open sesame"), ("stranger", "")] {
            keygen(&path(name), passphrase);
        }
        let public = |name: &str| std::fs::read_to_string(path(&format!("{name}.pub"))).unwrap();
        std::fs::write(path("authorized"), public("plain") + &public("locked")).unwrap();
        // sshd wants to be told its port; nobody else takes one that was free a moment ago.
        let port = TcpListener::bind((host, 0)).unwrap().local_addr().unwrap().port();
        let config = format!(
            "ListenAddress {host}:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\n\
             StrictModes no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n",
            path("host").display(),
            path("authorized").display(),
        );
        std::fs::write(path("config"), config).unwrap();
        // What sshd needs when root runs it; the package's service makes it.
        std::fs::create_dir_all("/run/sshd").ok();
        let mut child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(path("config"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("sshd of the package openssh-server");
        let mut said = String::new();
        let mut errors = std::io::BufReader::new(child.stderr.take().unwrap());
        while !said.contains("listening on") {
            let read = std::io::BufRead::read_line(&mut errors, &mut said).unwrap();
            assert!(read > 0, "sshd does not start: {said}");
        }
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        Self { child, folder, host, port, user: String::from_utf8(user).unwrap().trim().to_owned() }
    }

    pub(crate) fn url(&self, repository: &Path) -> String {
        format!("ssh://{}@{}:{}{}", self.user, self.host, self.port, repository.display())
    }

    pub(crate) fn key(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// The server's key, as a file of known hosts has it.
    pub(crate) fn known_hosts(&self) -> String {
        format!("[{}]:{} {}", self.host, self.port, self.key("host.pub"))
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Gives `token` to who shows `renku-token`, after a redirect, and `renku-token` to who shows the refresh token. The
/// address, and how often each was asked.
pub(crate) async fn provider(token: &'static str) -> (String, Arc<Mutex<Vec<&'static str>>>) {
    let asked: Arc<Mutex<Vec<&'static str>>> = Arc::default();
    let (tokens, renewals) = (asked.clone(), asked.clone());
    let give = async move |request: Request| {
        tokens.lock().unwrap().push("token");
        let shown = request.headers().get("authorization").is_some_and(|value| value == "Bearer renku-token");
        let body = serde_json::json!({"access_token": token, "expires_at": 4_000_000_000_u64});
        if shown { Ok(axum::Json(body)) } else { Err(StatusCode::UNAUTHORIZED) }
    };
    let renew = async move |body: String| {
        renewals.lock().unwrap().push("renewal");
        let right = body == "grant_type=refresh_token&refresh_token=refresh+me";
        let body = serde_json::json!({"access_token": "renku-token", "refresh_token": "next"});
        if right { Ok(axum::Json(body)) } else { Err(StatusCode::BAD_REQUEST) }
    };
    let moved = async || axum::response::Redirect::temporary("/token");
    let router = Router::new()
        .route("/token", axum::routing::get(give))
        .route("/moved", axum::routing::get(moved))
        .route("/renew", axum::routing::post(renew));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}"), asked)
}
