//! What a real node needs of the machine: root, Linux namespaces, and a few programs that every
//! distribution packages. Promises: one clear sentence when it cannot be had.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::packages;
use crate::{Error, paths};

/// Programs, and the Debian package of each.
const PROGRAMS: &[(&str, &str)] = &[
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("iptables", "iptables"),
    ("ip", "iproute2"),
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("mount", "mount"),
    ("find", "findutils"),
    ("tar", "tar"),
    ("sha256sum", "coreutils"),
    ("cc", "gcc libc6-dev"),
];
/// Where distributions put the network plugins, Debian first.
const PLUGIN_FOLDERS: &[&str] = &["/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"];
const PLUGINS_PACKAGE: &str = "containernetworking-plugins";
/// Where a busybox lies that needs no libraries.
const SHELLS: &[&str] = &["/bin/busybox", "/usr/bin/busybox", "/bin/busybox.static"];
const SHELL_PACKAGE: &str = "busybox-static";

/// Makes sure that all of it is there. Installs what is missing where that is a matter of one command.
pub(crate) async fn ensure() -> Result<(), Error> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::PrepareNode { why: "it must be started as root".into() });
    }
    install(missing).await
}

/// Makes sure that packages are there which images are made of.
pub(crate) async fn ensure_packages(names: impl Iterator<Item = &String> + Clone) -> Result<(), Error> {
    let missing = || names.clone().map(String::as_str).filter(|name| !packages::is_installed(name)).collect();
    install(missing).await
}

/// Installs the packages that `missing` names, until it names none.
async fn install<'a>(missing: impl Fn() -> Vec<&'a str>) -> Result<(), Error> {
    let names = missing();
    if names.is_empty() {
        return Ok(());
    }
    let Some(apt) = paths::find_program("apt-get") else {
        let names = names.join(" ");
        let why = format!("some programs are not installed; in Debian they are in the packages {names}");
        return Err(Error::PrepareNode { why });
    };
    let root = paths::root();
    paths::create_dir(&root)?;
    let log = root.join("packages.log");
    for arguments in [vec!["update"], [vec!["install", "--yes", "--no-install-recommends"], names].concat()] {
        run(&apt, &arguments, &log).await?;
    }
    match missing() {
        left if left.is_empty() => Ok(()),
        left => {
            Err(Error::PrepareNode { why: format!("the packages {} brought too little", left.join(" ")) })
        }
    }
}

async fn run(apt: &Path, arguments: &[&str], log: &Path) -> Result<(), Error> {
    let output = std::fs::File::create(log).map_err(Error::file("write", log))?;
    let errors = output.try_clone().map_err(Error::file("write", log))?;
    let status = Command::new(apt)
        // Two starts at a time wait for each other.
        .args(["-o", "DPkg::Lock::Timeout=300", "--quiet"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .status()
        .await
        .map_err(|source| Error::Spawn { program: apt.display().to_string(), source })?;
    if status.success() {
        return Ok(());
    }
    let command = arguments.join(" ");
    Err(Error::PrepareNode { why: format!("`apt-get {command}` failed:\n{}", paths::tail(log)) })
}

/// The packages of what is missing.
fn missing() -> Vec<&'static str> {
    let mut packages: Vec<_> = PROGRAMS
        .iter()
        .filter(|(program, _)| paths::find_program(program).is_none())
        .flat_map(|(_, package)| package.split(' '))
        .collect();
    if plugins().is_none() {
        packages.push(PLUGINS_PACKAGE);
    }
    if shell().is_none() {
        packages.push(SHELL_PACKAGE);
    }
    packages.dedup();
    packages
}

/// The folder of the network plugins.
pub(crate) fn plugins() -> Option<PathBuf> {
    PLUGIN_FOLDERS.iter().map(PathBuf::from).find(|folder| folder.join("bridge").is_file())
}

/// The program that is a whole userland, without libraries.
pub(crate) fn shell() -> Option<PathBuf> {
    // The busybox of Debian's other package wants the C library.
    let is_static = |path: &PathBuf| std::fs::read(path).is_ok_and(|bytes| !names_an_interpreter(&bytes));
    SHELLS.iter().map(PathBuf::from).find(is_static)
}

/// Whether an ELF program asks for a dynamic linker.
fn names_an_interpreter(bytes: &[u8]) -> bool {
    bytes.windows(8).take(4096).any(|window| window == b"/ld-linu" || window == b"/ld-musl")
}
