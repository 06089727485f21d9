//! What the timeouts of a session mean for its workload.
//!
//! The invariant that the reconciler keeps, the mutating webhook fills in and the validating webhook
//! guards is in one place: a session's Job lives at least as long as the session may.

use super::{AmaltheaSessionSpec, SessionType};

/// What happens when a batch session reaches `culling.maxAge`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDeadline {
    /// The Job's own deadline ends it: `Failed` with `DeadlineExceeded`.
    #[default]
    Fail,
    /// The session is hibernated; the Job's deadline is only the backstop.
    Hibernate,
}

/// How much longer than the session its Job may live when the operator, not the Job's deadline, ends it.
pub const BACKSTOP_SECONDS: i64 = 60;

/// The least `activeDeadlineSeconds` of the session's Job: `maxAge` in whole seconds, rounded up so that
/// the Job never ends before the session. `None` when the session may live for ever.
pub fn lifetime_seconds(spec: &AmaltheaSessionSpec) -> Option<i64> {
    let max_age = spec.culling.as_ref()?.max_age.as_ref()?.positive()?;
    (spec.session_type == SessionType::NonInteractive).then(|| max_age.seconds_ceil())
}

/// The `activeDeadlineSeconds` that the session's Job is given.
pub fn job_deadline_seconds(spec: &AmaltheaSessionSpec, on_deadline: OnDeadline) -> Option<i64> {
    let lifetime = lifetime_seconds(spec)?;
    Some(match on_deadline {
        OnDeadline::Fail => lifetime,
        OnDeadline::Hibernate => lifetime.saturating_add(BACKSTOP_SECONDS),
    })
}

/// The `ttlSecondsAfterFinished` of the session's Job: `maxHibernatedDuration`, after which the session
/// is deleted too. `None` when a finished session stays. Kubernetes holds it in 32 bits.
pub fn job_ttl_seconds(spec: &AmaltheaSessionSpec) -> Option<i64> {
    let kept = spec.culling.as_ref()?.max_hibernated_duration.as_ref()?.positive()?;
    (spec.session_type == SessionType::NonInteractive).then(|| kept.seconds_ceil().min(i64::from(i32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amalthea::Culling;
    use rstest::rstest;

    fn batch(max_age: Option<&str>, kept: Option<&str>) -> AmaltheaSessionSpec {
        AmaltheaSessionSpec {
            session_type: SessionType::NonInteractive,
            culling: Some(Culling {
                max_age: max_age.map(Into::into),
                max_hibernated_duration: kept.map(Into::into),
                ..Culling::default()
            }),
            ..AmaltheaSessionSpec::default()
        }
    }

    #[rstest]
    #[case(Some("1h30m"), Some(5400))]
    #[case(Some("1h30m0.9s"), Some(5401))]
    #[case(Some("1ms"), Some(1))]
    #[case(Some("0s"), None)]
    #[case(Some("1d"), None)]
    #[case(None, None)]
    fn the_job_outlives_the_session(#[case] max_age: Option<&str>, #[case] least: Option<i64>) {
        let spec = batch(max_age, None);
        assert_eq!(lifetime_seconds(&spec), least);
        assert_eq!(job_deadline_seconds(&spec, OnDeadline::Fail), least);
        assert_eq!(job_deadline_seconds(&spec, OnDeadline::Hibernate), least.map(|s| s + 60));
    }

    #[test]
    fn interactive_sessions_have_no_job() {
        let spec =
            AmaltheaSessionSpec { session_type: SessionType::Interactive, ..batch(Some("1h"), Some("1h")) };
        assert_eq!((lifetime_seconds(&spec), job_ttl_seconds(&spec)), (None, None));
    }

    #[rstest]
    #[case(Some("30s"), Some(30))]
    #[case(Some("0"), None)]
    #[case(Some("2000000h"), Some(2_147_483_647))]
    #[case(None, None)]
    fn a_result_is_kept_as_long_as_its_session(#[case] kept: Option<&str>, #[case] ttl: Option<i64>) {
        assert_eq!(job_ttl_seconds(&batch(None, kept)), ttl);
    }
}
