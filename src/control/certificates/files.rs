//! Mode `files`: `tls.crt` and `tls.key` in a directory that another program writes, such as a mounted Secret.
//!
//! A new pair is checked before it is served: key, name and dates. An invalid one is reported, and the last good pair
//! is served meanwhile. The webhook configurations are only read: their bundle is written by the program that issues
//! the files, such as cert-manager.

use super::{
    ActiveCertificate, CertificateServer,
    configurations::Configurations,
    directory::{Directory, POLL},
};
use crate::telemetry::certificates::{Failure, Phase};
use futures::StreamExt;
use kube::Client;
use serde_json::json;
use sha2::{Digest, Sha256};
use sojourn_certs::{Pair, pair::JudgePairError};
use std::{
    io,
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};
use tokio::time::Instant;

/// File names, as those of Secrets of type `kubernetes.io/tls`.
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

/// The retry interval while the own port is not trusted.
const RETRY: Duration = Duration::from_secs(1);

/// The pair of files is not served.
#[derive(Debug, thiserror::Error)]
enum LoadFilesError {
    #[error("{} cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the pair in {} is not served: {source}", directory.display())]
    Judge { directory: PathBuf, source: JudgePairError },
}

/// Serves the certificate in the files.
pub struct Files {
    client: Client,
    configuration: String,
    directory: PathBuf,
    server: CertificateServer,
    configurations: Configurations,
    /// Digest of the files that were read last, valid or not.
    seen: Option<[u8; 32]>,
    active: Option<ActiveCertificate>,
    concern: Option<String>,
}

impl Files {
    /// Does nothing until [`Self::run`]. `configuration` is the name of both webhook configurations.
    pub fn new(client: Client, configuration: String, directory: PathBuf, server: CertificateServer) -> Self {
        Self {
            client,
            configuration,
            directory,
            server,
            configurations: Configurations::default(),
            seen: None,
            active: None,
            concern: None,
        }
    }

    /// Keeps what is served in step with the files. Does not return.
    pub async fn run(mut self) {
        let directory = Directory::new(&self.directory);
        let mut live = pin!(Configurations::watch(&self.client, &self.configuration));
        let mut wake = Instant::now();
        loop {
            tokio::select! {
                () = directory.changed() => directory.quiet().await,
                Some((kind, now)) = live.next() => self.configurations.update(kind, now),
                () = tokio::time::sleep_until(wake) => directory.find(),
            }
            let good = self.reconcile().await;
            wake = Instant::now() + if good { POLL } else { RETRY };
        }
    }

    /// Reads the files. Returns whether an API server would trust what is served.
    async fn reconcile(&mut self) -> bool {
        match self.load().await {
            Ok(()) => {}
            Err(error) => {
                let message = error.to_string();
                if self.concern.as_ref() != Some(&message) {
                    self.server.metrics.failed(Failure::Load);
                    tracing::error!(%error, "the webhooks' certificate; what is served goes on being served");
                    self.concern = Some(message);
                }
            }
        }
        let phase = if self.active.is_some() { Phase::Files } else { Phase::Starting };
        self.server.show("files", phase, self.active.as_ref(), json!({"directory": self.directory}));
        self.server.verify(&self.configurations, self.concern.as_deref()).await
    }

    async fn load(&mut self) -> Result<(), LoadFilesError> {
        let (certificate, key) =
            (read(&self.directory, CERTIFICATE).await?, read(&self.directory, KEY).await?);
        let digest =
            Sha256::new_with_prefix(&certificate).chain_update([0]).chain_update(&key).finalize().into();
        // A pair whose dates were invalid may be valid by now.
        if self.seen == Some(digest) && self.concern.is_none() {
            return Ok(());
        }
        self.seen = Some(digest);
        let pair = Pair::read(&certificate, &key, &self.server.name, self.server.clock.now())
            .map_err(|source| LoadFilesError::Judge { directory: self.directory.clone(), source })?;
        self.concern = None;
        let active = ActiveCertificate { fingerprint: pair.fingerprint(), until: pair.not_after() };
        if self.active.as_ref() != Some(&active) {
            self.server.resolver.set(pair.certified_key());
            self.server.rotated(&active);
            self.active = Some(active);
        }
        Ok(())
    }
}

async fn read(directory: &Path, name: &str) -> Result<Vec<u8>, LoadFilesError> {
    let path = directory.join(name);
    tokio::fs::read(&path).await.map_err(|source| LoadFilesError::Read { path, source })
}
