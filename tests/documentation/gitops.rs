//! The health checks of `docs/gitops.md`, taken from the page and evaluated on statuses in every state.

use cel::{Context, Program, Value as CelValue};
use piccolo::{Closure, Executor, FromValue, IntoValue, Lua, Table, Value as LuaValue};
use serde_json::{Value, json};
use sojourn_crds::{
    amalthea::{self, AmaltheaSessionStatus},
    ide_session::{self, IdeSessionStatus},
};

const PAGE: &str = include_str!("../../docs/gitops.md");
const AMALTHEA_CRD: &str = include_str!("../../crds/yaml/amalthea.dev_amaltheasessions.yaml");
const IDE_CRD: &str = include_str!("../../crds/yaml/usvc-dev.developer.microsoft.com_idesessions.yaml");

/// The manifest of the page with that kind and name.
fn manifest(kind: &str, name: &str) -> Value {
    let blocks = PAGE.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut manifests = blocks.map(|block| serde_saphyr::from_str::<Value>(block).unwrap());
    manifests.find(|it| it["kind"] == kind && it["metadata"]["name"] == name).unwrap()
}

/// What Flux finds, in the words of kstatus. `None`: an expression cannot be evaluated, and Flux waits.
fn flux(object: &Value) -> Option<&'static str> {
    let checks = manifest("Kustomization", "sessions");
    let checks = checks["spec"]["healthCheckExprs"].as_array().unwrap();
    let same =
        |check: &&Value| check["apiVersion"] == object["apiVersion"] && check["kind"] == object["kind"];
    let check = checks.iter().find(same).unwrap();
    // The order and the comparison are those of Flux (RFC 0009).
    let observed = &object["status"]["observedGeneration"];
    if !observed.is_null() && *observed != object["metadata"]["generation"] {
        return Some("InProgress");
    }
    for (field, found) in [("inProgress", "InProgress"), ("failed", "Failed"), ("current", "Current")] {
        let program = Program::compile(check[field].as_str().unwrap()).unwrap();
        let mut context = Context::default();
        for (name, value) in object.as_object().unwrap() {
            context.add_variable(name.as_str(), value).unwrap();
        }
        match program.execute(&context) {
            Ok(CelValue::Bool(true)) => return Some(found),
            Ok(CelValue::Bool(false)) => {}
            Ok(other) => panic!("{field} is no boolean: {other:?}"),
            Err(_) => return None,
        }
    }
    Some("InProgress")
}

/// JSON as Lua has it: `null` is a field that is not there.
fn to_lua<'gc>(ctx: piccolo::Context<'gc>, value: &Value) -> LuaValue<'gc> {
    match value {
        Value::Null => LuaValue::Nil,
        Value::Bool(value) => LuaValue::Boolean(*value),
        Value::Number(number) => LuaValue::Integer(number.as_i64().unwrap()),
        Value::String(text) => text.clone().into_value(ctx),
        Value::Array(items) => {
            let table = Table::new(&ctx);
            for (at, item) in (1_i64..).zip(items) {
                table.set(ctx, at, to_lua(ctx, item)).unwrap();
            }
            table.into_value(ctx)
        }
        Value::Object(fields) => {
            let table = Table::new(&ctx);
            for (name, item) in fields {
                table.set(ctx, name.clone(), to_lua(ctx, item)).unwrap();
            }
            table.into_value(ctx)
        }
    }
}

