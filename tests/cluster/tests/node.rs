//! A real node comes within seconds, and leaves the machine as it was, however it ends. Needs root.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use common::{PROGRAM, runs, send, supervisor, unique, up};
use sojourn_cluster::{Cluster, PATIENCE, kubectl};

/// Every start cleans up lost clusters, so the test that loses one on purpose must be alone.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A pod with a claim, two processes and a port, and a Service before it.
const POD: &str = r#"
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: files}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8000}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers:
    - name: web
      image: busybox
      command: [sh, -c, "echo hello >/files/index.html; echo started; httpd -f -p 8000 -h /files & wait"]
      securityContext: {runAsUser: 1000}
      readinessProbe: {httpGet: {path: /, port: 8000}, periodSeconds: 1}
      volumeMounts: [{name: files, mountPath: /files}]
  volumes: [{name: files, persistentVolumeClaim: {claimName: files}}]
"#;

fn start(name: &str) -> (Child, PathBuf) {
    let mut command = Command::new(PROGRAM);
    command.args(["up", "--node", "--name", name]);
    up(command)
}

async fn must(cluster: &Cluster, args: &[&str], stdin: Option<&str>) -> String {
    let output = kubectl(cluster, args, stdin).await.unwrap();
    assert!(output.success(), "{}{}", output.stdout, output.stderr);
    output.stdout
}

/// Runs the pod, and looks into it in every way there is.
async fn use_it(name: &str) {
    let cluster = Cluster::attach(name).await.unwrap();
    must(&cluster, &["apply", "-f", "-"], Some(POD)).await;
    must(&cluster, &["wait", "pod/web", "--for=condition=Ready", "--timeout=300s"], None).await;
    assert_eq!(must(&cluster, &["logs", "web"], None).await, "started\n");
    // From a pod, by the addresses of two Services; the API server wants to know who asks.
    let ask = "wget -qO- http://$WEB_SERVICE_HOST; \
               wget -qO- --no-check-certificate https://$KUBERNETES_SERVICE_HOST/api 2>&1";
    must(&cluster, &["delete", "pod", "client", "--ignore-not-found"], None).await;
    must(&cluster, &["run", "client", "--image=busybox", "--restart=Never", "--", "sleep", "1000"], None)
        .await;
    must(&cluster, &["wait", "pod/client", "--for=condition=Ready", "--timeout=300s"], None).await;
    let answers = kubectl(&cluster, &["exec", "client", "--", "sh", "-c", ask], None).await.unwrap().stdout;
    assert!(answers.starts_with("hello\n") && answers.contains("403 Forbidden"), "{answers}");
    // Nothing outside can be reached: not the machine, not the world.
    let outside = "wget -T 3 -qO- http://192.0.2.1 2>&1 || echo nowhere";
    let answer = must(&cluster, &["exec", "client", "--", "sh", "-c", outside], None).await;
    assert!(answer.ends_with("nowhere\n"), "{answer}");
    let missing = ["run", "missing", "--image=missing.example.org/a:1", "--restart=Never"];
    must(&cluster, &missing, None).await;
    must(
        &cluster,
        &[
            "wait",
            "pod/missing",
            "--timeout=300s",
            "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=ErrImagePull",
        ],
        None,
    )
    .await;
}

