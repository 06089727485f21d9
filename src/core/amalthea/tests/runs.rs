//! Run IDs: one for each continuous run, the same however often it is worked out.

use super::{cluster::cluster, fixtures::*};
use crate::core::amalthea::run::{Run, began, run};
use rstest::rstest;
use serde_json::json;
use ulid::Ulid;

#[test]
fn the_first_run_follows_from_the_session() {
    let first = run(&session("hello").build(), at(5));
    assert_eq!(first, run(&session("hello").build(), at(500)));
    let Run::Current(id) = first else { panic!("{first:?}") };
    assert_eq!((id.len(), Ulid::from_string(&id).unwrap().to_string()), (26, id.clone()));
    assert_eq!(began(&session("hello").build(), &id), Some(at(0)));
    assert_ne!(run(&session("other").build(), at(5)), Run::Current(id));
}

#[rstest]
#[case::hibernated(session("hello").hibernated().status("runID", json!("x")), Run::None)]
#[case::on_record(session("hello").status("runID", json!("x")), Run::Current("x".into()))]
fn runs(#[case] draft: Draft, #[case] expected: Run) {
    assert_eq!(run(&draft.build(), at(5)), expected);
}

#[rstest]
#[case("hibernatedSince", json!(at(3).to_string()))]
#[case("state", json!("Hibernated"))]
fn a_resumed_session_begins_a_run(#[case] field: &str, #[case] value: serde_json::Value) {
    let draft = session("hello").status(field, value).status("runID", json!(""));
    let Run::Begin(id) = run(&draft.build(), at(500)) else { panic!("no new run") };
    assert_eq!(began(&draft.build(), &id), Some(at(500)));
    assert_ne!(Run::Begin(id), run(&draft.build(), at(501)));
}

/// An ID of another kind says nothing about time.
#[test]
fn a_run_whose_id_is_no_ulid_began_with_the_session() {
    assert_eq!(began(&session("hello").build(), "run-1"), Some(at(0)));
}

/// The ID is written down before anything is done for the run, and nothing else in that pass.
#[test]
fn a_run_is_written_down_first() {
    let mut cluster = cluster(session("hello").ingress()).running(10);
    let first = cluster.status().run_id;
    cluster.edit("hibernated", json!(true)).settle();
    assert_eq!(cluster.status().run_id, None);
    cluster.pass_time(10).edit("hibernated", json!(false));
    cluster.log.clear();
    assert_eq!(cluster.pass(), 1);
    assert!(cluster.log[0].starts_with("status {\"runID\""), "{:?}", cluster.log);
    let second = cluster.status().run_id;
    assert!(second.is_some() && second != first);
    cluster.pass_time(10).settle();
    assert_eq!(cluster.status().run_id, second);
}

/// W10: children that cannot be written do not make new runs.
#[test]
fn a_failing_start_is_one_run() {
    use crate::core::{error::ErrorClass, object::Kind};
    let mut cluster = cluster(session("hello"));
    cluster.refuse = Some((Kind::Service, ErrorClass::Invalid, "no".into()));
    cluster.pass();
    let first = cluster.plan();
    cluster.pass_time(100);
    assert_eq!(cluster.plan(), first);
}
