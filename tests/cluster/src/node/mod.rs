//! A real node: kubelet, containerd and kube-proxy, where kwok only plays nodes.
//!
//! Control plane and node live in a network namespace of their own (see [`namespace`]), the node also
//! in a mount and a process namespace (see `node.sh`). So several clusters run beside each other, no
//! packet leaves the machine, and ending the first process of the node ends all containers, mounts
//! and interfaces with it. The API server is reached by a port of loopback as ever.
//!
//! There is no DNS for pods: operator and sessions find their partners by address, and a name server
//! would be one more component to build, to start and to explain.

mod config;
mod dockerfile;
pub(crate) mod host;
mod image;
pub(crate) mod namespace;
mod packages;

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::components::{Component, Plan};
use crate::start::until;
use crate::supervisor::Supervisor;
use crate::{Error, paths, pki};
use config::Places;
pub use image::Image;
use image::run;
use namespace::{Network, Passage};

/// Pods have addresses of this range, which is set aside for tests of networks.
pub(crate) const POD_RANGE: &str = "198.18.0.0/16";
/// Services have addresses of this one.
pub(crate) const SERVICE_RANGE: &str = "198.19.0.0/16";
/// The address of a real node, which is that of the API server too.
pub const NODE_ADDRESS: &str = "198.18.0.1";
/// The first address of the range: the Service `kubernetes`.
pub(crate) const API_SERVICE: &str = "198.19.0.1";
/// Where pods look for a name server in vain.
const DNS: &str = "198.19.0.10";
const BRIDGE: &str = "cni0";
/// The name of the node.
pub(crate) const NAME: &str = "node-0";
/// Where the registry listens in the node's network.
const REGISTRY: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 5000);
const RUNTIME_SOCKET: &str = "/run/containerd/containerd.sock";
const PAUSE_IMAGE: &str = "registry.k8s.io/pause:3.10";
const SHELL_IMAGE: &str = "busybox";

pub(crate) const REGISTRY_SERVER: &str = "registry";
pub(crate) const CONTAINERD: &str = "containerd";
pub(crate) const KUBELET: &str = "kubelet";
pub(crate) const KUBE_PROXY: &str = "kube-proxy";

const SCRIPT: &str = concat!(include_str!("../ending.sh"), include_str!("node.sh"));

/// The node of a cluster that is being started.
pub(crate) struct Node {
    dir: PathBuf,
    group: String,
    network: Network,
    passage: Passage,
}

impl Node {
    /// Makes the node's network and starts what needs no API server: the registry and the runtime.
    pub(crate) async fn begin(plan: &Plan<'_>, supervisor: &mut Supervisor) -> Result<Self, Error> {
        let lost = || Error::PrepareNode { why: "the supervisor has ended".into() };
        let network = Network::of(supervisor.id().ok_or_else(lost)?);
        until(supervisor, &[], "the node has its network", async || network.is_apart()).await?;
        connect(&network)?;
        let name = plan.dir.file_name().unwrap_or_default().to_string_lossy();
        let passage = Passage::open(&network, plan.ports.api_server)?;
        let node = Self { dir: dir(plan.dir), group: format!("sojourn-{name}"), network, passage };
        node.write_files(plan)?;
        supervisor.run(&node.registry(plan))?;
        supervisor.run(&node.containerd(plan))?;
        Ok(node)
    }

    /// Whether somebody listens at a port of its loopback.
    pub(crate) fn listens(&self, port: u16) -> bool {
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        self.network.inside(connect).unwrap_or_default()
    }

