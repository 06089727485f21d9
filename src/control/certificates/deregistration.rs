//! The last write of a replica about its certificate.

use super::secret::SecretStore;
use std::time::Duration;

/// How long the removal may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// Removes the report of a replica that serves no more, so that no rotation waits for it.
#[derive(Clone, Debug)]
pub struct Deregistration {
    pub(super) store: SecretStore,
    /// Name of the replica.
    pub(super) replica: String,
}

impl Deregistration {
    /// Removes the report, if there is time. A report that stays expires.
    pub async fn run(self) {
        let removal = async {
            while let Ok(Some(version)) = self.store.get().await {
                if !version.stored.ours || version.stored.report(&self.replica).is_none() {
                    return;
                }
                let mut data = version.data.clone();
                data.set_report(&self.replica, None);
                if let Ok(Some(_)) | Err(_) = self.store.replace(&version, &data).await {
                    return;
                }
            }
        };
        if tokio::time::timeout(DEADLINE, removal).await.is_err() {
            tracing::debug!("no time to take the report out of the certificate's Secret");
        }
    }
}
