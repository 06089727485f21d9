//! What holds for any object: rules never panic, an update that changes nothing finds nothing, and mutation is
//! idempotent and touches only what it fills in.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step of a test is a failed test")]

use k8s_openapi::api::authentication::v1::UserInfo;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};
use sojourn_webhooks::case::{CaseFacts, NAMESPACE};
use sojourn_webhooks::table::{
    MUTATE_JOB, TABLE, VALIDATE_IDE_SESSION, VALIDATE_JOB, VALIDATE_NOTEBOOK, row,
};
use sojourn_webhooks::{Code, Object, Offline, Operation, Request, Verdict, evaluate};

/// Any JSON, with keys that the rules look for more often than chance would have it.
fn any_json() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        "[a-z]{0,3}",
        proptest::sample::select(vec![
            "name",
            "image",
            "key",
            "adopt",
            "mountPath",
            "secretRef",
            "kind",
            "uid",
            "host",
            "labels",
            "spec",
        ])
        .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        proptest::sample::select(vec!["1d", "-1h", "30s", "a.b", "/x", "amalthea-volume", "AmaltheaSession"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            btree_map(key.clone(), inner, 0..5).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn session() -> Value {
    json!({"apiVersion": "amalthea.dev/v1alpha1", "kind": "AmaltheaSession",
        "metadata": {"name": "demo", "uid": "u"},
        "spec": {"sessionType": "NonInteractive", "hibernated": false,
            "session": {"image": "i", "storage": {"size": "1Gi", "mountPath": "/w"},
                "extraVolumeMounts": [{"name": "v", "mountPath": "/v"}]},
            "culling": {"maxAge": "1h", "maxHibernatedDuration": "2h"},
            "ingress": {"host": "h.example", "tlsSecret": {"name": "t", "adopt": true}},
            "authentication": {"type": "token", "secretRef": {"name": "a", "key": "k"}},
            "dataSources": [{"secretRef": {"name": "d"}}], "codeRepositories": [{"remote": "r"}],
            "extraContainers": [{"name": "c", "image": "i"}], "extraVolumes": [{"name": "v"}],
            "template": {"metadata": {"labels": {"a": "b"}}}}})
}

fn ide_session() -> Value {
    json!({"apiVersion": "usvc-dev.developer.microsoft.com/v1", "kind": "IdeSession",
        "metadata": {"name": "demo", "annotations": {"sojourn.dev/ide-endpoint-secret": "ides/vscode"}},
        "spec": {"launchConfigurations": "[{\"type\": \"project\"}]", "desiredState": "Running"},
        "status": {"state": "Running"}})
}

fn notebook() -> Value {
    json!({"apiVersion": "sojourn.dev/v1alpha1", "kind": "Notebook",
        "metadata": {"name": "demo"},
        "spec": {"workspaceID": "alpha", "serverName": "gpu", "profile": "small", "port": 8888,
            "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": 2}},
            "env": [{"name": "A", "value": "/{workspace_id}/"}, {"name": "B", "valueFrom": {}}],
            "workspaceVolume": {"claimName": "ws-{workspace_id_short}", "mountPath": "/w"},
            "readyTimeout": "1m", "maxLifetime": "8h",
            "idle": {"ttl": "1h", "source": "Any", "probeInterval": "5m", "probeHeaders": {"X-A": "b"}},
            "networkPolicy": {"mode": "Managed", "from": [{}]},
            "podTemplate": {"metadata": {"labels": {"team": "a"}},
                "spec": {"containers": [{"name": "notebook", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
                    "volumes": [{"name": "v"}], "initContainers": [{"name": "i", "image": "i"}]}}},
        "status": {"phase": "Ready", "startedAt": "2026-01-01T10:00:00Z", "claimName": "ws-alpha",
            "lastActivity": "2026-01-01T11:00:00.000000Z"}})
}

fn job() -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "demo", "labels": {"app.kubernetes.io/name": "AmaltheaSession",
            "app.kubernetes.io/instance": "demo"}, "finalizers": ["sojourn.dev/result"],
            "ownerReferences": [{"apiVersion": "amalthea.dev/v1alpha1", "kind": "AmaltheaSession",
                "name": "demo", "uid": "u", "controller": true}]},
        "spec": {"suspend": true, "activeDeadlineSeconds": 3600, "template": {}}})
}

fn agentic_session() -> Value {
    json!({"apiVersion": "vteam.ambient-code/v1alpha1", "kind": "AgenticSession",
        "metadata": {"name": "demo", "uid": "u", "annotations": {
            "ambient-code.io/desired-phase": "Running", "ambient-code.io/start-requested-at": "t",
            "vteam.ambient-code/parent-session-id": "first"}},
        "spec": {"repos": [{"url": "https://u:p@h.example/a/b.git", "branch": "main"}], "timeout": 300,
            "userContext": {"userId": "alice", "groups": ["g"]}, "inactivityTimeout": 60,
            "llmSettings": {"model": "m", "temperature": 1, "maxTokens": 1},
            "environmentVariables": {"RUNNER_STATE_DIR": ".claude", "A": "b"},
            "mcpServers": {"custom": {"s": {"any": 1}}, "disabled": ["d"]},
            "activeWorkflow": {"gitUrl": "git@h.example:w.git", "path": "p"}},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}})
}

fn project_settings() -> Value {
    json!({"apiVersion": "vteam.ambient-code/v1alpha1", "kind": "ProjectSettings",
        "metadata": {"name": "projectsettings"},
        "spec": {"groupAccess": [{"groupName": "g", "role": "edit"}], "runnerSecretsName": "s",
            "repositories": [{"url": "https://h.example/a", "provider": "github"}]}})
}