    /// Builds the images and gives them to the registry, and waits for the runtime.
    pub(crate) async fn fill_registry(&self, plan: &Plan<'_>, supervisor: &Supervisor) -> Result<(), Error> {
        until(supervisor, &[REGISTRY_SERVER], "the registry listens", async || self.listens(REGISTRY.1))
            .await?;
        let needed = plan.options.images.iter().flat_map(Image::packages);
        host::ensure_packages(needed).await?;
        let images = [self.pause()?, shell()?];
        for image in images.iter().chain(&plan.options.images) {
            let layout = self.dir.join("image");
            image.write(&layout)?;
            let crane = plan.binaries.path("crane").display().to_string();
            let to = format!("{}:{}/{}", REGISTRY.0, REGISTRY.1, image.repository());
            let net = format!("--net={}", self.network.path().display());
            run("nsenter", &[&net, &crane, "push", &layout.display().to_string(), &to])?;
            fs::remove_dir_all(&layout).map_err(Error::file("remove", &layout))?;
        }
        until(supervisor, &[CONTAINERD], "the node is set up", async || self.dir.join("ready").exists()).await
    }

    /// What there is of the cluster on and beside a node in place of kwok.
    pub(crate) fn components(&self, plan: &Plan<'_>) -> Vec<Component> {
        let controller_manager = plan.controller_manager();
        vec![
            // The folders of claims are its work, and those of the node.
            Component {
                program: "nsenter".into(),
                args: self.entering(&[], &controller_manager.program, &controller_manager.args),
                ..controller_manager
            },
            self.kubelet(plan),
            self.kube_proxy(plan),
        ]
    }

    /// The way to the API server, which is needed for as long as the cluster is.
    pub(crate) fn into_passage(self) -> Passage {
        self.passage
    }

    /// Writes what the components read. The kubeconfigs are the plan's.
    fn write_files(&self, plan: &Plan<'_>) -> Result<(), Error> {
        let lost = || Error::PrepareNode { why: "its network plugins are gone".into() };
        let (plugins, authority) = (host::plugins().ok_or_else(lost)?, pki::dir(plan.dir).join(pki::CA));
        let proxy_kubeconfig = plan.kubeconfig(KUBE_PROXY);
        let places = Places {
            dir: &self.dir,
            plugins: &plugins,
            authority: &authority,
            proxy_kubeconfig: &proxy_kubeconfig,
            group: &self.group,
        };
        for (path, text) in [
            ("containerd.toml", places.containerd()),
            ("registries/_default/hosts.toml", Places::registries()),
            ("networks/pods.conflist", Places::network().to_string()),
            ("kubelet.json", places.kubelet().to_string()),
            ("kube-proxy.json", places.kube_proxy().to_string()),
            ("runc", Places::runc().to_owned()),
            ("resolv.conf", String::new()),
        ] {
            let path = self.dir.join(path);
            paths::create_dir(path.parent().unwrap_or(&self.dir))?;
            fs::write(&path, text).map_err(Error::file("write", &path))?;
        }
        let runc = self.dir.join("runc");
        fs::set_permissions(&runc, fs::Permissions::from_mode(0o755))
            .map_err(Error::file("protect", &runc))?;
        // The folder of the registry, and /tmp of the node.
        paths::create_dir(&self.dir.join("registry"))?;
        let temporary = self.dir.join("tmp");
        paths::create_dir(&temporary)?;
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o1777))
            .map_err(Error::file("protect", &temporary))
    }

    /// Holds the images.
    fn registry(&self, plan: &Plan<'_>) -> Component {
        let address = format!("{}:{}", REGISTRY.0, REGISTRY.1);
        let disk = self.dir.join("registry").display().to_string();
        let args = ["registry", "serve", "--address", &address, "--disk", &disk];
        Component {
            name: REGISTRY_SERVER,
            program: plan.binaries.path("crane"),
            args: args.map(str::to_owned).into(),
        }
    }

    /// The first process of the node, and the container runtime in it.
    fn containerd(&self, plan: &Plan<'_>) -> Component {
        let mut args: Vec<String> =
            ["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", SCRIPT, "sojourn-cluster-node"]
                .map(str::to_owned)
                .into();
        args.extend([
            plan.dir.display().to_string(),
            paths::root().display().to_string(),
            self.group.clone(),
            CONTAINERD.to_owned(),
            "--config".to_owned(),
            self.dir.join("containerd.toml").display().to_string(),
        ]);
        Component { name: CONTAINERD, program: "unshare".into(), args }
    }

    fn kubelet(&self, plan: &Plan<'_>) -> Component {
        self.on_node(
            plan,
            KUBELET,
            &[
                format!("--config={}", self.dir.join("kubelet.json").display()),
                format!("--kubeconfig={}", plan.kubeconfig(KUBELET).display()),
                format!("--root-dir={}", self.dir.join("kubelet").display()),
                format!("--node-ip={NODE_ADDRESS}"),
                format!("--hostname-override={NAME}"),
            ],
        )
    }

    fn kube_proxy(&self, plan: &Plan<'_>) -> Component {
        let config = format!("--config={}", self.dir.join("kube-proxy.json").display());
        self.on_node(plan, KUBE_PROXY, &[config])
    }

    fn on_node(&self, plan: &Plan<'_>, name: &'static str, args: &[String]) -> Component {
        let program = plan.binaries.path(name);
        Component { name, program: "nsenter".into(), args: self.entering(&["--pid"], &program, args) }
    }

    /// Arguments of `nsenter`.
    fn entering(&self, more: &[&str], program: &Path, args: &[String]) -> Vec<String> {
        let first = fs::read_to_string(self.dir.join("first")).unwrap_or_default();
        let target = first.split(' ').next().unwrap_or_default();
        let mut words = vec!["--target".to_owned(), target.to_owned(), "--mount".to_owned()];
        words.extend(more.iter().map(ToString::to_string));
        words.push("--".to_owned());
        words.push(program.display().to_string());
        words.extend_from_slice(args);
        words
    }

    /// What holds a pod's namespaces.
    fn pause(&self) -> Result<Image, Error> {
        let (source, program) = (self.dir.join("pause.c"), self.dir.join("pause"));
        fs::write(&source, include_str!("pause.c")).map_err(Error::file("write", &source))?;
        let (from, to) = (source.display().to_string(), program.display().to_string());
        run("cc", &["-static", "-Os", "-o", &to, &from])?;
        let image = Image::new(PAUSE_IMAGE).file("/pause", &program);
        Ok(image.setting("Entrypoint", serde_json::json!(["/pause"])))
    }
}

