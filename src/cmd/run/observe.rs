//! What a running operator shows of itself: the debug page, and kinds that are not served.

use crate::{
    control::{certificates::DebugView, context::Context, controller::Controllers, watch::CacheSync},
    serve::ready::Handle,
};

/// What the debug page shows: how much is known, and how much is to be done.
pub(super) fn debug_state(
    controllers: &Controllers,
    context: &Context,
    cache_sync: CacheSync,
    certificate: DebugView,
) -> impl Fn() -> serde_json::Value + use<> {
    let (controllers, leadership) = (controllers.clone(), context.leadership.clone());
    move || {
        serde_json::json!({
            "watches": {"synced": cache_sync.is_synced()},
            "kinds": controllers.debug(),
            "webhookCertificate": certificate.state(),
            "leading": leadership.is_leader(),
        })
    }
}

/// Keeps the warning of `readiness` about kinds that the API server does not serve. Readiness does not depend on it:
/// another replica would see no more, and the webhooks of the other kinds are needed.
pub(super) async fn warn_of_unserved(cache_sync: CacheSync, readiness: Handle) {
    let mut unserved = cache_sync.unserved();
    readiness.ready();
    loop {
        let kinds: Vec<&str> = unserved.borrow_and_update().iter().copied().collect();
        let warning = format!(
            "the API server does not serve {}; objects of it are not seen until its CRD is there again",
            kinds.join(", ")
        );
        readiness.concern((!kinds.is_empty()).then_some(warning.as_str()));
        if unserved.changed().await.is_err() {
            return;
        }
    }
}
