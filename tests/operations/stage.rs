//! A cluster with the chart's objects, whose operators run beside it.

use crate::{replica::Replica, service::Service};
use kube::Client;
use sojourn_cluster::{Cluster, Options, Output, eventually, kubectl};
use std::{path::PathBuf, process::Command};

pub(crate) const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/sojourn");
/// Namespace of the release.
pub(crate) const HOME: &str = "sojourn-system";
/// The operator, as the API server knows it.
pub(crate) const OPERATOR: &str = "system:serviceaccount:sojourn-system:sojourn";

pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
    pub(crate) client: Client,
    pub(crate) service: Service,
    started: std::cell::Cell<usize>,
}

/// Output of a command that must have succeeded.
pub(crate) fn must(output: Output) -> String {
    assert!(output.success(), "{}{}", output.stdout, output.stderr);
    output.stdout
}

impl Stage {
    /// A cluster with the release, and no operator.
    pub(crate) async fn set() -> Self {
        Self::set_from(CHART).await
    }

    /// A cluster with a release of that chart, and no operator.
    pub(crate) async fn set_from(chart: &str) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let audit_users = vec![OPERATOR.into(), "admin".into()];
        let options = Options { audit_users, fast_controllers: true, ..Options::default() };
        let cluster = Cluster::start(options).await.unwrap();
        let client = cluster.client().await.unwrap();
        let stage = Self { cluster, client, service: Service::start().await, started: 0.into() };
        must(stage.helm_with("install", chart, &["--create-namespace"]).await);
        let served = async || stage.kubectl(&["get", "ams", "-A"]).await.success();
        eventually("the CRD is served", served).await.unwrap();
        stage
    }

    /// How the API server reaches the operators.
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.service.port)
    }

    pub(crate) async fn kubectl(&self, args: &[&str]) -> Output {
        kubectl(&self.cluster, args, None).await.unwrap()
    }

    /// Runs helm in the release's namespace.
    pub(crate) async fn helm(&self, args: &[&str]) -> Output {
        let home = self.cluster.dir().join("helm");
        let output = tokio::process::Command::new(self.cluster.binary("helm"))
            .args(args)
            .args(["--namespace", HOME])
            .env("KUBECONFIG", self.cluster.kubeconfig())
            .env("HELM_CACHE_HOME", home.join("cache"))
            .env("HELM_CONFIG_HOME", home.join("config"))
            .env("HELM_DATA_HOME", home.join("data"))
            .output()
            .await
            .unwrap();
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs `helm install` or `helm upgrade` with a chart and the values of this stage.
    async fn helm_with(&self, verb: &str, chart: &str, more: &[&str]) -> Output {
        let url = format!("webhooks.url={}", self.url());
        // Nobody runs what is in a pod here: that of a hook has to end by itself.
        let ends = r"podAnnotations.sojourn\.dev/test-complete-after=0s";
        let values = ["--set", "clusterScoped=true,replicas=0", "--set", &url, "--set-string", ends];
        self.helm(&[&[verb, "sojourn", chart], &values[..], more].concat()).await
    }

    /// Gives the operators of an older release the CRDs and the rights of this version: there is only this version's
    /// binary to stand for the older one.
    pub(crate) async fn make_do_with_this_binary(&self) {
        let pieces = ["--validate", "-s", "templates/crds.yaml", "-s", "templates/rbac.yaml"];
        let objects = must(self.helm_with("template", CHART, &pieces).await);
        let apply = ["apply", "-n", HOME, "--server-side", "--force-conflicts", "-f", "-"];
        must(kubectl(&self.cluster, &apply, Some(&objects)).await.unwrap());
        // As if they had come with the release.
        let home = format!("meta.helm.sh/release-namespace={HOME}");
        for (verb, marks) in [
            ("annotate", &["meta.helm.sh/release-name=sojourn", &home][..]),
            ("label", &["app.kubernetes.io/managed-by=Helm"]),
        ] {
            let own = [&[verb, "-n", HOME, "--overwrite", "-f", "-"], marks].concat();
            must(kubectl(&self.cluster, &own, Some(&objects)).await.unwrap());
        }
    }

    /// Upgrades the release.
    pub(crate) async fn upgrade(&self, chart: &str, more: &[&str]) -> Output {
        self.helm_with("upgrade", chart, more).await
    }

    /// Starts a replica with the release's rights and puts it behind the Service.
    pub(crate) async fn replica(&self, more: &[&str]) -> Replica {
        self.replica_in(&[], more).await
    }

    /// As [`Stage::replica`], with variables in its environment.
    pub(crate) async fn replica_in(&self, variables: &[(&str, String)], more: &[&str]) -> Replica {
        let kubeconfig = self.cluster.service_account_kubeconfig(HOME, "sojourn").await.unwrap();
        let name = format!("sojourn-{}", self.started.replace(self.started.get() + 1));
        let replica = Replica::start(&name, &kubeconfig, &self.url(), self.cluster.dir(), more, variables);
        self.service.endpoints.add(replica.health, replica.webhooks);
        replica
    }

    /// Waits until so many replicas take requests.
    pub(crate) async fn ready(&self, count: usize) {
        let check = async || self.service.endpoints.ready() == count;
        let reached = eventually(&format!("{count} replicas are ready"), check).await;
        reached.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Runs `sojourn` with the administrator's rights: exit code and standard output.
    pub(crate) fn sojourn(&self, args: &[&str]) -> (i32, String) {
        let mut kubeconfig: Vec<PathBuf> = vec!["--kubeconfig".into()];
        kubeconfig.push(self.cluster.kubeconfig().to_owned());
        let output =
            Command::new(env!("CARGO_BIN_EXE_sojourn")).args(args).args(kubeconfig).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), text + &String::from_utf8_lossy(&output.stderr))
    }
}
