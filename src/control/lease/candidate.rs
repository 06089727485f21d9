//! A process that takes part in the election, from its start to the hand-over.

use super::{
    ApiLease, Election, LEASE_NAME, Leadership,
    elector::{CheckTimingError, Timing},
};
use crate::{settings::LeaseSettings, telemetry::metrics::LeaseMetrics};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Who this process is, and whether it leads.
pub struct Candidate {
    /// Its name, which no other process has.
    pub identity: String,
    /// Whether it leads.
    pub leadership: Leadership,
    stop: CancellationToken,
    election: JoinSet<()>,
}

impl Candidate {
    /// Takes part from now on, or leads at once when there is no election. Must be called within a runtime.
    pub fn start(
        settings: &LeaseSettings,
        client: &Client,
        metrics: LeaseMetrics,
    ) -> Result<Self, CheckTimingError> {
        let identity = format!("{}_{:08x}", settings.host, rand::random::<u32>());
        let stop = CancellationToken::new();
        let mut election = JoinSet::new();
        let leadership = if settings.enabled {
            let store = lease(settings, client);
            let (campaign, leadership) = Election::new(store, identity.clone(), Timing::default(), metrics)?;
            election.spawn(campaign.run(stop.clone()));
            leadership
        } else {
            Leadership::always()
        };
        Ok(Self { identity, leadership, stop, election })
    }

    /// Ends the leadership and releases the Lease. To be called when nothing here writes any more.
    pub async fn hand_over(self) {
        self.stop.cancel();
        self.election.join_all().await;
    }
}

/// The Lease of the operator.
pub fn lease(settings: &LeaseSettings, client: &Client) -> ApiLease {
    let api: Api<Lease> = Api::namespaced(client.clone(), &settings.namespace);
    ApiLease::new(api, LEASE_NAME)
}
