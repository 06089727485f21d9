//! Sessions with repositories, cloned from real git servers in the cluster's network by the cloner of our image.

use crate::{
    gitserver::{LARGE, PASSWORD, Server, Ssh, USER},
    objects::error,
    stage::{is, scene, script},
    support::{Scene, must},
};
use serde_json::{Value, json};
use sojourn_cluster::NODE_ADDRESS;
use sojourn_crds::amalthea::State;
const WAITS: &str = "trap 'exit 0' TERM; sleep 1000 & wait";

/// A server that pods reach.
async fn server(scene: &Scene) -> Server {
    Server::start_on(scene.listener(), NODE_ADDRESS).await
}

fn session(repositories: Value) -> Value {
    script(WAITS, json!({"codeRepositories": repositories}))
}

/// What a file of the volume holds.
async fn read(scene: &Scene, session: &str, file: &str) -> String {
    let path = format!("/workspace/{file}");
    must(scene.kubectl(&["exec", &format!("{session}-0"), "--", "cat", &path]).await)
}

async fn secret(scene: &Scene, name: &str, credentials: Value) {
    let text = format!("--from-literal=clone.yaml={credentials}");
    must(scene.kubectl(&["create", "secret", "generic", name, &text]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_are_cloned_once_and_stay_as_their_user_leaves_them() {
    let scene = scene("clones").await;
    let server = server(&scene).await;
    let ssh = scene.stage.cluster.inside(|| Ssh::start_on(NODE_ADDRESS.parse().unwrap())).unwrap();
    secret(&scene, "password", json!({"username": USER, "password": PASSWORD})).await;
    let key = json!({
        "privateKey": ssh.key("locked"), "password": "open sesame", "knownHosts": ssh.known_hosts(),
    });
    secret(&scene, "key", key).await;
    let with = |name: &str| json!({"name": name, "key": "clone.yaml"});
    let repositories = json!([
        {"type": "git", "remote": server.url("public"), "revision": "v1"},
        {"type": "git", "remote": server.url("private"), "cloningConfigSecretRef": with("password")},
        {"type": "git", "remote": ssh.url(&server.path("part")), "clonePath": "by-ssh",
         "cloningConfigSecretRef": with("key")},
    ]);
    scene.session("main", session(repositories)).await;
    let first = scene.eventually("main", "runs", is(State::Running)).await;
    assert_eq!(error(&first), "");
    for (file, text) in [
        ("public/file.txt", "first"),
        ("private/file.txt", "third"),
        // By git-lfs, and by git's program for submodules.
        ("private/large.bin", LARGE),
        ("private/near/part.txt", "part"),
        ("by-ssh/part/part.txt", "part"),
    ] {
        assert_eq!(read(&scene, "main", file).await, text, "{file}");
    }
    // What the cloner makes belongs to the session's user.
    let edit = "echo mine >/workspace/public/file.txt; rm -r /workspace/private/near; ls -ln /workspace";
    let listed = must(scene.kubectl(&["exec", "main-0", "--", "sh", "-c", edit]).await);
    assert!(listed.lines().filter(|line| line.contains(" 1000 ")).count() == 3, "{listed}");

    must(scene.patch("main", json!({"spec": {"hibernated": true}})).await);
    scene.eventually("main", "hibernates", is(State::Hibernated)).await;
    scene.gone("pod", "main-0").await;
    // Nobody to clone from is needed for what is there.
    let asked = server.seen.lock().unwrap().len();
    must(scene.patch("main", json!({"spec": {"hibernated": false}})).await);
    scene.eventually("main", "runs again", is(State::Running)).await;
    assert_eq!(read(&scene, "main", "public/file.txt").await, "mine\n");
    let near = ["exec", "main-0", "--", "ls", "/workspace/private/near"];
    assert!(!scene.kubectl(&near).await.success(), "it was brought back");
    assert_eq!(server.seen.lock().unwrap().len(), asked, "the server was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_cloned_is_told_and_cured_by_the_right_password() {
    let scene = scene("refused").await;
    let server = server(&scene).await;
    secret(&scene, "password", json!({"username": USER, "password": "guessed"})).await;
    let repository = |remote: String, secret: Option<&str>| {
        let mut one = json!({"type": "git", "remote": remote});
        if let Some(name) = secret {
            one["cloningConfigSecretRef"] = json!({"name": name, "key": "clone.yaml"});
        }
        session(json!([one]))
    };
    scene.session("wrong", repository(server.url("private"), Some("password"))).await;
    scene.session("none", repository(server.url("private"), None)).await;
    for (name, told) in [("wrong", "Authentication failed"), ("none", "could not read Username")] {
        let failed = scene.eventually(name, "fails", is(State::Failed)).await;
        let error = error(&failed);
        assert!(error.contains("git-clone-0") && error.contains(told), "{error}");
        assert!(!error.contains("guessed"), "{error}");
    }
    must(scene.kubectl(&["delete", "secret", "password"]).await);
    secret(&scene, "password", json!({"username": USER, "password": PASSWORD})).await;
    // A volume follows its secret in about a minute; the pod is not made anew.
    scene.eventually("wrong", "runs", is(State::Running)).await;
    assert_eq!(read(&scene, "wrong", "private/file.txt").await, "third");
}