/// What a node could leave on a machine.
#[derive(Debug, PartialEq)]
struct Machine {
    mounts: BTreeSet<String>,
    interfaces: BTreeSet<String>,
    rules: String,
    groups: BTreeSet<PathBuf>,
    folders: Vec<(&'static str, bool)>,
    settings: Vec<String>,
}

impl Machine {
    /// As it is now. `name` is that of the cluster: other clusters may come and go.
    fn now(name: &str) -> Self {
        let lines = |path: &str| std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
        let names = |path: &str| std::fs::read_dir(path).unwrap().map(|it| it.unwrap().path());
        let group = format!("sojourn-{name}");
        let hierarchies = names("/sys/fs/cgroup").chain([PathBuf::from("/sys/fs/cgroup")]);
        let folders = [
            "/opt/containerd",
            "/run/containerd",
            "/run/netns",
            "/tmp/hostpath_pv",
            "/var/lib/cni",
            "/var/lib/containerd",
            "/var/lib/kubelet",
            "/var/log/containers",
            "/var/log/pods",
            "/usr/libexec/kubernetes",
        ];
        let settings =
            ["vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward"];
        Self {
            mounts: lines("/proc/self/mounts"),
            interfaces: names("/sys/class/net").map(|it| it.display().to_string()).collect(),
            rules: rules(),
            groups: hierarchies.map(|it| it.join(&group)).filter(|it| it.exists()).collect(),
            folders: folders.map(|it| (it, Path::new(it).exists())).into(),
            settings: settings.map(|it| std::fs::read_to_string(format!("/proc/sys/{it}")).unwrap()).into(),
        }
    }
}

/// The rules of the machine's packet filter, without their counters and times.
fn rules() -> String {
    let output = Command::new("iptables-save").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter(|line| line.starts_with('-')).collect()
}

/// Every process of the cluster, those in its pods included: the namespaces tell.
fn processes(dir: &Path) -> Vec<u32> {
    let network = |pid: u32| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let ours = network(std::process::id());
    let dir = dir.display().to_string();
    let pids = std::fs::read_dir("/proc").unwrap();
    let pids = pids.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let pids: Vec<u32> = pids.filter(|pid| network(*pid) != ours && network(*pid).is_some()).collect();
    let named =
        |pid: &u32| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| contains(&line, &dir));
    let node: Vec<_> = pids.iter().filter(|pid| named(pid)).filter_map(|pid| network(*pid)).collect();
    let name = Path::new(&dir).file_name().unwrap().to_str().unwrap().to_owned();
    let group = format!("/sojourn-{name}/");
    let grouped =
        |pid: &u32| std::fs::read(format!("/proc/{pid}/cgroup")).is_ok_and(|text| contains(&text, &group));
    pids.into_iter()
        .filter(|pid| network(*pid).is_some_and(|network| node.contains(&network)) || grouped(pid))
        .collect()
}

fn contains(bytes: &[u8], part: &str) -> bool {
    String::from_utf8_lossy(bytes).contains(part)
}

fn assert_as_before(before: &Machine, name: &str, dir: &Path, pids: &[u32]) {
    let deadline = Instant::now() + PATIENCE;
    while pids.iter().any(runs) || dir.exists() || Machine::now(name) != *before {
        if Instant::now() > deadline {
            let left: Vec<_> = pids.iter().filter(|pid| runs(pid)).collect();
            assert!(left.is_empty() && !dir.exists(), "still there: {left:?}, folder: {}", dir.exists());
            assert_eq!(Machine::now(name), *before);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_run_and_nothing_of_them_is_left_however_the_cluster_ends() {
    let _alone = ALONE.lock().await;
    let name = unique("node");
    let before = Machine::now(&name);

    // In order.
    let (mut owner, dir) = start(&name);
    use_it(&name).await;
    let pids = processes(&dir);
    // Control plane, node, and three shims with two processes each at least.
    assert!(pids.len() > 15 && pids.iter().all(runs), "{pids:?}");
    assert_ne!(Machine::now(&name).groups, before.groups);
    assert!(Command::new(PROGRAM).args(["down", "--name", &name]).status().unwrap().success());
    owner.wait().unwrap();
    assert_as_before(&before, &name, &dir, &pids);

    // The owner is killed.
    let (mut owner, dir) = start(&name);
    use_it(&name).await;
    let pids = processes(&dir);
    send("-KILL", owner.id());
    owner.wait().unwrap();
    assert_as_before(&before, &name, &dir, &pids);

    // Owner and supervisor are killed: what is left ends with the next start.
    let (mut owner, dir) = start(&name);
    use_it(&name).await;
    let pids = processes(&dir);
    send("-KILL", supervisor(&dir));
    send("-KILL", owner.id());
    owner.wait().unwrap();
    let other = unique("next");
    let (mut next, next_dir) = start(&other);
    assert_as_before(&before, &name, &dir, &pids);
    let pids = processes(&next_dir);
    send("-TERM", next.id());
    next.wait().unwrap();
    assert_as_before(&before, &other, &next_dir, &pids);
}

#[test]
fn who_cannot_have_a_node_is_told_why_in_one_sentence() {
    let say = |command: &mut Command| {
        let output = command.args(["build", "--node"]).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let folder = std::env::temp_dir().join(unique("sojourn-cluster-copy"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let copy = folder.join("sojourn-cluster");
    std::fs::copy(PROGRAM, &copy).unwrap();
    let mut nobody = Command::new("setpriv");
    let said = say(nobody.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&copy));
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(said, "sojourn-cluster: a real node cannot run here: it must be started as root\n");

    let said = say(Command::new(PROGRAM).env("PATH", "/nonexistent"));
    assert!(said.contains("in Debian they are in the packages containerd runc"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
