//! Every way in which the cluster can refuse to work, named after the action that failed.

use std::path::PathBuf;

/// What went wrong, in a sentence a person can act on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A build is needed and there is no Go.
    #[error(
        "Go is needed to build {binaries} but `go` was not found: install Go 1.24 or newer (https://go.dev/dl), or set KUBEBUILDER_ASSETS to a folder that holds them"
    )]
    FindGo {
        /// What should have been built.
        binaries: String,
    },
    /// A Go build ended with an error.
    #[error("building {module} failed, see {}\n{tail}", log.display())]
    Build {
        /// Which Go module.
        module: &'static str,
        /// Its whole output.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// A file operation failed.
    #[error("could not {action} {}", path.display())]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A program could not be started.
    #[error("could not start {program}")]
    Spawn {
        /// Which program.
        program: String,
        /// Why not.
        source: std::io::Error,
    },
    /// This machine cannot have a real node.
    #[error("a real node cannot run here: {why}")]
    PrepareNode {
        /// Why not, and the way out.
        why: String,
    },
    /// A program that helps to make a node ended with an error.
    #[error("{program} failed\n{tail}")]
    RunProgram {
        /// Which program.
        program: String,
        /// What it said.
        tail: String,
    },
    /// The network of a node could not be entered.
    #[error("could not enter the network of the node")]
    EnterNetwork {
        /// Why not.
        source: std::io::Error,
    },
    /// A certificate could not be made.
    #[error("could not issue the certificate of {subject}")]
    IssueCertificate {
        /// For whom.
        subject: &'static str,
        /// Why not.
        source: rcgen::Error,
    },
    /// A text could not be written as YAML or JSON.
    #[error("could not encode {what}")]
    Encode {
        /// Which document.
        what: &'static str,
        /// Why not.
        source: serde_json::Error,
    },
    /// No loopback ports could be had.
    #[error("could not find a free port on 127.0.0.1")]
    FindPort,
    /// A running cluster has this name.
    #[error("a cluster named {name} is already running; `sojourn-cluster down --name {name}` stops it")]
    TakeName {
        /// The name.
        name: String,
    },
    /// The name cannot be a folder name.
    #[error("`{name}` cannot be a cluster name: use lower-case letters, digits and dashes")]
    CheckName {
        /// The name.
        name: String,
    },
    /// A component was named that does not run.
    #[error("no component {name:?} runs in this cluster")]
    FindComponent {
        /// The name that was looked for.
        name: String,
    },
    /// No running cluster has this name.
    #[error("no cluster named {name} is running; `sojourn-cluster list` shows those that are")]
    FindCluster {
        /// The name.
        name: String,
    },
    /// A component ended while the cluster was starting.
    #[error("{component} ended during start, see {}\n{tail}", log.display())]
    RunComponent {
        /// Which one.
        component: &'static str,
        /// Its log.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// The supervisor does not take commands any more.
    #[error("the supervisor of the cluster has ended")]
    AskSupervisor {
        /// Why writing to it failed.
        source: std::io::Error,
    },
    /// Something did not become true in time.
    #[error("waited {seconds} s in vain until {what}")]
    Wait {
        /// What should have become true.
        what: String,
        /// For how long.
        seconds: u64,
    },
    /// A kubeconfig could not be used.
    #[error("could not use the kubeconfig {}", path.display())]
    ReadKubeconfig {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: kube::config::KubeconfigError,
    },
    /// The API server refused or could not be reached.
    #[error("could not {action}")]
    Api {
        /// What was asked for.
        action: String,
        /// Why not.
        source: kube::Error,
    },
    /// The cluster was started without an audit log.
    #[error("this cluster writes no audit log: name the users in Options::audit_users")]
    ReadAudit,
}

impl Error {
    /// For `map_err` on file operations.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    /// For `map_err` on API calls.
    pub(crate) fn api(action: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let action = action.into();
        move |source| Self::Api { action, source }
    }
}
