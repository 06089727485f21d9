//! `sojourn plan` as a person runs it without a cluster; with one it is in the end-to-end tests.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step of a test is a failed test")]

use serde_json::Value;
use std::{
    io::Write as _,
    process::{Command, Stdio},
};

/// Exit code and standard output of `sojourn plan -`, in a clean environment.
fn plan(args: &[&str], input: &str) -> (i32, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sojourn"))
        .args([&["plan", "-"], args].concat())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

const SESSION: &str = "\
apiVersion: amalthea.dev/v1alpha1
kind: AmaltheaSession
metadata: {name: notebook, namespace: team}
spec:
  session: {image: 'jupyter:1', urlPath: /notebook, readinessProbe: {type: none}}
  ingress: {host: sessions.example.org, pathPrefix: /notebook}
  culling: {maxAge: 24h, maxStartingDuration: 5m}
";

#[test]
fn says_what_would_be_made_and_when_what_is_due() {
    let (code, out) = plan(&[], SESSION);
    assert_eq!(code, 0, "{out}");
    for line in [
        "AmaltheaSession team/notebook: as in a cluster that has nothing of it",
        "  + PersistentVolumeClaim notebook\n",
        "  + StatefulSet notebook\n",
        "  + Ingress notebook\n",
        "  status NotReady\n",
        "http://sessions.example.org/notebook",
        "(in 5m): hibernate it: spec.culling.maxStartingDuration (5m)\n",
    ] {
        assert!(out.contains(line), "{line:?} is missing in\n{out}");
    }
}

#[test]
fn programs_get_whole_manifests_without_what_is_in_secrets() {
    let session =
        SESSION.replace("culling:", "authentication: {type: oidc, secretRef: {name: a, key: b}}\n  culling:");
    let (code, out) = plan(&["--output=json"], &session);
    assert_eq!(code, 0, "{out}");
    let plans: Value = serde_json::from_str(&out).unwrap();
    let children = plans[0]["plan"]["children"].as_array().unwrap();
    let of = |kind: &str| children.iter().find(|child| child["kind"] == kind).unwrap();
    assert_eq!(of("StatefulSet")["manifest"]["spec"]["replicas"], 1);
    let secret = &of("Secret")["manifest"];
    let values = ["data", "stringData"].into_iter().filter_map(|field| secret[field].as_object()).flatten();
    let values: Vec<_> = values.map(|(_, value)| value).collect();
    assert!(!values.is_empty() && values.iter().all(|value| **value == "(hidden)"), "{secret}");
    assert_eq!(plans[0]["verdict"], "planned");
    assert_eq!(plans[0]["status"]["state"], "NotReady");
    assert!(plans[0]["next"][0]["why"].as_str().unwrap().contains("maxStartingDuration"), "{plans}");
    // The same as YAML.
    let (code, yaml) = plan(&["--output=yaml"], &session);
    let read: Value = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(
        (code, &read[0]["plan"]["children"][0]["kind"]),
        (0, &plans[0]["plan"]["children"][0]["kind"])
    );
}

#[test]
fn what_would_be_refused_is_not_planned() {
    let (code, out) = plan(&[], &SESSION.replace("24h", "1d"));
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("it would be refused") && out.contains("[duration-invalid]"), "{out}");
    assert!(!out.contains("StatefulSet"), "{out}");
}

#[test]
fn other_kinds_get_an_answer_and_unreadable_input_does_too() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n";
    let (code, out) = plan(&[], pod);
    assert!(code == 2 && out.contains("sojourn plan knows AmaltheaSession"), "{code} {out}");
    let (code, out) = plan(&[], &format!("{pod}---\n{SESSION}"));
    assert!(
        code == 0 && out.contains("Pod default/a") && out.contains("+ StatefulSet notebook"),
        "{code} {out}"
    );
    assert_eq!(plan(&[], "a: [").0, 2);
}

const IDE_SESSION: &str = r#"
apiVersion: usvc-dev.developer.microsoft.com/v1
kind: IdeSession
metadata: {name: web-client}
spec: {launchConfigurations: '[{"type": "project", "project_path": "/src"}]', desiredState: Running}
"#;

#[test]
fn a_session_in_an_ide_has_steps_and_no_children() {
    let (code, out) = plan(&[], IDE_SESSION);
    assert_eq!(code, 0, "{out}");
    for line in [
        "IdeSession web-client: as in a cluster that has nothing of it",
        "note: it is supposed that the IDE of the session is known and connected",
        "  + the IDE is asked to create the session\n",
        "  status Starting\n",
    ] {
        assert!(out.contains(line), "{line:?} is missing in\n{out}");
    }
    let (code, out) = plan(&["--output=json"], &IDE_SESSION.replace("Running", "\"\""));
    let plans: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &plans[0]["status"]["state"]), (0, &Value::from("")), "{out}");
    let steps = plans[0]["plan"]["steps"].as_array().unwrap();
    assert!(steps.len() == 1 && steps[0].as_str().unwrap().contains("finalizers"), "{out}");
    let (code, out) = plan(&[], &IDE_SESSION.replace("Running", "Paused"));
    assert!(code == 1 && out.contains("it would be refused"), "{out}");
}
