//! A cluster ends with its owner, whatever ends the owner, and leaves others alone.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::{PROGRAM, runs, send, supervisor, unique, up};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use sojourn_cluster::{Cluster, Error, Options, PATIENCE, test_namespace};

/// Every start cleans up lost clusters, so the test that loses one on purpose must be alone.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// The processes of the cluster, its supervisor included.
fn pids(dir: &Path) -> Vec<u32> {
    let text = std::fs::read_to_string(dir.join("processes")).unwrap();
    let mut pids: Vec<u32> =
        text.lines().map(|line| line.split(' ').nth(1).unwrap().parse().unwrap()).collect();
    assert_eq!(pids.len(), 5, "{text}");
    pids.push(supervisor(dir));
    pids
}

/// A search path with what the supervisor needs and nothing else.
fn without_setpriv() -> PathBuf {
    let dir = std::env::temp_dir().join(unique("sojourn-cluster-tools"));
    std::fs::create_dir_all(&dir).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for tool in ["sh", "sed", "cut", "rm"] {
        let found =
            std::env::split_paths(&path).map(|dir| dir.join(tool)).find(|path| path.is_file()).unwrap();
        std::os::unix::fs::symlink(found, dir.join(tool)).unwrap();
    }
    dir
}

fn assert_gone(pids: &[u32], dir: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while pids.iter().any(runs) || dir.exists() {
        let left: Vec<_> = pids.iter().filter(|pid| runs(pid)).collect();
        assert!(Instant::now() < deadline, "still there: {left:?}, folder: {}", dir.exists());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clusters_do_not_disturb_each_other_and_one_ends_with_the_caller_of_its_owner() {
    let _alone = ALONE.lock().await;
    let mut script = Command::new("sh");
    script.args(["-c", "\"$0\" \"$@\"; true", PROGRAM, "up", "--nodes", "1", "--name", &unique("script")]);
    let beside = tokio::task::spawn_blocking(move || up(script));
    let own = Cluster::start(Options { nodes: 1, ..Options::default() }).await.unwrap();
    let (mut shell, other_dir) = beside.await.unwrap();
    let (own_dir, own_pids, other_pids) = (own.dir().to_path_buf(), pids(own.dir()), pids(&other_dir));

    let client = own.client().await.unwrap();
    let namespace = test_namespace(&client, "own").await.unwrap();
    let other = Cluster::attach(&unique("script")).await.unwrap();
    let namespaces: Api<Namespace> = Api::all(other.client().await.unwrap());
    assert!(namespaces.get("default").await.is_ok());
    assert!(namespaces.get_opt(&namespace).await.unwrap().is_none());
    let taken = Cluster::start(Options { name: Some(unique("script")), ..Options::default() }).await;
    assert!(matches!(taken, Err(Error::TakeName { .. })), "{taken:?}");

    // The owner is a child of the shell and only sees that it is alone now.
    send("-KILL", shell.id());
    shell.wait().unwrap();
    assert_gone(&other_pids, &other_dir);
    test_namespace(&client, "still-there").await.unwrap();

    own.stop().await;
    assert_gone(&own_pids, &own_dir);
}

#[test]
fn a_killed_owner_leaves_nothing_and_a_lost_cluster_is_cleaned_by_the_next_start() {
    let _alone = ALONE.blocking_lock();
    let name = unique("killed");
    let command = |more: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(["up", "--nodes", "1", "--name", &name]).args(more);
        command
    };
    let (mut owner, dir) = up(command(&[]));
    let first = pids(&dir);
    send("-KILL", owner.id());
    owner.wait().unwrap();
    assert_gone(&first, &dir);

    // Supervisor and owner killed at once, on a machine where the kernel does not tell the children.
    let tools = without_setpriv();
    let mut bare = command(&[]);
    bare.env("PATH", &tools);
    let (mut owner, dir) = up(bare);
    let mut lost = pids(&dir);
    send("-KILL", supervisor(&dir));
    send("-KILL", owner.id());
    owner.wait().unwrap();
    assert_eq!(lost.pop(), Some(supervisor(&dir)));
    assert!(lost.iter().all(runs), "the cluster should have been lost by now");
    std::fs::remove_dir_all(tools).unwrap();
    let (mut starter, dir) = up(command(&["--detach"]));
    assert!(starter.wait().unwrap().success());
    assert!(!lost.iter().any(runs), "the lost cluster still runs");

    let last = pids(&dir);
    assert!(last.iter().all(runs));
    let list = Command::new(PROGRAM).arg("list").output().unwrap();
    assert!(
        String::from_utf8(list.stdout).unwrap().lines().any(|line| line.split('\t').next() == Some(&name))
    );
    assert!(Command::new(PROGRAM).args(["down", "--name", &name]).status().unwrap().success());
    assert_gone(&last, &dir);
    assert!(!Command::new(PROGRAM).args(["down", "--name", &name]).status().unwrap().success());
}
