//! Nothing restarts a pod whose session holds changes back: no refused write, no quota, no child that somebody deletes.

use super::{
    cluster::{Cluster, cluster},
    fixtures::*,
};
use crate::core::{error::ErrorClass, object::Kind};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use rstest::rstest;
use serde_json::json;

const STEPS: usize = 25;

/// What is made beside the workload, whose deletion ends the pod by itself.
const BESIDE: [Kind; 4] = [Kind::PersistentVolumeClaim, Kind::Secret, Kind::Service, Kind::Ingress];

const CLASSES: [ErrorClass; 6] = [
    ErrorClass::Conflict,
    ErrorClass::Transient,
    ErrorClass::Quota,
    ErrorClass::Forbidden,
    ErrorClass::Foreign,
    ErrorClass::Invalid,
];

fn image(cluster: &Cluster) -> &str {
    cluster.child(Kind::StatefulSet)["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap()
}

fn pod(cluster: &Cluster) -> Option<&str> {
    cluster.pods.values().next().and_then(|pod| pod["metadata"]["uid"].as_str())
}

/// One lever of chance; the name of what it did.
fn pull(cluster: &mut Cluster, chance: &mut StdRng) -> String {
    let number = chance.random_range(0..9);
    match chance.random_range(0..14) {
        0 => cluster.edit("session/image", json!(format!("other:{number}"))),
        1 => cluster.edit("session/env", json!([{"name": "A", "value": number.to_string()}])),
        2 => cluster.edit("session/storage/size", json!(format!("{}Gi", number + 1))),
        3 => cluster.edit("session/storage/className", json!(format!("class-{number}"))),
        4 => cluster.edit("session/port", json!(8000 + number)),
        5 => cluster.edit("template/metadata/labels", json!({"a": number.to_string()})),
        6 => {
            let count = chance.random_range(0..3);
            let source = |index| json!({"mountPath": format!("/d{index}"), "secretRef": {"name": "s"}});
            cluster.edit("dataSources", (0..count).map(source).collect())
        }
        7 | 8 => {
            let kinds = [&BESIDE[..], &[Kind::StatefulSet]].concat();
            let (kind, class) = (*kinds.choose(chance).unwrap(), *CLASSES.choose(chance).unwrap());
            cluster.refuse = Some((kind, class, "exceeded quota: none".into()));
            return format!("refuse {:?}", cluster.refuse);
        }
        9 => {
            cluster.refuse = None;
            return "refuse nothing".into();
        }
        10 | 11 => {
            let keys: Vec<_> =
                cluster.objects.keys().filter(|(kind, _)| BESIDE.contains(kind)).cloned().collect();
            let Some(key) = keys.choose(chance) else { return "nothing to delete".into() };
            cluster.delete_object(key);
            return format!("delete {key:?}");
        }
        12 => {
            if let Some(service) = cluster.objects.get_mut(&(Kind::Service, "hello".to_owned())) {
                let error = json!([{"port": 80, "protocol": "TCP", "error": "no address"}]);
                service["status"] = json!({"loadBalancer": {"ingress": [{"ports": error}]}});
            }
            return "load balancer fails".into();
        }
        _ => {
            cluster.findings = if chance.random_bool(0.5) { vec!["it is wrong".into()] } else { Vec::new() };
            return format!("findings {:?}", cluster.findings);
        }
    };
    format!("edit {}", cluster.session["spec"])
}

/// The session sleeps, with whatever is refused, and runs again.
fn sleep_and_wake(cluster: &mut Cluster) {
    cluster.edit("hibernated", json!(true)).settle();
    cluster.accept_empty_disk();
    cluster.pass_time(10).edit("hibernated", json!(false)).settle();
    if matches!(cluster.refuse, Some((Kind::StatefulSet, ..))) {
        cluster.refuse = None;
        cluster.settle();
    }
    cluster.pod_ready().settle();
}

#[rstest]
fn whatever_goes_wrong_beside_it(
    #[values("never", "whenFailedOrHibernated")] strategy: &str,
    #[values(0, 1, 2, 3)] part: u64,
) {
    for seed in part * 15..(part + 1) * 15 {
        let mut chance = StdRng::seed_from_u64(seed);
        let mut cluster = cluster(session("hello").ingress().strategy(strategy)).running(10);
        let (mut running, mut steps) = (pod(&cluster).map(str::to_owned), Vec::new());
        for _ in 0..STEPS {
            cluster.now += jiff::SignedDuration::from_millis(1);
            if chance.random_bool(0.05) {
                sleep_and_wake(&mut cluster);
                running = pod(&cluster).map(str::to_owned);
                steps.push("sleep and wake".to_owned());
                continue;
            }
            steps.push(pull(&mut cluster, &mut chance));
            if chance.random_bool(0.2) {
                let span = *[20, 700, 90_000].choose(&mut chance).unwrap();
                cluster.pass_time(span);
            }
            cluster.settle();
            assert_eq!(
                pod(&cluster),
                running.as_deref(),
                "seed {seed}, steps {steps:#?}\n{:#?}",
                cluster.log
            );
        }
    }
}

/// A quota for Services, and a Service that is deleted.
#[test]
fn a_held_back_change_waits_although_a_child_cannot_be_written() {
    let mut cluster = cluster(session("hello").strategy("whenFailedOrHibernated")).running(10);
    let before = pod(&cluster).map(str::to_owned);
    cluster.edit("session/image", json!("other")).settle();
    cluster.refuse = Some((Kind::Service, ErrorClass::Quota, "exceeded quota: none".into()));
    cluster.delete_object(&(Kind::Service, "hello".into()));
    cluster.settle();
    cluster.pass_time(60).settle();
    assert_eq!((pod(&cluster), image(&cluster)), (before.as_deref(), "registry.example/notebook:1"));
    cluster.refuse = None;
    cluster.settle();
    assert_eq!((pod(&cluster), image(&cluster)), (before.as_deref(), "registry.example/notebook:1"));

    sleep_and_wake(&mut cluster);
    assert_eq!(image(&cluster), "other");
}

/// What failed to be written while the session slept is written before a pod is made.
#[test]
fn a_change_that_could_not_be_written_in_time_reaches_the_next_pod() {
    let mut cluster = cluster(session("hello").strategy("whenFailedOrHibernated")).running(10);
    cluster.edit("hibernated", json!(true)).settle();
    cluster.refuse = Some((Kind::StatefulSet, ErrorClass::Forbidden, "not now".into()));
    cluster.edit("session/image", json!("other")).pass_time(10).edit("hibernated", json!(false)).settle();
    cluster.pass_time(60).settle();
    cluster.refuse = None;
    cluster.settle();
    assert_eq!(image(&cluster), "other");
    cluster.pod_ready().settle();
    assert_eq!(cluster.status().state, sojourn_crds::amalthea::State::Running);
}

/// What fits the new pod is written although the operator was killed right after the workload.
#[test]
fn the_other_children_follow_the_workload_after_a_pass_that_was_cut_off() {
    let mut cluster = cluster(session("hello").strategy("whenFailedOrHibernated")).running(10);
    cluster.edit("hibernated", json!(true)).settle();
    cluster.edit("session/port", json!(9000)).pass_time(10).edit("hibernated", json!(false));
    cluster.pass();
    cluster.calls_left = Some(1);
    cluster.pass();
    cluster.calls_left = None;
    assert_eq!(cluster.log.last().unwrap(), "apply StatefulSet hello");
    cluster.run_controllers();
    cluster.pod_ready().settle();
    assert_eq!(cluster.child(Kind::Service)["spec"]["ports"][0]["targetPort"], 9000);
    // An error of the Service itself lets nothing through that the pod does not have.
    let error = json!([{"port": 80, "protocol": "TCP", "error": "no address"}]);
    let service = cluster.objects.get_mut(&(Kind::Service, "hello".to_owned())).unwrap();
    service["status"] = json!({"loadBalancer": {"ingress": [{"ports": error}]}});
    cluster.settle();
    cluster.edit("session/port", json!(9001)).settle();
    assert_eq!(cluster.child(Kind::Service)["spec"]["ports"][0]["targetPort"], 9000);
}
