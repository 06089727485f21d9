//! `cloner clone` and `cloner shellclone` against real servers.

use crate::{
    gitserver::{LARGE, PASSWORD, Server, Ssh, USER, git, provider},
    process::command,
};
use std::{fs, path::Path, process::Output};
use tempfile::TempDir;

const PATH: (&str, &str) = ("PATH", "/usr/local/bin:/usr/bin:/bin");

/// Runs `cloner clone` into `volume`, away from the threads that serve.
async fn clone(volume: &Path, remote: &str, more: &[&str]) -> Output {
    let base = ["cloner", "clone", "--remote", remote, "--path", volume.to_str().unwrap()];
    let mut command = command(&[&base, more].concat(), &[PATH]);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

async fn cloned(volume: &Path, remote: &str, more: &[&str]) {
    let output = clone(volume, remote, more).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

async fn refused(volume: &Path, remote: &str, more: &[&str], why: &str) {
    let output = clone(volume, remote, more).await;
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains(why), "{}", said(&output));
    let left: Vec<_> = fs::read_dir(volume).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "something is left behind: {left:?}");
}

fn yaml(value: &serde_json::Value) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), value.to_string()).unwrap();
    file
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

/// Every file of git's own under `folder`, as one text.
fn configuration(folder: &Path) -> String {
    git(folder, &["config", "--list", "--local"])
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_tags_commits_and_references() {
    let server = Server::start().await;
    let url = server.url("public");
    let first = git(&server.path("public"), &["rev-parse", "v1"]);
    // (revision, content, branch)
    for (revision, content, branch) in [
        ("", "second", "trunk"),
        ("feature", "second", "feature"),
        ("refs/heads/feature", "second", "feature"),
        ("v1", "first", ""),
        ("refs/tags/v1", "first", ""),
        (first.as_str(), "first", ""),
        (&first[..8], "first", ""),
        ("refs/merge-requests/1/head", "first", ""),
    ] {
        let volume = tempfile::tempdir().unwrap();
        cloned(volume.path(), &url, &["--revision", revision]).await;
        let folder = volume.path().join("public");
        assert_eq!(read(folder.join("file.txt")), content, "{revision}");
        assert_eq!(git(&folder, &["branch", "--show-current"]), branch, "{revision}");
        assert_eq!(git(&folder, &["remote", "get-url", "origin"]), url);
    }
    let volume = tempfile::tempdir().unwrap();
    let missing = "no branch, tag or commit \\\"nothing\\\"".replace('\\', "");
    refused(volume.path(), &url, &["--revision", "nothing"], &missing).await;
    refused(volume.path(), &server.url("absent"), &[], "git clone failed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_there() {
    let server = Server::start().await;
    let (url, volume) = (server.url("public"), tempfile::tempdir().unwrap());
    let folder = volume.path().join("public");
    fs::create_dir(&folder).unwrap();
    // Empty is as good as none.
    cloned(volume.path(), &url, &["--strategy", "notifexist"]).await;
    fs::write(folder.join("mine.txt"), "work").unwrap();
    // The session resumes.
    cloned(volume.path(), &url, &["--strategy", "notifexist"]).await;
    assert_eq!(read(folder.join("mine.txt")), "work");

    let output = clone(volume.path(), &url, &[]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("exists already"), "{}", said(&output));
    assert_eq!(read(folder.join("mine.txt")), "work");

    // What cannot be replaced stays.
    let more = ["--strategy", "overwrite", "--revision", "nothing"];
    assert_eq!(clone(volume.path(), &url, &more).await.status.code(), Some(1));
    assert_eq!(read(folder.join("mine.txt")), "work");
    cloned(volume.path(), &url, &["--strategy", "overwrite"]).await;
    assert!(!folder.join("mine.txt").exists() && folder.join("file.txt").exists());
    assert_eq!(fs::read_dir(volume.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_by_http_for_the_right_host_only() {
    let server = Server::start().await;
    let (url, volume) = (server.url("private"), tempfile::tempdir().unwrap());
    let right = yaml(&serde_json::json!({"username": USER, "password": PASSWORD}));
    let wrong = yaml(&serde_json::json!({"username": USER, "password": "guessed"}));
    let empty = yaml(&serde_json::json!({"password": PASSWORD}));
    let config = |file: &tempfile::NamedTempFile| file.path().to_str().unwrap().to_owned();
    refused(volume.path(), &url, &[], "could not read Username").await;
    refused(volume.path(), &url, &["--config", &config(&wrong)], "Authentication failed").await;
    refused(volume.path(), &url, &["--config", &config(&empty)], "neither `username`").await;
    refused(volume.path(), &url, &["--config", "/nonexistent"], "cannot be read").await;

    server.seen.lock().unwrap().clear();
    cloned(volume.path(), &url, &["--config", &config(&right)]).await;
    let folder = volume.path().join("private");
    // A submodule of the same host is cloned with the credentials, one of another host without, and large files are
    // there.
    assert_eq!(read(folder.join("near/part.txt")), "part");
    assert_eq!(read(folder.join("far/part.txt")), "part");
    assert_eq!(read(folder.join("large.bin")), LARGE);
    let seen = server.seen.lock().unwrap().clone();
    let elsewhere: Vec<_> = seen.iter().filter(|(host, _)| host.starts_with("localhost")).collect();
    assert!(!elsewhere.is_empty() && elsewhere.iter().all(|(_, shown)| shown.is_none()), "{elsewhere:?}");
    let kept = configuration(&folder) + &configuration(&folder.join("near"));
    assert!(!kept.contains(USER) && !kept.contains("credential"), "{kept}");
    let lfs = ["-c", "filter.lfs.clean=git-lfs clean -- %f"];
    assert_eq!(git(&folder, &[&lfs[..], &["status", "--porcelain"]].concat()), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_in_the_address_do_not_stay_there() {
    let server = Server::start().await;
    let volume = tempfile::tempdir().unwrap();
    let url = format!("http://{USER}:p%40ss%20word%27%22%24%28x%29@{}/private.git", server.address);
    cloned(volume.path(), &url, &["--revision", "trunk"]).await;
    let kept = configuration(&volume.path().join("private"));
    assert!(kept.contains(&server.url("private")) && !kept.contains("p%40ss"), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_by_ssh() {
    let server = Server::start().await;
    let ssh = Ssh::start();
    let (url, volume) = (ssh.url(&server.path("public")), tempfile::tempdir().unwrap());
    let config = |value: serde_json::Value| {
        let file = yaml(&value);
        let path = file.path().to_str().unwrap().to_owned();
        (file, path)
    };
    let (_stranger, stranger) = config(serde_json::json!({"privateKey": ssh.key("stranger")}));
    refused(volume.path(), &url, &["--config", &stranger], "Permission denied").await;
    let (_locked, locked) = config(serde_json::json!({"privateKey": ssh.key("locked"), "password": "wrong"}));
    refused(volume.path(), &url, &["--config", &locked], "Permission denied").await;
    let (_other, other) = config(serde_json::json!({
        "privateKey": ssh.key("plain"),
        "knownHosts": format!("[127.0.0.1]:{} {}", ssh.port, ssh.key("stranger.pub")),
    }));
    refused(volume.path(), &url, &["--config", &other], "Host key verification failed").await;
    refused(volume.path(), &url, &[], "git clone failed").await;

    for config_of in [
        serde_json::json!({"privateKey": ssh.key("plain")}),
        serde_json::json!({"privateKey": ssh.key("plain"), "knownHosts": ssh.known_hosts()}),
        serde_json::json!({"privateKey": ssh.key("locked"), "password": "open sesame"}),
    ] {
        let volume = tempfile::tempdir().unwrap();
        let (_file, path) = config(config_of);
        cloned(volume.path(), &url, &["--config", &path, "--revision", "v1"]).await;
        assert_eq!(read(volume.path().join("public/file.txt")), "first");
    }
}

/// Runs `cloner shellclone`, which always ends well.
async fn shellclone(volume: &TempDir, env: &[(&str, &str)]) -> String {
    let mount = volume.path().to_str().unwrap().to_owned();
    let env = [&[PATH, ("GIT_CLONE_MOUNT_PATH", mount.as_str())], env].concat();
    let mut command = command(&["cloner", "shellclone"], &env);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    said(&output)
}

#[tokio::test(flavor = "multi_thread")]
async fn shellclone_brings_what_it_can_and_says_what_it_cannot() {
    let server = Server::start().await;
    let (provider, _) = provider("old-token").await;
    let volume = tempfile::tempdir().unwrap();
    let provider =
        serde_json::json!({"id": "p", "access_token_url": format!("{provider}/moved")}).to_string();
    let public =
        serde_json::json!({"url": server.url("public"), "provider": "p", "branch": "feature"}).to_string();
    let private = serde_json::json!({"url": server.url("private"), "provider": "p"}).to_string();
    let part = serde_json::json!({"url": server.url("part")}).to_string();
    let env = [
        ("GIT_CLONE_REPOSITORIES_0_", public.as_str()),
        ("GIT_CLONE_REPOSITORIES_1_", &private),
        ("GIT_CLONE_REPOSITORIES_2_", &part),
        ("GIT_CLONE_GIT_PROVIDERS_0_", &provider),
        ("GIT_CLONE_USER__USERNAME", "ada"),
        ("GIT_CLONE_USER__EMAIL", "ada@example.org"),
        ("GIT_CLONE_USER__FULL_NAME", "Ada L"),
        ("GIT_CLONE_USER__RENKU_TOKEN", "renku-token"),
        ("GIT_CLONE_IS_GIT_PROXY_ENABLED", "true"),
        ("GIT_CLONE_GIT_PROXY_PORT", "9099"),
        ("GIT_CLONE_LFS_AUTO_FETCH", "1"),
    ];
    let log = shellclone(&volume, &env).await;
    let at = |path: &str| volume.path().join(path);
    assert_eq!(read(at("public/file.txt")), "second");
    assert_eq!(git(&at("public"), &["branch", "--show-current"]), "feature");
    assert_eq!(git(&at("part"), &["branch", "--show-current"]), "trunk");
    let config = configuration(&at("public"));
    for line in [
        "user.email=ada@example.org".to_owned(),
        "user.name=Ada L".into(),
        "push.default=simple".into(),
        "http.proxy=http://localhost:9099".into(),
        format!("http.http://{}.sslverify=false", server.address),
        format!("remote.origin.url={}", server.url("public")),
    ] {
        assert!(config.lines().any(|other| other == line), "{line} is not in {config}");
    }
    assert!(!(config + &log).contains("-token"), "{log}");
    // The server knows another password, so this one fails, and says so.
    assert!(read(at("private/ERROR")).contains("git fetch failed"));
    assert!(!at("part/ERROR").exists());

    // The session resumes: what is there stays, and the rest is tried again.
    fs::write(at("public/mine.txt"), "work").unwrap();
    shellclone(&volume, &env).await;
    assert_eq!(read(at("public/mine.txt")), "work");
    assert!(at("private/ERROR").exists());
    let shown: Vec<_> = server.seen.lock().unwrap().iter().filter_map(|(_, shown)| shown.clone()).collect();
    assert!(!shown.is_empty(), "the token of the provider is shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn shellclone_hands_the_authority_of_the_proxy_to_git() {
    let server = Server::start().await;
    let volume = tempfile::tempdir().unwrap();
    let part = serde_json::json!({"url": server.url("part")}).to_string();
    let env = [
        ("GIT_CLONE_REPOSITORIES_0_", part.as_str()),
        ("GIT_CLONE_IS_GIT_PROXY_ENABLED", "true"),
        ("GIT_CLONE_GIT_PROXY_CA_FILE", "/git-proxy/ca.pem"),
    ];
    shellclone(&volume, &env).await;
    let config = configuration(&volume.path().join("part"));
    assert!(config.contains(".sslcainfo=/git-proxy/ca.pem") && !config.contains("sslverify"), "{config}");
}
