//! The command line of every component. Pure: paths and ports in, arguments out.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::addons::PRETENDED;
use crate::assets::Binaries;
use crate::{Options, node, pki, webhook_client};

/// A process of the cluster.
#[derive(Debug)]
pub(crate) struct Component {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
}

/// Free loopback ports, one for each purpose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) etcd: u16,
    pub(crate) etcd_peer: u16,
    pub(crate) api_server: u16,
}

/// Everything that command lines are made from.
pub(crate) struct Plan<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) binaries: &'a Binaries,
    pub(crate) ports: Ports,
    pub(crate) options: &'a Options,
}

pub(crate) const ETCD: &str = "etcd";
pub(crate) const API_SERVER: &str = "kube-apiserver";
pub(crate) const CONTROLLER_MANAGER: &str = "kube-controller-manager";
pub(crate) const SCHEDULER: &str = "kube-scheduler";
pub(crate) const KWOK: &str = "kwok";

impl Plan<'_> {
    fn component(&self, name: &'static str, args: Vec<String>) -> Component {
        Component { name, program: self.binaries.path(name), args }
    }

    fn in_dir(&self, path: &str) -> String {
        self.dir.join(path).display().to_string()
    }

    fn pki(&self, file: &str) -> String {
        pki::dir(self.dir).join(file).display().to_string()
    }

    /// The kubeconfig of a component.
    pub(crate) fn kubeconfig(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.kubeconfig"))
    }

    fn feature_gates(&self) -> Option<String> {
        let gates: Vec<_> =
            self.options.feature_gates.iter().map(|(gate, on)| format!("{gate}={on}")).collect();
        (!gates.is_empty()).then(|| format!("--feature-gates={}", gates.join(",")))
    }

    /// A database that forgets with the cluster, so nothing waits for a disk.
    pub(crate) fn etcd(&self) -> Component {
        let client = format!("http://127.0.0.1:{}", self.ports.etcd);
        let peer = format!("http://127.0.0.1:{}", self.ports.etcd_peer);
        self.component(
            ETCD,
            vec![
                "--unsafe-no-fsync".into(),
                "--log-level=warn".into(),
                format!("--data-dir={}", self.in_dir("etcd")),
                format!("--listen-client-urls={client}"),
                format!("--advertise-client-urls={client}"),
                format!("--listen-peer-urls={peer}"),
                format!("--initial-advertise-peer-urls={peer}"),
                format!("--initial-cluster=default={peer}"),
            ],
        )
    }

    pub(crate) fn api_server(&self) -> Component {
        let mut args = vec![
            format!("--etcd-servers=http://127.0.0.1:{}", self.ports.etcd),
            format!("--secure-port={}", self.ports.api_server),
            format!("--client-ca-file={}", self.pki(pki::CA)),
            format!("--tls-cert-file={}", self.pki(pki::SERVER_CERTIFICATE)),
            format!("--tls-private-key-file={}", self.pki(pki::SERVER_KEY)),
            format!("--service-account-key-file={}", self.pki(pki::TOKEN_PUBLIC_KEY)),
            format!("--service-account-signing-key-file={}", self.pki(pki::TOKEN_KEY)),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            "--authorization-mode=Node,RBAC".into(),
            "--allow-privileged=true".into(),
            // Webhooks that name a Service are called at the pod's address: no kube-proxy is needed.
            "--enable-aggregator-routing=true".into(),
            "--kubelet-preferred-address-types=InternalIP".into(),
            "--profiling=false".into(),
        ];
        if self.options.node {
            args.extend([
                format!("--bind-address={}", std::net::Ipv4Addr::UNSPECIFIED),
                format!("--advertise-address={}", node::NODE_ADDRESS),
                format!("--service-cluster-ip-range={}", node::SERVICE_RANGE),
                format!("--kubelet-client-certificate={}", self.pki(pki::KUBELET_CLIENT_CERTIFICATE)),
                format!("--kubelet-client-key={}", self.pki(pki::KUBELET_CLIENT_KEY)),
            ]);
        } else {
            args.extend([
                "--bind-address=127.0.0.1".into(),
                // A loopback address cannot be an endpoint of the Service `kubernetes`: nobody writes one.
                "--advertise-address=127.0.0.1".into(),
                "--endpoint-reconciler-type=none".into(),
                "--service-cluster-ip-range=10.96.0.0/12".into(),
            ]);
        }
        if !self.options.audit_users.is_empty() {
            args.push(format!("--audit-policy-file={}", self.audit_policy_path().display()));
            args.push(format!("--audit-log-path={}", self.audit_log_path().display()));
        }
        if self.options.webhook_client {
            let path = webhook_client::admission_config_path(self.dir);
            args.push(format!("--admission-control-config-file={}", path.display()));
        }
        args.extend(self.feature_gates());
        args.extend(self.options.api_server_args.iter().cloned());
        self.component(API_SERVER, args)
    }

    pub(crate) fn controller_manager(&self) -> Component {
        let mut args = self.client_of(CONTROLLER_MANAGER);
        args.extend([
            "--leader-elect=false".into(),
            "--secure-port=0".into(),
            // Each controller under its own name, as in an installed cluster: webhooks see those names.
            "--use-service-account-credentials=true".into(),
            format!("--service-account-private-key-file={}", self.pki(pki::TOKEN_KEY)),
            format!("--root-ca-file={}", self.pki(pki::CA)),
            "--enable-hostpath-provisioner=true".into(),
        ]);
        if self.options.fast_controllers {
            args.extend(
                [
                    "kube-api-qps=2000",
                    "kube-api-burst=4000",
                    "concurrent-statefulset-syncs=30",
                    "concurrent-deployment-syncs=30",
                    "concurrent-replicaset-syncs=30",
                    "concurrent-job-syncs=30",
                    "concurrent-gc-syncs=60",
                    "concurrent-namespace-syncs=30",
                    "concurrent-endpoint-syncs=20",
                    "concurrent-service-endpoint-syncs=20",
                ]
                .map(|flag| format!("--{flag}")),
            );
        } else {
            // Its default rate of 20/s, but room for the hundred requests with which the controllers
            // get their service accounts: they would take five seconds of every start.
            args.push("--kube-api-burst=120".into());
        }
        args.extend(self.feature_gates());
        self.component(CONTROLLER_MANAGER, args)
    }

    pub(crate) fn scheduler(&self) -> Component {
        let mut args = self.client_of(SCHEDULER);
        args.extend(["--leader-elect=false".into(), "--secure-port=0".into()]);
        if self.options.fast_controllers {
            args.extend(["--kube-api-qps=2000".into(), "--kube-api-burst=4000".into()]);
        }
        args.extend(self.feature_gates());
        self.component(SCHEDULER, args)
    }

    /// The nodes, and no others that somebody makes. Without leases the node controller would declare them lost
    /// after 50 s.
    pub(crate) fn kwok(&self) -> Component {
        let mut args = self.client_of(KWOK);
        args.extend([
            format!("--config={}", self.stages_path().display()),
            format!("--manage-nodes-with-label-selector={}={}", PRETENDED.0, PRETENDED.1),
            "--node-lease-duration-seconds=40".into(),
            "--cidr=10.244.0.1/16".into(),
            // Pods say where they run. Nothing listens there, so asking for logs fails at once.
            "--node-ip=127.0.0.1".into(),
        ]);
        self.component(KWOK, args)
    }

    fn client_of(&self, name: &str) -> Vec<String> {
        vec![format!("--kubeconfig={}", self.kubeconfig(name).display())]
    }

    pub(crate) fn stages_path(&self) -> PathBuf {
        self.dir.join("stages.yaml")
    }

    pub(crate) fn audit_policy_path(&self) -> PathBuf {
        self.dir.join("audit-policy.json")
    }

    pub(crate) fn audit_log_path(&self) -> PathBuf {
        audit_log_path(self.dir)
    }

    /// Only requests of the chosen users, only who did what: watches when they begin, since they may never end, and other
    /// requests when they are finished.
    pub(crate) fn audit_policy(&self) -> String {
        json!({
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["RequestReceived", "Panic"],
            "rules": [
                {
                    "level": "Metadata",
                    "users": self.options.audit_users,
                    "verbs": ["watch"],
                    "omitStages": ["ResponseComplete"],
                },
                { "level": "Metadata", "users": self.options.audit_users, "omitStages": ["ResponseStarted"] },
                { "level": "None" },
            ],
        })
        .to_string()
    }
}

/// Where the API server of the cluster in `dir` writes its audit log, if it does.
pub(crate) fn audit_log_path(dir: &Path) -> PathBuf {
    dir.join("audit.log")
}
