//! What holds for every session, however odd.

use super::{
    cluster::{Cluster, cluster},
    fixtures::*,
};
use crate::core::{
    amalthea::{Plan, children, validate},
    object::{CachedObject, Kind},
    workload::WorkloadKind as _,
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Map, Value, json};
use sojourn_crds::amalthea::AmaltheaSession;

/// Any session that admission lets through.
fn any_session() -> impl Strategy<Value = Draft> {
    let flags = vec(any::<bool>(), 14);
    let name = "[a-z]([a-z0-9-]{0,30}[a-z0-9])?";
    let strategy = select(vec!["always", "never", "whenFailedOrHibernated"]);
    let authentication = select(vec!["token", "oauth2proxy", "oidc"]);
    let duration = select(vec!["0s", "90s", "10m", "1h30m0.5s", "1d"]);
    let quantity = select(vec!["1", "1500m", "0.5", "1024Mi", "1Gi", "2e3"]);
    (flags, name, strategy, authentication, duration, quantity, 0u8..4).prop_map(
        |(flags, name, strategy, authentication, duration, quantity, count)| {
            let mut draft = session(&name).strategy(strategy);
            let apply: [fn(Draft) -> Draft; 9] = [
                Draft::batch,
                Draft::hibernated,
                Draft::remote,
                Draft::ingress,
                |draft| draft.spec("session/shmSize", json!("1024Mi")),
                |draft| draft.spec("tolerations", json!([{"key": "gpu", "tolerationSeconds": 0}])),
                |draft| draft.spec("template/metadata", json!({"labels": {"a": ""}, "annotations": {"x.k8s.io/y": "1000m"}})),
                |draft| draft.spec("extraVolumes", json!([{"name": "x", "secret": {"secretName": "s", "optional": false}}])),
                |draft| draft.spec("ingress/tlsSecret", json!({"name": "tls", "adopt": true})).spec("ingress/host", json!("h")),
            ];
            for (_, lever) in flags.iter().zip(apply).filter(|(flag, _)| **flag) {
                draft = lever(draft);
            }
            if flags[9] && flags[3] {
                draft = draft.authentication(authentication);
            }
            if flags[10] {
                draft = draft.max_age(duration).max_hibernated("48h");
            }
            if flags[11] {
                draft = draft.spec("session/resources", json!({"requests": {"cpu": quantity, "memory": quantity}}));
            }
            if flags[12] {
                let probe = json!({"httpGet": {"port": 1, "path": ""}, "initialDelaySeconds": 0, "timeoutSeconds": 0});
                let extra = json!([{"name": "x", "image": "x", "args": [], "readinessProbe": probe, "tty": false}]);
                draft = draft.spec("extraContainers", extra.clone());
            }
            let sources: Vec<Value> = (0..count).map(|i| json!({"mountPath": format!("/d{i}"), "secretRef": {"name": "s"}})).collect();
            let repositories: Vec<Value> = (0..count)
                .map(|_| json!({"remote": "r", "cloningConfigSecretRef": {"name": "s", "key": "k"}}))
                .collect();
            draft.spec("dataSources", json!(sources)).spec("codeRepositories", json!(repositories))
        },
    )
}

/// Any JSON.
fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        Just(String::new()),
        "[a-zA-Z0-9:./ -]{0,12}",
        Just("True".into()),
        Just("Failed".into())
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    let keys = select(vec![
        "conditions",
        "type",
        "status",
        "reason",
        "phase",
        "containerStatuses",
        "state",
        "name",
        "waiting",
        "message",
    ]);
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((keys.clone(), inner), 0..5).prop_map(|fields| {
                Value::Object(
                    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>(),
                )
            }),
        ]
    })
}

