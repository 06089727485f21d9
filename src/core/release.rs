//! What is done for an object so that nothing of ours holds it when no operator is left.
//!
//! Two rules. A finalizer that keeps a result, or a deletion that is under way, is not taken off before the session has
//! been settled: its result is on record, or what goes with it is gone. And finalizers of others stay.

use crate::core::{
    object::CachedObject,
    workload::{WorkloadKind, job::outcome},
};

/// What to do for an object that finalizers of ours may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing of ours holds it.
    Leave,
    /// Settle its session first, then look again.
    Settle,
    /// Take ours off, so that these are left.
    TakeOff(Vec<String>),
}

/// What there is to do for an object with the finalizers `existing`, of which `ours` are the operator's. `due` says that
/// something depends on our finalizer now, `settled` that this was seen to.
pub fn step(existing: &[String], ours: &[&str], due: bool, settled: bool) -> Step {
    let left: Vec<String> = existing.iter().filter(|name| !ours.contains(&name.as_str())).cloned().collect();
    match (left.len() < existing.len(), due && !settled) {
        (false, _) => Step::Leave,
        (true, true) => Step::Settle,
        (true, false) => Step::TakeOff(left),
    }
}

/// Whether a Job has, or is about to lose, a result that may not be on record.
pub fn is_job_due(job: &CachedObject) -> bool {
    job.deleting || outcome(job).is_some()
}

/// Whether a status that is reported for a session holds a result that is not on record.
pub fn is_unrecorded<K: WorkloadKind>(session: &K, reported: &K::Status) -> bool {
    K::has_result(reported) && !session.recorded().is_some_and(K::has_result)
}

/// What to say when another process leads for longer than was waited.
pub fn leader_in_the_way(lease: &str, holder: Option<&str>) -> String {
    match holder.filter(|holder| !holder.is_empty()) {
        Some(holder) => format!(
            "{holder} holds the Lease {lease}: an operator is running, and would take back what is released. \
             Uninstall it, or scale its Deployment to zero, and run this again"
        ),
        None => format!("the Lease {lease} could not be acquired; nobody holds it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::object::Kind;
    use rstest::rstest;
    use serde_json::{Value, json};

    const OURS: &[&str] = &["amalthea.dev/secrets-finalizer", "sojourn.dev/result"];

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[rstest]
    #[case::none(&[], Step::Leave)]
    #[case::of_others(&["foregroundDeletion", "kueue.x-k8s.io/managed"], Step::Leave)]
    #[case::ours(&["sojourn.dev/result"], Step::TakeOff(vec![]))]
    #[case::ours_among_others(&["a/b", "sojourn.dev/result", "c/d"], Step::TakeOff(names(&["a/b", "c/d"])))]
    #[case::twice(&["sojourn.dev/result", "a/b", "sojourn.dev/result"], Step::TakeOff(names(&["a/b"])))]
    #[case::all_of_ours(&["sojourn.dev/result", "amalthea.dev/secrets-finalizer"], Step::TakeOff(vec![]))]
    #[case::alike(&["sojourn.dev/results", "sojourn.dev/"], Step::Leave)]
    fn only_what_is_ours_is_taken_off(#[case] existing: &[&str], #[case] expected: Step) {
        assert_eq!(step(&names(existing), OURS, false, false), expected);
    }

    #[test]
    fn what_is_due_comes_first_and_once() {
        let held = names(&["sojourn.dev/result"]);
        assert_eq!(step(&held, OURS, true, false), Step::Settle);
        assert_eq!(step(&held, OURS, true, true), Step::TakeOff(vec![]));
        assert_eq!(step(&names(&["a/b"]), OURS, true, false), Step::Leave, "it is not for us to settle");
    }

    #[test]
    fn every_finalizer_of_the_table_is_taken_off() {
        for row in sojourn_crds::finalizers::TABLE {
            for ours in [row.on_sessions, row.on_jobs] {
                let step = step(&names(ours), ours, false, false);
                assert_eq!(step, if ours.is_empty() { Step::Leave } else { Step::TakeOff(vec![]) });
            }
        }
    }

    fn job(deletion: Value, conditions: Value) -> CachedObject {
        let object = json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": "j", "namespace": "n", "uid": "u", "deletionTimestamp": deletion},
            "status": {"conditions": conditions, "active": 1},
        });
        CachedObject::from_dynamic(Kind::Job, serde_json::from_value(object).unwrap()).unwrap()
    }

    #[rstest]
    #[case::at_work(Value::Null, json!([]), false)]
    #[case::suspended(Value::Null, json!([{"type": "Suspended", "status": "True"}]), false)]
    #[case::ended_well(Value::Null, json!([{"type": "Complete", "status": "True"}]), true)]
    #[case::failed(Value::Null, json!([{"type": "Failed", "status": "True"}]), true)]
    #[case::deleted(json!("2026-01-01T00:00:00Z"), json!([]), true)]
    fn a_job_is_due_when_its_result_could_be_lost(
        #[case] deletion: Value,
        #[case] conditions: Value,
        #[case] due: bool,
    ) {
        assert_eq!(is_job_due(&job(deletion, conditions)), due);
    }

    #[test]
    fn who_leads_is_named_with_the_way_out() {
        let said = leader_in_the_way("home/lease", Some("sojourn-7d9f_0a1b"));
        assert!(said.contains("sojourn-7d9f_0a1b") && said.contains("home/lease") && said.contains("scale"));
        for nobody in [None, Some("")] {
            assert!(leader_in_the_way("home/lease", nobody).contains("nobody holds it"));
        }
    }
}
