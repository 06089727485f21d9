//! The files that the components of a node read. Pure: paths in, text out.

use std::path::Path;

use serde_json::{Value, json};

use super::{BRIDGE, DNS, NAME, NODE_ADDRESS, POD_RANGE, REGISTRY, RUNTIME_SOCKET};

/// Where everything of the node lies, and what it is told by name.
pub(crate) struct Places<'a> {
    /// The node's part of the cluster's folder.
    pub(crate) dir: &'a Path,
    /// The folder of the network plugins.
    pub(crate) plugins: &'a Path,
    /// The certificates that callers of the kubelet must show.
    pub(crate) authority: &'a Path,
    /// The kubeconfig of kube-proxy.
    pub(crate) proxy_kubeconfig: &'a Path,
    /// The control groups of the node.
    pub(crate) group: &'a str,
}

impl Places<'_> {
    fn at(&self, path: &str) -> String {
        self.dir.join(path).display().to_string()
    }

    /// Of containerd, as TOML: a JSON string is a TOML string.
    pub(crate) fn containerd(&self) -> String {
        format!(
            r#"version = 2
root = {root}
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt"]

[grpc]
address = {socket}

[plugins."io.containerd.grpc.v1.cri"]
# Containers that would be preferred to others when memory is short are more than some machines allow.
restrict_oom_score_adj = true
sandbox_image = {pause}

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = {plugins}
conf_dir = {networks}

[plugins."io.containerd.grpc.v1.cri".registry]
config_path = {registries}

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
BinaryName = {runc}
"#,
            root = json!(self.at("containerd")),
            socket = json!(RUNTIME_SOCKET),
            pause = json!(super::PAUSE_IMAGE),
            plugins = json!(self.plugins),
            networks = json!(self.at("networks")),
            registries = json!(self.at("registries")),
            runc = json!(self.at("runc")),
        )
    }

    /// Asks the local registry in place of every other.
    pub(crate) fn registries() -> String {
        let server = format!("http://{}:{}", REGISTRY.0, REGISTRY.1);
        format!("server = \"{server}\"\n\n[host.\"{server}\"]\ncapabilities = [\"pull\", \"resolve\"]\n")
    }

    /// Stands before runc: the controller manager makes the folders of claims for root alone, and
    /// sessions run as other users.
    pub(crate) const fn runc() -> &'static str {
        "#!/bin/sh\nchmod 0777 /tmp/hostpath_pv/* 2>/dev/null\nexec runc \"$@\"\n"
    }

    /// The pods' network. A bridge; what its addresses cannot reach is nowhere.
    pub(crate) fn network() -> Value {
        json!({
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [
                {
                    "type": "bridge",
                    "bridge": BRIDGE,
                    "isGateway": true,
                    "hairpinMode": true,
                    "ipam": {
                        "type": "host-local",
                        "dataDir": "/run/pod-addresses",
                        "ranges": [[{ "subnet": POD_RANGE, "gateway": NODE_ADDRESS }]],
                        "routes": [{ "dst": "0.0.0.0/0" }],
                    },
                },
                { "type": "portmap", "capabilities": { "portMappings": true } },
            ],
        })
    }

    pub(crate) fn kubelet(&self) -> Value {
        json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": { "enabled": false },
                "webhook": { "enabled": false },
                "x509": { "clientCAFile": self.authority },
            },
            "authorization": { "mode": "AlwaysAllow" },
            "containerRuntimeEndpoint": format!("unix://{RUNTIME_SOCKET}"),
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": format!("/{}", self.group),
            "failCgroupV1": false,
            "failSwapOn": false,
            "oomScoreAdj": 0,
            "clusterDNS": [DNS],
            "clusterDomain": "cluster.local",
            "resolvConf": self.at("resolv.conf"),
            // A full disk is for the machine's owner to see to.
            "evictionHard": {
                "memory.available": "1%", "nodefs.available": "1%", "nodefs.inodesFree": "1%",
                "imagefs.available": "1%",
            },
            "imageGCHighThresholdPercent": 100,
            "serializeImagePulls": false,
            "registryPullQPS": 0,
            "podLogsDir": self.at("pod-logs"),
            "volumePluginDir": self.at("volume-plugins"),
            "healthzPort": 0,
        })
    }

    pub(crate) fn kube_proxy(&self) -> Value {
        json!({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": { "kubeconfig": self.proxy_kubeconfig },
            "mode": "iptables",
            "clusterCIDR": POD_RANGE,
            "hostnameOverride": NAME,
            // Answers of a pod on the same bridge would go past the rules that have to change them back.
            "iptables": { "masqueradeAll": true },
            "oomScoreAdj": 0,
            "metricsBindAddress": "127.0.0.1:10249",
            // The limits of connection tracking are the whole machine's.
            "conntrack": {
                "maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s",
            },
        })
    }
}
