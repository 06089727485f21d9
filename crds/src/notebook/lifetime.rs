//! What the timeouts of a notebook mean for a Job that belongs to it.

use super::NotebookSpec;

/// The least `activeDeadlineSeconds` of a Job that belongs to the notebook: `maxLifetime` in whole seconds, rounded up
/// so that the Job never ends before the notebook does. `None` when the notebook may live for ever.
pub fn job_deadline_seconds(spec: &NotebookSpec) -> Option<i64> {
    Some(spec.max_lifetime.as_ref()?.positive()?.seconds_ceil())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Some("12h"), Some(43_200))]
    #[case(Some("1500ms"), Some(2))]
    #[case(Some("0s"), None)]
    #[case(Some("1d"), None)]
    #[case(None, None)]
    fn a_job_lives_as_long_as_its_notebook_may(
        #[case] max_lifetime: Option<&str>,
        #[case] least: Option<i64>,
    ) {
        let spec = NotebookSpec { max_lifetime: max_lifetime.map(Into::into), ..NotebookSpec::default() };
        assert_eq!(job_deadline_seconds(&spec), least);
    }
}
