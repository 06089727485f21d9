//! What the timeouts of a session mean for its workload.
//!
//! `spec.timeout` is 300 seconds for everybody who says nothing, and no version of the original ever ended a session
//! by it. So it ends one only where the operator is told to; otherwise a session may live as long as the operator lets
//! any of them, and its Job at least as long.

use super::AgenticSessionSpec;

/// How long the Job of a session may run, unless the operator is told otherwise: four hours, as the original's.
pub const JOB_DEADLINE_SECONDS: i64 = 14_400;

/// How long the Job of a session is kept after its end, as the original's.
pub const JOB_TTL_SECONDS: i64 = 600;

/// What the operator is told about the lifetime of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long any session may live.
    pub deadline_seconds: i64,
    /// Whether `spec.timeout` ends a session before that.
    pub enforce_timeout: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { deadline_seconds: JOB_DEADLINE_SECONDS, enforce_timeout: false }
    }
}

/// The least `activeDeadlineSeconds` of the session's Job, and the one that it is given.
pub fn job_deadline_seconds(spec: &AgenticSessionSpec, limits: Limits) -> i64 {
    match spec.timeout {
        timeout if limits.enforce_timeout && timeout > 0 => timeout.min(limits.deadline_seconds),
        _ => limits.deadline_seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(300, false, 14_400)]
    #[case(300, true, 300)]
    #[case(20_000, true, 14_400)]
    #[case(20_000, false, 14_400)]
    #[case(0, true, 14_400)]
    #[case(-5, true, 14_400)]
    fn the_job_outlives_the_session(#[case] timeout: i64, #[case] enforce_timeout: bool, #[case] least: i64) {
        let spec = AgenticSessionSpec { timeout, ..AgenticSessionSpec::default() };
        let limits = Limits { enforce_timeout, ..Limits::default() };
        assert_eq!(job_deadline_seconds(&spec, limits), least);
    }
}
