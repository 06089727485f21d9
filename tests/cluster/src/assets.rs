//! Which binaries a cluster is made of and where each one comes from.
//!
//! One table row per Go module. The versions stand in the modules' `go.mod` only, so that raising one
//! is a change of one file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::{Error, gobuild, paths};

/// The binaries by name, in the order in which they are built.
pub const BINARIES: &[&str] =
    &["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "helm", "kwok"];

/// What a cluster with a real node needs beside them.
pub const NODE_BINARIES: &[&str] = &["kubelet", "kube-proxy", "crane", "oauth2-proxy"];

/// A Go module whose dependencies are pinned here, and the programs to build from it.
pub(crate) struct Module {
    /// Folder name under `tools/`.
    pub(crate) name: &'static str,
    /// The module that the version is read from.
    pub(crate) version_of: &'static str,
    pub(crate) go_mod: &'static str,
    pub(crate) go_sum: &'static str,
    /// `(binary, package)`.
    pub(crate) programs: &'static [(&'static str, &'static str)],
    /// The same for those that only a real node needs.
    pub(crate) node_programs: &'static [(&'static str, &'static str)],
    /// Packages whose version variables the linker sets, as the release builds do: without it the
    /// server reports v0.0.0 and clients misbehave.
    pub(crate) version_packages: &'static [&'static str],
    /// What to tell a person who waits for a cold build on a small machine.
    pub(crate) patience: &'static str,
}

/// The table. A further component is one more line in `programs`.
pub(crate) const MODULES: &[Module] = &[
    // etcd and helm share most of their dependencies with Kubernetes: built together, these are compiled once.
    Module {
        name: "kubernetes",
        version_of: "k8s.io/kubernetes",
        go_mod: include_str!("../tools/kubernetes/go.mod"),
        go_sum: include_str!("../tools/kubernetes/go.sum"),
        programs: &[
            ("etcd", "go.etcd.io/etcd/server/v3"),
            ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
            ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
            ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
            ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
            ("helm", "helm.sh/helm/v3/cmd/helm"),
        ],
        node_programs: &[
            ("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
            ("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
        ],
        version_packages: &["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"],
        patience: "six minutes",
    },
    Module {
        name: "kwok",
        version_of: "sigs.k8s.io/kwok",
        go_mod: include_str!("../tools/kwok/go.mod"),
        go_sum: include_str!("../tools/kwok/go.sum"),
        programs: &[("kwok", "sigs.k8s.io/kwok/cmd/kwok")],
        node_programs: &[],
        version_packages: &[],
        patience: "a minute",
    },
    Module {
        name: "crane",
        version_of: "github.com/google/go-containerregistry",
        go_mod: include_str!("../tools/crane/go.mod"),
        go_sum: include_str!("../tools/crane/go.sum"),
        programs: &[],
        node_programs: &[("crane", "github.com/google/go-containerregistry/cmd/crane")],
        version_packages: &[],
        patience: "half a minute",
    },
    // No part of the cluster: for the image that sessions with a login name.
    Module {
        name: "oauth2-proxy",
        version_of: "github.com/oauth2-proxy/oauth2-proxy/v7",
        go_mod: include_str!("../tools/oauth2-proxy/go.mod"),
        go_sum: include_str!("../tools/oauth2-proxy/go.sum"),
        programs: &[],
        node_programs: &[("oauth2-proxy", "github.com/oauth2-proxy/oauth2-proxy/v7")],
        version_packages: &[],
        patience: "a minute",
    },
];

impl Module {
    /// The version that `go.mod` requires.
    pub(crate) fn version(&self) -> &'static str {
        self.go_mod
            .lines()
            .filter_map(|line| line.trim().trim_start_matches("require ").split_once(' '))
            .find_map(|(module, version)| (module == self.version_of).then_some(version.trim()))
            .unwrap_or("v0.0.0")
    }

    /// Linker flags: no debug tables, and the version where the programs look for it.
    pub(crate) fn ldflags(&self) -> String {
        let version = self.version();
        let mut numbers = version.trim_start_matches('v').split('.');
        let (major, minor) = (numbers.next().unwrap_or("0"), numbers.next().unwrap_or("0"));
        let mut flags = String::from("-s -w");
        for package in self.version_packages {
            flags.push_str(&format!(
                " -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"
            ));
        }
        flags
    }

    /// The folder of the results: version for people, hash so that every change of the pinned
    /// dependencies or of the flags is a build of its own.
    pub(crate) fn key(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.go_mod);
        hash.update(self.go_sum);
        hash.update(self.ldflags());
        let hash = hash.finalize();
        let short: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{}-{short}", self.name, self.version())
    }
}

/// The binaries of a machine, each with its place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Binaries(BTreeMap<&'static str, PathBuf>);

impl Binaries {
    /// Where `name` is. A name that is not in the table is looked for in the `PATH`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.get(name).cloned().unwrap_or_else(|| PathBuf::from(name))
    }
}

/// Finds every binary, building what is missing. Takes minutes on a fresh machine and nothing after.
/// With `node` those of a real node too.
pub(crate) async fn ensure(node: bool) -> Result<Binaries, Error> {
    let given = std::env::var_os("KUBEBUILDER_ASSETS").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let mut found = BTreeMap::new();
    for module in MODULES {
        let folder = paths::bin().join(module.key());
        let mut missing = Vec::new();
        let more = if node { module.node_programs } else { &[] };
        for (binary, package) in module.programs.iter().chain(more) {
            let given = given.as_ref().map(|dir| dir.join(binary)).filter(|path| path.is_file());
            let path = given.unwrap_or_else(|| folder.join(binary));
            if !path.is_file() {
                missing.push((*binary, *package));
            }
            found.insert(*binary, path);
        }
        if !missing.is_empty() {
            gobuild::build(module, &folder, &missing).await?;
        }
    }
    Ok(Binaries(found))
}

/// Builds what is missing and says where each binary is.
///
/// # Errors
/// Go is missing or a build failed.
pub async fn build_all() -> Result<Vec<(&'static str, PathBuf)>, Error> {
    let binaries = ensure(false).await?;
    Ok(BINARIES.iter().map(|name| (*name, binaries.path(name))).collect())
}

/// The same with what a real node needs, and installs the machine's part of it.
///
/// # Errors
/// As [`build_all`], and this machine cannot have a node.
pub async fn build_all_with_node() -> Result<Vec<(&'static str, PathBuf)>, Error> {
    crate::node::host::ensure().await?;
    let binaries = ensure(true).await?;
    Ok(BINARIES.iter().chain(NODE_BINARIES).map(|name| (*name, binaries.path(name))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_binary_is_in_exactly_one_module() {
        let names = |programs: fn(&Module) -> &'static [(&'static str, &'static str)]| {
            MODULES.iter().flat_map(programs).map(|(name, _)| *name).collect::<Vec<_>>()
        };
        assert_eq!(names(|module| module.programs), BINARIES);
        assert_eq!(names(|module| module.node_programs), NODE_BINARIES);
    }

    #[test]
    fn versions_are_read_from_the_modules() {
        for module in MODULES {
            assert_ne!(module.version(), "v0.0.0", "{} does not require {}", module.name, module.version_of);
        }
        let kubernetes = &MODULES[0];
        let staged = kubernetes.version().replacen("v1.", "v0.", 1);
        for line in kubernetes.go_mod.lines().filter(|line| line.contains(" => k8s.io/")) {
            assert!(line.ends_with(&staged), "staging module of another release: {line}");
        }
        assert!(kubernetes.ldflags().contains("-X k8s.io/component-base/version.gitMinor=3"));
    }
}
