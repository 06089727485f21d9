//! The authorities of the webhooks' clients, from a file that another program writes, such as a mounted ConfigMap.
//!
//! A new file is checked before it counts. An invalid one is reported, and the last good authorities count meanwhile.
//! Before the first good file the webhooks answer nobody, and the replica is not ready.

use super::directory::{Directory, POLL};
use crate::{
    http_server::tls::PortTls,
    serve::ready::Handle,
    telemetry::certificates::{CertificateMetrics, Failure},
};
use sojourn_certs::{ClientAuthorities, clients::ReadClientAuthoritiesError, server::ServerConfigError};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::io::AsyncReadExt as _;

/// Bytes of the file: hundreds of authorities.
const LONGEST: u64 = 1 << 20;

/// The file does not count.
#[derive(Debug, thiserror::Error)]
enum LoadAuthoritiesError {
    #[error("{} cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Parse { path: PathBuf, source: ReadClientAuthoritiesError },
    #[error("the TLS settings of the webhooks: {0}")]
    Tls(#[from] ServerConfigError),
}

/// Keeps the authorities of clients in step with a file.
pub struct ClientAuthoritiesFile {
    path: PathBuf,
    tls: Arc<PortTls>,
    metrics: CertificateMetrics,
    readiness: Handle,
    concern: Option<String>,
}

impl ClientAuthoritiesFile {
    /// Does nothing until [`Self::run`].
    pub fn new(path: PathBuf, tls: Arc<PortTls>, metrics: CertificateMetrics, readiness: Handle) -> Self {
        Self { path, tls, metrics, readiness, concern: None }
    }

    /// Keeps them in step. Does not return.
    pub async fn run(mut self) {
        let directory = Directory::new(self.path.parent().unwrap_or(Path::new("/")));
        loop {
            self.report(self.load().await);
            tokio::select! {
                () = directory.changed() => directory.quiet().await,
                () = tokio::time::sleep(POLL) => directory.find(),
            }
        }
    }

    async fn load(&self) -> Result<(), LoadAuthoritiesError> {
        let path = || self.path.clone();
        let text =
            read(&self.path).await.map_err(|source| LoadAuthoritiesError::Read { path: path(), source })?;
        let authorities = ClientAuthorities::read(&text)
            .map_err(|source| LoadAuthoritiesError::Parse { path: path(), source })?;
        // The same ones are not set again: connections would be verified again.
        if !self.tls.authorities().is_some_and(|known| known.same_as(&authorities)) {
            self.tls.set_authorities(authorities)?;
            tracing::info!(path = %self.path.display(), "clients of the webhooks are authenticated by new authorities");
        }
        Ok(())
    }

    fn report(&mut self, loaded: Result<(), LoadAuthoritiesError>) {
        let concern = loaded.err().map(|error| error.to_string());
        if let Some(concern) = concern.as_deref().filter(|_| concern != self.concern) {
            self.metrics.failed(Failure::Load);
            tracing::error!(%concern, "the authorities of the webhooks' clients; the last good ones go on to count");
        }
        match (&concern, self.tls.authorities()) {
            (Some(concern), None) => {
                self.readiness.not_ready(concern);
            }
            _ => self.readiness.ready(),
        }
        self.readiness.concern(concern.as_deref());
        self.concern = concern;
    }
}

async fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    tokio::fs::File::open(path).await?.take(LONGEST).read_to_end(&mut text).await?;
    Ok(text)
}