fn secrets(cluster: &Cluster) -> Vec<String> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let secret = cluster.objects.iter().find(|((kind, _), _)| *kind == Kind::Secret);
    let data = secret.and_then(|(_, secret)| secret["data"].as_object().cloned()).unwrap_or_default();
    data.values()
        .filter_map(Value::as_str)
        .flat_map(|encoded| {
            let text = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
            let cookie = text
                .split("cookie_secret = \"")
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .map(str::to_owned);
            [Some(encoded.to_owned()), Some(text), cookie]
        })
        .flatten()
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// The same question has the same answer, and after it was acted upon there is nothing left to do.
    #[test]
    fn plans_come_to_rest(draft in any_session(), on_deadline in any::<bool>()) {
        let mut cluster = cluster(draft);
        if on_deadline {
            cluster.settings.on_deadline = sojourn_crds::amalthea::OnDeadline::Hibernate;
        }
        prop_assert_eq!(cluster.plan(), cluster.plan());
        cluster.pass();
        cluster.run_controllers();
        let first = cluster.session["status"]["conditions"].clone();
        cluster.pass_time(7);
        let again = cluster.plan();
        prop_assert_eq!(&again.write, &vec![], "{:?}", cluster.log);
        prop_assert_eq!(again, Plan::default());
        cluster.settle();
        let second = cluster.session["status"]["conditions"].clone();
        for (before, after) in first.as_array().unwrap().iter().zip(second.as_array().unwrap()) {
            prop_assert_eq!(&before["type"], &after["type"]);
            if before["status"] == after["status"] {
                prop_assert_eq!(&before["lastTransitionTime"], &after["lastTransitionTime"]);
            }
        }
        let shown = format!("{} {:?} {:?}", cluster.session["status"], cluster.plan(), cluster.observed());
        for secret in secrets(&cluster) {
            prop_assert!(!shown.contains(&secret), "a secret shows");
        }
    }

    /// Names are those of labels in DNS, where they have to be, and no two volumes or mounts clash.
    #[test]
    fn names_are_valid(draft in any_session()) {
        let session = draft.build();
        let cluster = cluster(draft);
        let checked = validate(&session, Vec::new()).unwrap();
        for child in children::desired(&checked, &cluster.context(), Some("run"), None) {
            let name = &child.name;
            let charset = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
            prop_assert!(charset && name.len() <= 63 && !name.starts_with('-') && !name.ends_with('-'), "{}", name);
            let pod = &child.manifest["spec"]["template"]["spec"];
            let lists = ["containers", "initContainers"].map(|key| pod[key].as_array().cloned().unwrap_or_default());
            unique(lists.concat().iter().map(|container| &container["name"]))?;
            unique(pod["volumes"].as_array().into_iter().flatten().map(|volume| &volume["name"]))?;
            for container in lists.concat() {
                unique(container["volumeMounts"].as_array().into_iter().flatten().map(|mount| &mount["mountPath"]))?;
            }
        }
    }

    /// Whatever stands where something else is expected: nothing panics, and the session is still served.
    #[test]
    fn reading_is_lenient(draft in any_session(), pod in any_json(), child in any_json(), culling in option::of(any_json()), kind in select(AmaltheaSession::CHILDREN.to_vec())) {
        let mut cluster = cluster(draft);
        cluster.settle();
        let key = cluster.objects.keys().find(|(found, _)| *found == kind).cloned();
        if let Some(object) = key.and_then(|key| cluster.objects.get_mut(&key)) {
            object["status"] = child;
        }
        if let Some(live) = cluster.pods.values_mut().next() {
            live["status"] = pod;
        }
        let mut session = cluster.session.clone();
        if let Some(culling) = culling {
            put(&mut session, "spec/culling/maxAge", culling);
        }
        if serde_json::from_value::<AmaltheaSession>(session.clone()).is_ok() {
            cluster.session = session;
        }
        cluster.plan();
        cluster.seen();
    }

    /// Sessions are kept as text between reconciles.
    #[test]
    fn a_session_that_is_kept_comes_back_as_it_was(draft in any_session()) {
        let mut cluster = cluster(draft);
        cluster.settle();
        let session = cluster.typed();
        let text = serde_json::to_string(&*session).unwrap();
        let again: AmaltheaSession = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&again.metadata, &session.metadata);
        prop_assert_eq!(&again.spec, &session.spec);
        prop_assert_eq!(&again.status, &session.status);
    }

    /// So is cutting objects.
    #[test]
    fn cutting_is_lenient(body in any_json(), kind in select(vec![Kind::Pod, Kind::Job, Kind::Secret])) {
        let object = json!({"metadata": {"name": "x", "uid": "u"}, "spec": body, "status": body});
        let object = serde_json::from_value(object).unwrap();
        prop_assert!(CachedObject::from_dynamic(kind, object).is_some());
    }
}

fn unique<'a>(names: impl Iterator<Item = &'a Value>) -> Result<(), TestCaseError> {
    let names: Vec<&Value> = names.collect();
    for (index, name) in names.iter().enumerate() {
        prop_assert!(!names[..index].contains(name), "{} twice", name);
    }
    Ok(())
}

#[test]
fn debug_output_shows_no_secret() {
    let cluster = cluster(session("hello").remote());
    let plan = cluster.plan();
    let shown = format!("{plan:?}");
    assert!(shown.contains("create Secret hello---internal"));
    assert!(!shown.contains("WSTUNNEL_SECRET"), "{shown}");
}
