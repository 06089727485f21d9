//! The conditions of a session, and what each says.

/// True while the session can be used, or its batch job is at work.
pub const READY: &str = "Ready";
/// True while there is a way to the session from outside.
pub const ROUTING_READY: &str = "RoutingReady";
/// True when everything that belongs to the session is as its spec says; otherwise says what is in the way.
pub const RECONCILED: &str = "Reconciled";
/// True once the result of a batch job is on record. Until the next run nothing runs again.
pub const FINISHED: &str = "Finished";
/// True when what ran in the current run of an interactive session was ended, and why. It stays for as long as
/// the run does: the next pod comes at once, and then nothing else would tell.
pub const INTERRUPTED: &str = "Interrupted";
/// True when another session is to be reached at the same address, so that one of both is not.
pub const ROUTE_CONFLICT: &str = "RouteConflict";
