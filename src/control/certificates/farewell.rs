//! The last write of a replica about its certificate.

use super::secret::SecretStore;
use std::time::Duration;

/// Time for it.
const FAREWELL: Duration = Duration::from_secs(2);

/// Takes the report of a replica away that serves no more, so that nobody waits for it.
#[derive(Clone, Debug)]
pub struct Farewell {
    pub(super) store: SecretStore,
    pub(super) me: String,
}

impl Farewell {
    /// Does so, unless it takes too long: the report is over some day in any case.
    pub async fn say(self) {
        let said = async {
            while let Ok(Some(version)) = self.store.get().await {
                if !version.stored.ours || version.stored.report(&self.me).is_none() {
                    return;
                }
                let mut data = version.data.clone();
                data.set_report(&self.me, None);
                if let Ok(Some(_)) | Err(_) = self.store.replace(&version, &data).await {
                    return;
                }
            }
        };
        if tokio::time::timeout(FAREWELL, said).await.is_err() {
            tracing::debug!("no time to take the report out of the certificate's Secret");
        }
    }
}
