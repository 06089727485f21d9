//! The debug page of a running operator.

use crate::control::{certificates::DebugView, context::Context, controller::Controllers, watch::CacheSync};

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
