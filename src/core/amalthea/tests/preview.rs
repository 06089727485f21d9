//! A preview says what a pass then does.

use super::{
    cluster::{Cluster, cluster},
    fixtures::*,
};
use crate::core::{
    amalthea::{Preview, deadlines::Decision, deadlines::TimeoutReason, preview, validate},
    object::Kind,
};
use rstest::rstest;
use serde_json::json;
use sojourn_crds::amalthea::State;

fn foresee(cluster: &Cluster) -> Preview {
    let observed = cluster.observed();
    let checked = validate(&observed.session, cluster.findings.clone()).unwrap();
    preview(&checked, &observed, &cluster.context())
}

#[rstest]
#[case::interactive(session("hello").ingress().max_age("2h"))]
#[case::oidc(session("hello").ingress().authentication("oidc"))]
#[case::batch(session("hello").batch().max_age("1h"))]
#[case::hibernated(session("hello").hibernated())]
#[case::adopted(session("hello").spec("imagePullSecrets", json!([{"name": "pull", "adopt": true}])))]
fn what_is_foreseen_comes(#[case] draft: Draft) {
    let mut cluster = cluster(draft);
    let foreseen = foresee(&cluster);
    assert_eq!(foreseen.plan, cluster.plan());
    cluster.pass();
    assert_eq!(foreseen.report.status, cluster.status());
    assert_eq!(foreseen.report.requeue_at, foreseen.scheduled_decisions.first().map(|wake| wake.at));
}

#[test]
fn of_a_session_that_is_as_it_should_be_everything_is_kept() {
    let cluster = cluster(session("hello").ingress()).running(1);
    let foreseen = foresee(&cluster);
    assert!(foreseen.plan.write.is_empty(), "{:?}", foreseen.plan);
    let kinds: Vec<Kind> = foreseen.keep.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds.len(), cluster.objects.len());
    assert_eq!(foreseen.report.status.state, State::Running);
}

#[test]
fn a_resume_is_foreseen_to_its_end() {
    let mut cluster = cluster(session("hello").max_age("1h")).running(1);
    cluster.edit("hibernated", json!(true));
    cluster.settle();
    cluster.pass_time(100).edit("hibernated", json!(false));
    let foreseen = foresee(&cluster);
    let run = foreseen.begin_run.unwrap();
    assert_eq!(foreseen.report.status.run_id.as_ref(), Some(&run));
    assert!(foreseen.plan.write.iter().any(|write| write.target().0 == Kind::StatefulSet));
    let next = &foreseen.scheduled_decisions[0];
    assert!(
        matches!(next.what, Decision::Hibernate(TimeoutReason::Age | TimeoutReason::Starting)),
        "{next:?}"
    );
    cluster.pass();
    assert_eq!(cluster.status().run_id, Some(run));
}