/// Makes loopback, the pods' bridge and the route to Services in the node's network.
fn connect(network: &Network) -> Result<(), Error> {
    let commands = format!(
        "link set lo up\nlink add {BRIDGE} type bridge\naddr add {NODE_ADDRESS}/16 dev {BRIDGE}\n\
         link set {BRIDGE} up\nroute add {SERVICE_RANGE} dev {BRIDGE}\nroute add unreachable {DNS}\n"
    );
    let fail = |source| Error::Spawn { program: "ip".into(), source };
    let mut ip = Command::new("nsenter")
        .arg(format!("--net={}", network.path().display()))
        .args(["ip", "-batch", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(fail)?;
    if let Some(mut stdin) = ip.stdin.take() {
        stdin.write_all(commands.as_bytes()).map_err(fail)?;
    }
    let output = ip.wait_with_output().map_err(fail)?;
    if output.status.success() {
        return Ok(());
    }
    let tail = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Error::RunProgram { program: "ip".into(), tail })
}

/// A shell with its tools, for pods of tests.
fn shell() -> Result<Image, Error> {
    let lost = || Error::PrepareNode { why: "its busybox is gone".into() };
    let busybox = host::shell().ok_or_else(lost)?;
    let applets = run(&busybox.display().to_string(), &["--list"])?;
    let image = Image::new(SHELL_IMAGE)
        .file("/bin/busybox", &busybox)
        .setting("Env", serde_json::json!(["PATH=/bin"]))
        .setting("Cmd", serde_json::json!(["sh"]));
    let applets = applets.lines().filter(|applet| *applet != "busybox");
    Ok(applets.fold(image, |image, applet| image.link(&format!("/bin/{applet}"), "busybox")))
}

/// The node's part of a cluster's folder.
pub(crate) fn dir(cluster: &Path) -> PathBuf {
    cluster.join("node")
}
