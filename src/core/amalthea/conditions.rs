//! The conditions of a session, and what each says.

/// True while the session can be used, or its batch job is at work.
pub const READY: &str = "Ready";
/// True while there is a way to the session from outside.
pub const ROUTING_READY: &str = "RoutingReady";
/// True when everything that belongs to the session is as its spec says; otherwise says what is in the way.
pub const RECONCILED: &str = "Reconciled";
/// True once the result of a batch job is on record. Until the next run nothing runs again.
pub const FINISHED: &str = "Finished";