/// Where something else may stand in `object`: every path in it.
fn pointers(object: &Value, at: String, all: &mut Vec<String>) {
    all.push(at.clone());
    match object {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            pointers(value, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), all);
        }),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, value)| pointers(value, format!("{at}/{index}"), all));
        }
        _ => {}
    }
}

/// A good object with arbitrary JSON in one place.
fn damaged(good: Value) -> impl Strategy<Value = Value> {
    let mut all = Vec::new();
    pointers(&good, String::new(), &mut all);
    (proptest::sample::select(all), any_json()).prop_map(move |(pointer, value)| {
        let mut object = good.clone();
        *object.pointer_mut(&pointer).unwrap() = value;
        object
    })
}

fn any_object() -> impl Strategy<Value = Value> {
    let good = [session(), ide_session(), job(), agentic_session(), project_settings(), notebook()];
    prop_oneof![any_json(), proptest::sample::select(good.to_vec()).prop_flat_map(damaged)]
}

fn known() -> Offline {
    CaseFacts { sessions: vec![session()], ..CaseFacts::default() }.known(NAMESPACE).unwrap()
}

fn verdict(name: &str, old: Option<&Value>, new: &Value) -> Verdict {
    let user = UserInfo { username: Some("alice".to_owned()), ..UserInfo::default() };
    let operation = if old.is_some() { Operation::Update } else { Operation::Create };
    let request = Request {
        operation,
        subresource: None,
        namespace: NAMESPACE,
        name: "demo",
        user: &user,
        old: old.map(Object::Value),
        new: Some(Object::Value(new)),
        dry_run: false,
    };
    let row = row(name).unwrap();
    evaluate(row, &request, &known())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn rules_never_panic(old in any_object(), new in any_object()) {
        for row in &TABLE {
            verdict(row.name, None, &new);
            verdict(row.name, Some(&old), &new);
        }
    }

    #[test]
    fn an_update_that_changes_nothing_finds_nothing(object in any_object()) {
        // What is no object at all never got in.
        prop_assume!(object.is_object());
        for row in &TABLE {
            let findings = verdict(row.name, Some(&object), &object).findings;
            prop_assert!(findings.is_empty(), "{}: {findings:?}", row.name);
        }
    }

    #[test]
    fn an_update_finds_nothing_new_in_what_it_left_alone(object in damaged(session()), replicas in any::<bool>()) {
        let mut changed = object.clone();
        if let Some(spec) = changed.pointer_mut("/spec").and_then(Value::as_object_mut) {
            spec.insert("hibernated".to_owned(), json!(replicas));
        }
        let known = verdict(TABLE[0].name, None, &object).findings;
        for finding in verdict(TABLE[0].name, Some(&object), &changed).findings {
            // An object that could not be read at all may become readable.
            prop_assert!(known.iter().any(|f| f.code == Code::SchemaInvalid), "{finding:?}");
        }
    }

    #[test]
    fn what_was_stopped_stays_stopped(new in damaged(ide_session())) {
        prop_assume!(new["metadata"].is_object() && new["metadata"]["deletionTimestamp"].is_null());
        let mut old = ide_session();
        old["spec"]["desiredState"] = json!("Stopped");
        let allowed = verdict(VALIDATE_IDE_SESSION, Some(&old), &new).allowed();
        prop_assert!(!allowed || new["spec"]["desiredState"] == "Stopped", "{new}");
    }

    #[test]
    fn a_notebook_can_always_be_stopped(object in damaged(notebook())) {
        let mut changed = object.clone();
        if let Some(spec) = changed.pointer_mut("/spec").and_then(Value::as_object_mut) {
            spec.insert("desiredState".to_owned(), json!("Stopped"));
        }
        let known = verdict(VALIDATE_NOTEBOOK, None, &object).findings;
        for finding in verdict(VALIDATE_NOTEBOOK, Some(&object), &changed).findings {
            // An object that could not be read at all may become readable.
            prop_assert!(known.iter().any(|f| f.code == Code::SchemaInvalid), "{finding:?}");
        }
    }

    #[test]
    fn mutation_is_idempotent_and_touches_nothing_else(object in any_object()) {
        let patch = verdict(MUTATE_JOB, None, &object).patch;
        let mut patched = object.clone();
        json_patch::patch(&mut patched, &patch).unwrap();
        prop_assert!(verdict(MUTATE_JOB, None, &patched).patch.is_empty());
        let mut back = patched.clone();
        for operation in &patch {
            let pointer = operation.path().to_string();
            let field = pointer.strip_prefix("/spec/").expect("only spec is filled in");
            prop_assert!(object["spec"][field].is_null());
            match object["spec"].get(field) {
                Some(null) => back["spec"][field] = null.clone(),
                None => { back["spec"].as_object_mut().unwrap().remove(field); }
            }
        }
        prop_assert_eq!(back, object);
    }

    #[test]
    fn what_was_filled_in_is_not_refused(seconds in proptest::option::of(0i64..10_000), old in 3600i64..10_000) {
        let mut new = job();
        match seconds {
            Some(seconds) => new["spec"]["activeDeadlineSeconds"] = json!(seconds),
            None => { new["spec"].as_object_mut().unwrap().remove("activeDeadlineSeconds"); }
        }
        let mut before = job();
        before["spec"]["activeDeadlineSeconds"] = json!(old);
        let patch = verdict(MUTATE_JOB, Some(&before), &new).patch;
        json_patch::patch(&mut new, &patch).unwrap();
        let allowed = verdict(VALIDATE_JOB, Some(&before), &new).allowed();
        prop_assert_eq!(allowed, seconds.is_none_or(|seconds| seconds >= 3600));
    }
}