/// What the check of Argo CD answers: a state and a message.
fn argo(object: &Value) -> (String, String) {
    let (group, _) = object["apiVersion"].as_str().unwrap().split_once('/').unwrap();
    let key = format!("resource.customizations.health.{group}_{}", object["kind"].as_str().unwrap());
    let checks = manifest("ConfigMap", "argocd-cm");
    let script = checks["data"][&key].as_str().unwrap();
    // The Lua of Argo CD is 5.1; the one here knows more.
    let newer = ["//", "goto ", "&", "|", "<<", ">>", "<const>"];
    assert!(!newer.iter().any(|it| script.contains(it)), "{key}");

    let mut lua = Lua::core();
    let executor = lua.try_enter(|ctx| {
        ctx.set_global("obj", to_lua(ctx, object))?;
        let script = Closure::load(ctx, Some(key.as_str()), script.as_bytes())?;
        Ok(ctx.stash(Executor::start(ctx, script.into(), ())))
    });
    let executor = executor.unwrap();
    lua.finish(&executor);
    let answer = lua.try_enter(|ctx| {
        let health = ctx.fetch(&executor).take_result::<Table<'_>>(ctx)??;
        let text = |name: &'static str| String::from_value(ctx, health.get(ctx, name));
        Ok((text("status")?, text("message")?))
    });
    answer.unwrap()
}

fn session(status: &AmaltheaSessionStatus) -> Value {
    json!({
        "apiVersion": amalthea::API_VERSION,
        "kind": amalthea::KIND,
        "metadata": {"name": "a", "namespace": "b", "generation": 3},
        "spec": {"hibernated": status.state == amalthea::State::Hibernated},
        "status": status,
    })
}

fn ide_session(status: &IdeSessionStatus, desired: Option<&str>) -> Value {
    let mut spec = json!({"launchConfigurations": "[]"});
    if let Some(desired) = desired {
        spec["desiredState"] = desired.into();
    }
    json!({
        "apiVersion": ide_session::API_VERSION,
        "kind": ide_session::KIND,
        "metadata": {"name": "a", "generation": 3},
        "spec": spec,
        "status": status,
    })
}

fn condition(kind: &str, status: &str, message: &str) -> amalthea::Condition {
    amalthea::Condition {
        kind: kind.into(),
        status: status.into(),
        last_transition_time: None,
        reason: Some("InvalidSpec".into()),
        message: Some(message.into()),
        observed_generation: Some(3),
    }
}

fn ready(status: &str) -> amalthea::Condition {
    condition("Ready", status, "no matter")
}

fn stalled() -> amalthea::Condition {
    condition("Stalled", "True", "no image")
}

#[test]
fn every_state_of_an_amalthea_session_is_known() {
    use amalthea::State;
    for state in State::ALL {
        let (in_flux, in_argo) = match state {
            State::Running | State::RunningDegraded | State::Succeeded => ("Current", "Healthy"),
            State::Hibernated => ("Current", "Suspended"),
            State::NotReady => ("InProgress", "Progressing"),
            State::Failed => ("InProgress", "Degraded"),
        };
        // Also without the new field and without conditions.
        for observed_generation in [Some(3), None] {
            for conditions in [vec![], vec![ready("False")], vec![ready("True")]] {
                let status = AmaltheaSessionStatus {
                    state,
                    conditions,
                    observed_generation,
                    ..AmaltheaSessionStatus::default()
                };
                let object = session(&status);
                assert_eq!(flux(&object), Some(in_flux), "{state:?}");
                assert_eq!(argo(&object), (in_argo.into(), state.as_str().into()));
            }
        }
    }
}

#[test]
fn a_session_that_failed_for_good_is_reported_with_its_reason() {
    let status = AmaltheaSessionStatus {
        state: amalthea::State::Failed,
        error: Some("short".into()),
        conditions: vec![ready("False"), stalled()],
        observed_generation: Some(3),
        ..AmaltheaSessionStatus::default()
    };
    assert_eq!(flux(&session(&status)), Some("Failed"));
    assert_eq!(argo(&session(&status)), ("Degraded".into(), "no image".into()));

    let over =
        AmaltheaSessionStatus { conditions: vec![condition("Stalled", "False", "it recovers")], ..status };
    assert_eq!(flux(&session(&over)), Some("InProgress"));
    assert_eq!(argo(&session(&over)), ("Degraded".into(), "short".into()));
}

