//! How commands reach a cluster: as kubectl does, unless told otherwise.

use anyhow::Context as _;
use clap::Args;
use http::{HeaderValue, header::USER_AGENT};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

/// How audit logs and field managers of the API server name us. The library sends no user agent of its own.
const OUR_USER_AGENT: &str = concat!("sojourn/", env!("CARGO_PKG_VERSION"));

/// Which cluster a command looks at.
#[derive(Args, Clone, Debug, Default)]
pub struct Cluster {
    /// Kubeconfig file; else the environment's, else the service account of the pod.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig; else its current one.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

impl Cluster {
    /// A client, and the namespace that the context names.
    pub async fn connect(&self) -> anyhow::Result<(Client, String)> {
        rustls::crypto::ring::default_provider().install_default().ok();
        let config = config(self.kubeconfig.as_deref(), self.context.as_deref()).await?;
        let namespace = config.default_namespace.clone();
        Ok((Client::try_from(config).context("no client for the API server")?, namespace))
    }
}

/// Addresses at which a client finds the API server. Those of loopback are left out: others are there, too.
pub(super) async fn addresses(config: &Config) -> Vec<IpAddr> {
    let host = config.cluster_url.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = config.cluster_url.port_u16().unwrap_or_default();
    match tokio::net::lookup_host((host, port)).await {
        Ok(found) => found.map(|address| address.ip()).filter(|address| !address.is_loopback()).collect(),
        // Then nothing is found there by anybody.
        Err(_) => Vec::new(),
    }
}

/// What a client is made of.
pub(super) async fn config(kubeconfig: Option<&Path>, context: Option<&str>) -> anyhow::Result<Config> {
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let mut config = match (kubeconfig, context) {
        (Some(path), _) => {
            let kubeconfig = Kubeconfig::read_from(path).context("the kubeconfig cannot be read")?;
            Config::from_custom_kubeconfig(kubeconfig, &options)
                .await
                .context("the kubeconfig cannot be used")?
        }
        (None, Some(_)) => {
            Config::from_kubeconfig(&options).await.context("the kubeconfig cannot be used")?
        }
        (None, None) => {
            Config::infer().await.context("no cluster: neither a kubeconfig nor a service account")?
        }
    };
    config.headers.push((USER_AGENT, HeaderValue::from_static(OUR_USER_AGENT)));
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_api_server_is_told_the_version() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let kubeconfig = "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, \
                          user: u}}], clusters: [{name: c, cluster: {server: 'https://192.0.2.7'}}], users: [{name: u, \
                          user: {}}]}";
        std::fs::write(file.path(), kubeconfig).unwrap();
        let config = config(Some(file.path()), None).await.unwrap();
        let agents: Vec<_> = config.headers.iter().filter(|(name, _)| name == USER_AGENT).collect();
        assert_eq!(agents.len(), 1);
        assert_eq!(agents[0].1, concat!("sojourn/", env!("CARGO_PKG_VERSION")));
    }

    #[tokio::test]
    async fn where_the_api_server_is_follows_from_its_url() {
        for (url, expected) in [
            ("https://192.0.2.7:6443", vec!["192.0.2.7"]),
            ("https://[2001:db8::7]", vec!["2001:db8::7"]),
            ("https://127.0.0.1:6443", vec![]),
            ("https://localhost:6443", vec![]),
        ] {
            let found = addresses(&Config::new(url.parse().unwrap())).await;
            assert_eq!(found.iter().map(IpAddr::to_string).collect::<Vec<_>>(), expected, "{url}");
        }
    }
}
