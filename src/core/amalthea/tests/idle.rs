//! Idleness of sessions with a proxy of ours: whichever is newer, CPU use or a request, keeps one alive (W19).

use super::{
    cluster::{Cluster, cluster},
    fixtures::*,
};
use crate::core::amalthea::{Requests, idle::to_be_asked, validate};
use rstest::rstest;
use serde_json::json;
use sojourn_crds::amalthea::State;

/// A session with a proxy that is ready ten seconds after its creation, and idle after ten minutes.
fn proxied() -> Cluster {
    started(session("hello").authentication("token").max_idle("10m"))
}

fn started(draft: Draft) -> Cluster {
    let mut cluster = cluster(draft).running(10);
    cluster.pod()["status"]["podIP"] = json!("192.0.2.7");
    cluster
}

/// Whether the shell would ask the proxy now.
fn asks(cluster: &Cluster) -> bool {
    let observed = cluster.observed();
    let checked = validate(&observed.session, Vec::new()).unwrap();
    to_be_asked(&checked, &observed, &cluster.context()).is_some_and(|address| address == "192.0.2.7")
}

/// The shell asks, and the proxy says when its last request came, or nothing.
fn answer(cluster: &mut Cluster, last: Option<i64>) {
    assert!(asks(cluster));
    cluster.requests = Some(Requests { last: last.map(at), asked: cluster.now });
    assert!(!asks(cluster), "one question is enough");
}

fn will_hibernate(cluster: &Cluster) -> Option<i64> {
    cluster.seen().status.will_hibernate_at.map(|time| time.0.as_second() - CREATED)
}

#[test]
fn a_request_keeps_a_session_alive_that_uses_no_cpu() {
    let mut cluster = proxied();
    cluster.now = at(100);
    cluster.uses_cpu(0).settle();
    assert_eq!((will_hibernate(&cluster), asks(&cluster)), (Some(700), false));
    cluster.now = at(700);
    cluster.uses_cpu(0).settle();
    assert_eq!(cluster.status().state, State::Running, "the proxy was not asked yet");
    answer(&mut cluster, Some(500));
    cluster.settle();
    assert_eq!((cluster.status().state, will_hibernate(&cluster)), (State::Running, Some(1100)));
    cluster.now = at(1100);
    cluster.uses_cpu(0);
    answer(&mut cluster, Some(500));
    cluster.settle();
    assert_eq!(cluster.status().state, State::Hibernated);
}

#[test]
fn a_busy_session_is_not_asked_for() {
    let mut cluster = proxied();
    cluster.now = at(10_000);
    cluster.uses_cpu(1000).settle();
    assert_eq!((will_hibernate(&cluster), asks(&cluster)), (None, false));
}

#[test]
fn without_metrics_the_proxy_decides() {
    let mut cluster = proxied();
    assert_eq!((will_hibernate(&cluster), cluster.seen().requeue_at), (Some(610), Some(at(610))));
    cluster.now = at(610);
    answer(&mut cluster, Some(400));
    cluster.settle();
    assert_eq!((cluster.status().idle, cluster.seen().requeue_at), (false, Some(at(1000))));
    cluster.now = at(1000);
    answer(&mut cluster, Some(400));
    cluster.settle();
    assert_eq!(cluster.status().state, State::Hibernated);
}

#[test]
fn a_silent_proxy_leaves_it_to_the_cpu() {
    let mut cluster = proxied();
    cluster.now = at(100);
    cluster.uses_cpu(0).settle();
    cluster.now = at(700);
    cluster.uses_cpu(0);
    answer(&mut cluster, None);
    cluster.settle();
    assert_eq!(cluster.status().state, State::Hibernated);
}

#[test]
fn a_silent_proxy_without_metrics_is_asked_again_and_nobody_is_hibernated() {
    let mut cluster = proxied();
    cluster.now = at(610);
    for _ in 0..5 {
        answer(&mut cluster, None);
        cluster.settle();
        assert_eq!(cluster.status().state, State::Running);
        let again = cluster.seen().requeue_at.unwrap();
        assert_eq!((again - cluster.now).get_seconds(), 60);
        cluster.now = again;
    }
}

#[test]
fn the_cpu_of_a_remote_sessions_controller_says_nothing() {
    let draft = session("hello").remote().ingress().authentication("token").max_idle("10m");
    let mut cluster = started(draft);
    cluster.pass_time(100).uses_cpu(0).settle();
    assert!(!cluster.status().idle);
    assert_eq!(will_hibernate(&cluster), Some(610));
}

#[rstest]
#[case::told_not_to(session("hello").authentication("token").max_idle("10m"), false)]
#[case::no_proxy(session("hello").max_idle("10m"), true)]
fn nobody_is_asked(#[case] draft: Draft, #[case] may: bool) {
    let mut cluster = started(draft);
    cluster.settings.ask_proxies = may;
    assert_eq!(will_hibernate(&cluster), None);
    cluster.now = at(100);
    cluster.uses_cpu(0).settle();
    cluster.now = at(700);
    assert!(!asks(&cluster));
    cluster.uses_cpu(0).settle();
    assert_eq!(cluster.status().state, State::Hibernated);
}