#[test]
fn every_state_of_an_ide_session_is_known() {
    use ide_session::State;
    for state in State::ALL {
        for desired in [None, Some(""), Some("Running"), Some("Stopped")] {
            let (in_flux, in_argo) = match state {
                State::Initial if desired == Some("Running") => ("InProgress", "Progressing"),
                State::Initial => ("Current", "Suspended"),
                State::Starting | State::Stopping => ("InProgress", "Progressing"),
                State::Running | State::Stopped => ("Current", "Healthy"),
                State::Failed => ("Failed", "Degraded"),
            };
            let failed = state == State::Failed;
            let status = IdeSessionStatus {
                state,
                message: failed.then(|| "no such project".into()),
                observed_generation: Some(3),
                // As the operator reports it: a session that has ended is never Ready again.
                conditions: match state {
                    State::Running => vec![ready("True")],
                    State::Failed => vec![ready("False"), stalled()],
                    _ => vec![ready("False")],
                },
                ..IdeSessionStatus::default()
            };
            let object = ide_session(&status, desired);
            assert_eq!(flux(&object), Some(in_flux), "{state:?}, {desired:?}");
            let (health, message) = argo(&object);
            assert_eq!(health, in_argo, "{state:?}, {desired:?}");
            assert!(!message.is_empty());
            assert_eq!(message == "no such project", failed);
        }
    }
}

#[test]
fn changes_that_were_not_seen_and_deletions_are_waited_for() {
    let amalthea = session(&AmaltheaSessionStatus {
        state: amalthea::State::Hibernated,
        observed_generation: Some(3),
        conditions: vec![stalled()],
        ..AmaltheaSessionStatus::default()
    });
    let status = IdeSessionStatus {
        state: ide_session::State::Stopped,
        observed_generation: Some(3),
        conditions: vec![stalled()],
        ..IdeSessionStatus::default()
    };
    for object in [amalthea, ide_session(&status, Some("Stopped"))] {
        let mut stale = object.clone();
        stale["metadata"]["generation"] = 4.into();
        let mut deleted = object.clone();
        deleted["metadata"]["deletionTimestamp"] = "2026-11-21T15:00:00Z".into();
        let mut new = object.clone();
        new["status"] = json!({});
        let mut asked_to_run = object.clone();
        asked_to_run["spec"]["desiredState"] = "Running".into();
        asked_to_run["status"] = json!({"state": ""});
        for object in [&stale, &deleted, &new, &asked_to_run] {
            assert_eq!(flux(object), Some("InProgress"), "{object}");
            assert_eq!(argo(object).0, "Progressing", "{object}");
        }
        // The schema has a default for the status, so an API server never shows an object without.
        new.as_object_mut().unwrap().remove("status");
        assert_eq!(flux(&new), None);
        assert_eq!(argo(&new).0, "Progressing");
    }
}

#[test]
fn fields_that_are_left_out_of_the_diff_are_in_the_schemas() {
    let application = manifest("Application", "sessions");
    let crds = [AMALTHEA_CRD, IDE_CRD].map(|text| serde_saphyr::from_str::<Value>(text).unwrap());
    let mut fields = 0;
    for ignored in application["spec"]["ignoreDifferences"].as_array().unwrap() {
        let crd = crds.iter().find(|crd| crd["spec"]["names"]["kind"] == ignored["kind"]).unwrap();
        assert_eq!(crd["spec"]["group"], ignored["group"]);
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        for pointer in ignored["jsonPointers"].as_array().unwrap() {
            let path = pointer.as_str().unwrap().replace('/', "/properties/");
            assert!(schema.pointer(&path).is_some(), "{pointer}");
            fields += 1;
        }
    }
    assert_eq!(fields, 3);

    let application = manifest("Application", "sojourn");
    let ignored = application["spec"]["ignoreDifferences"].as_array().unwrap();
    let kinds: Vec<&str> = ignored.iter().map(|it| it["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"]);
    let chart = include_str!("../../charts/sojourn/templates/webhooks.yaml");
    assert!(kinds.iter().all(|kind| chart.contains(&format!("kind: {kind}"))));
    let values = include_str!("../../charts/sojourn/values.yaml");
    assert!(values.contains("\n  removeFirst: true\n"), "the page advises to set it to false");
}
