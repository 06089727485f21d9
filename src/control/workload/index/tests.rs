use super::*;
use crate::core::object::PackedObject;
use entry::pod_owners;
use serde_json::{Value, json};
use sojourn_crds::amalthea::{AmaltheaSession, names};

fn live(kind: Kind, name: &str, uid: &str, owner: &str) -> CachedObject {
    let object = json!({
        "apiVersion": kind.api_version(), "kind": kind.name(),
        "metadata": {
            "name": name, "namespace": "team", "uid": uid,
            "labels": {names::LABEL_INSTANCE: "hello"},
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Any", "name": "any", "uid": owner, "controller": true},
            ],
        },
    });
    CachedObject::from_dynamic(kind, serde_json::from_value(object).unwrap()).unwrap()
}

fn index() -> (Index<AmaltheaSession>, Key) {
    let session: Value = json!({"metadata": {"name": "hello", "namespace": "team", "uid": "session"}});
    let mut index = Index::default();
    let key = index.apply_session(serde_json::from_value(session).unwrap()).unwrap();
    index.apply_object(live(Kind::StatefulSet, "hello", "set", "session"));
    (index, key)
}

fn unmounted(at: i64) -> Warning {
    let at = jiff::Timestamp::from_second(at).unwrap();
    let (reason, message) = ("FailedMount".to_owned(), "no volume".to_owned());
    Warning { kind: Kind::Pod, name: "hello-0".into(), reason, message, at }
}

/// W12: the original looks for events by the name of the pod, which the next pod has too.
#[test]
fn what_was_said_of_an_earlier_pod_says_nothing_of_the_next() {
    let (mut index, key) = index();
    index.apply_object(live(Kind::Pod, "hello-0", "first", "set"));
    assert_eq!(index.apply_warning("first", unmounted(1)), Some(key.clone()));
    assert_eq!(index.observe(&key).unwrap().warnings, [unmounted(1)]);

    index.remove_object(live(Kind::Pod, "hello-0", "first", "set"));
    index.apply_object(live(Kind::Pod, "hello-0", "second", "set"));
    assert_eq!(index.apply_warning("first", unmounted(2)), None, "it comes late");
    assert_eq!(index.observe(&key).unwrap().warnings, []);
    index.apply_warning("second", unmounted(3));
    assert_eq!(index.observe(&key).unwrap().warnings, [unmounted(3)]);
}

/// Anybody who may write Events could fill the memory otherwise.
#[test]
fn nothing_is_kept_of_objects_that_no_session_has() {
    let (mut index, _) = index();
    for number in 0..100 {
        assert_eq!(index.apply_warning(&format!("stranger-{number}"), unmounted(1)), None);
    }
    assert!(index.warnings.is_empty());
}

#[test]
fn what_a_new_list_lacks_is_forgotten_with_its_warnings() {
    let (mut index, _) = index();
    for number in 0..50 {
        // Each pod replaces the one before it, of which the watch says nothing more.
        let uid = format!("pod-{number}");
        index.apply_object(live(Kind::Pod, "hello-0", &uid, "set"));
        index.apply_warning(&uid, unmounted(1));
    }
    assert_eq!((index.owners.len(), index.warnings.len()), (2, 1), "the set, and the last pod");
    index.retain(Some(Kind::Pod), None, &HashSet::new());
    assert_eq!((index.owners.len(), index.warnings.len()), (1, 0));
}

#[test]
fn sessions_that_shared_the_route_of_a_lost_one_are_looked_at() {
    let mut index = Index::<AmaltheaSession>::default();
    let mut add = |name: &str| {
        let session = json!({
            "metadata": {"name": name, "namespace": "team", "uid": name},
            "spec": {"session": {"image": "debian"}, "ingress": {"host": "example.org", "pathPrefix": "/a"}},
        });
        index.apply_session(serde_json::from_value(session).unwrap()).unwrap()
    };
    let (lost, stays) = (add("lost"), add("stays"));
    assert_eq!(index.sharers(&stays), std::slice::from_ref(&lost));
    let changed = index.retain(None, None, &["stays".to_owned()].into());
    assert!(changed.contains(&lost) && changed.contains(&stays), "{changed:?}");
    assert_eq!(index.sharers(&stays), []);
    assert_eq!(index.observe(&stays).unwrap().same_route, []);
}

/// The next pod is mostly there before a look is taken.
#[test]
fn the_last_pod_that_failed_is_known_until_another_one_is_gone() {
    let (mut index, key) = index();
    let pod = |uid: &str, status: Value| {
        let set = json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "hello", "uid": "set",
            "controller": true}]);
        let metadata = json!({"name": "hello-0", "namespace": "team", "uid": uid, "ownerReferences": set,
            "labels": {names::LABEL_INSTANCE: "hello"}});
        let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status});
        CachedObject::from_dynamic(Kind::Pod, serde_json::from_value(object).unwrap()).unwrap()
    };
    let evicted = json!({"phase": "Failed", "reason": "Evicted"});
    let gone = |index: &Index<AmaltheaSession>| index.observe(&key).unwrap().gone.map(|pod| pod.uid.clone());
    index.apply_object(pod("first", json!({"phase": "Running"})));
    index.remove_object(pod("first", evicted.clone()));
    index.apply_object(pod("second", json!({"phase": "Running"})));
    assert_eq!(gone(&index).as_deref(), Some("first"));
    index.remove_object(pod("second", json!({"phase": "Running"})));
    assert_eq!(gone(&index), None);

    index.remove_object(pod("third", evicted));
    assert_eq!(gone(&index).as_deref(), Some("third"));
    index.remove_object(live(Kind::StatefulSet, "hello", "set", "session"));
    assert_eq!(gone(&index), None, "of another workload");
}

#[test]
fn pods_of_deployments_and_of_the_session_itself_count_where_the_kind_has_such() {
    let children: Vec<PackedObject> = [
        live(Kind::Deployment, "hello", "deployment", "session"),
        live(Kind::ReplicaSet, "hello-1", "set", "deployment"),
        live(Kind::ReplicaSet, "other-1", "theirs", "another"),
    ]
    .into_iter()
    .map(PackedObject::new)
    .collect();
    let owners = |workloads: &[Kind]| pod_owners(&children, workloads, Uid::new("session"));
    let uids = |uids: &[&str]| uids.iter().map(|uid| Uid::new(uid)).collect::<HashSet<_>>();
    assert_eq!(owners(&[Kind::Deployment]), uids(&["deployment", "set"]));
    assert_eq!(owners(&[Kind::Job, Kind::Pod]), uids(&["session"]));
    assert_eq!(owners(&[Kind::StatefulSet]), uids(&[]));
}

/// W4: pods count by the UID of the workload that made them.
#[test]
fn pods_of_somebody_elses_workload_are_not_the_sessions() {
    let (mut index, key) = index();
    index.apply_object(live(Kind::Pod, "hello-0", "theirs", "another"));
    assert!(index.observe(&key).unwrap().pods.is_empty());
    index.apply_object(live(Kind::Job, "hello", "job", "another"));
    index.apply_object(live(Kind::Pod, "hello-x", "jobs", "job"));
    assert!(index.observe(&key).unwrap().pods.is_empty());
    index.apply_object(live(Kind::Pod, "hello-0", "ours", "set"));
    assert_eq!(index.observe(&key).unwrap().pod().unwrap().uid, "ours");
}
