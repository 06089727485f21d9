//! Every case of the corpus gives the verdict that the webhooks give.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use sojourn::cmd::check::examine::verdict;
use sojourn::cmd::check::kinds::{Kind, Kinds, Known};
use sojourn::cmd::check::problem::Problem;
use sojourn_webhooks::case::{Case, CaseConflicts, CaseOnDeadline, NAMESPACE};
use sojourn_webhooks::settings::PodSecurity;
use sojourn_webhooks::table::WebhookType;
use sojourn_webhooks::{Code, table};

use crate::check;

fn cases() -> BTreeMap<String, Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("webhooks/cases");
    let mut cases = BTreeMap::new();
    for folder in std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()) {
        if !folder.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let text = std::fs::read_to_string(&file).unwrap();
            let name = file.strip_prefix(&root).unwrap().display().to_string();
            cases.insert(name, serde_saphyr::from_str(&text).unwrap());
        }
    }
    assert!(cases.len() > 100, "only {} cases found", cases.len());
    cases
}

fn kind_of<'a>(kinds: &'a Kinds, case: &Case) -> &'a Kind {
    let object = case.object.as_ref().or(case.old.as_ref()).unwrap();
    match kinds.find(object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap()) {
        Known::Yes(kind) => kind,
        Known::Misnamed(_) | Known::No => panic!("{} is not known", object["kind"]),
    }
}

/// True when the same was found, whatever the schema adds.
fn has(problems: &[Problem], wanted: &sojourn_webhooks::case::ExpectFinding) -> bool {
    problems.iter().any(|problem| {
        let severity = if problem.denies() { "Deny" } else { "Warn" };
        problem.code == wanted.code && problem.path.as_str() == wanted.path && severity == wanted.severity
    })
}

#[test]
fn every_case_gets_the_verdict_of_the_webhooks() {
    let kinds = Kinds::compiled().unwrap();
    let mut wrong = Vec::new();
    for (name, case) in cases() {
        let row = table::row(&case.webhook).unwrap();
        if row.webhook_type == WebhookType::Mutating {
            continue;
        }
        let problems = verdict(
            &kinds,
            kind_of(&kinds, &case),
            &case.request(&case.user_info()),
            &case.facts.known(NAMESPACE).unwrap(),
        );
        let allowed = !problems.iter().any(Problem::denies);
        // What the schema says in its own way, the webhook's reader need not repeat.
        let said_by_schema = |code: &str| case.schema_refuses && code == Code::SchemaInvalid.id();
        let missing = case
            .expect
            .findings
            .iter()
            .any(|wanted| !has(&problems, wanted) && !said_by_schema(&wanted.code));
        let extra = !case.schema_refuses && problems.len() != case.expect.findings.len();
        if allowed != case.expect.allowed || missing || extra {
            wrong.push(format!("{name}: {problems:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `schemaRefuses` is what a real API server said about the case; schema and CEL offline say the same.
#[test]
fn the_schema_refuses_what_the_api_server_refuses_by_schema_and_nothing_else() {
    let kinds = Kinds::compiled().unwrap();
    let mut wrong = Vec::new();
    let mut refused = 0;
    for (name, case) in cases() {
        let mut object = case.object.clone().unwrap();
        let problems = kinds.judge_shape(kind_of(&kinds, &case), &mut object, case.old.as_ref());
        let denied = problems.iter().any(Problem::denies);
        refused += usize::from(denied);
        if denied != case.schema_refuses {
            wrong.push(format!("{name}: {problems:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused >= 5, "{refused}");
}

/// Whether a case needs nothing but objects. Who asks and what they may, how the operator is set up, and another moment
/// than now cannot be told to the binary; of a session that is not given, neither can its UID.
fn is_plain(name: &str, case: &Case) -> bool {
    let asks = !case.facts.access.is_empty() || case.user.is_some();
    let settings = &case.facts.settings;
    let set = !settings.operator_user.is_empty()
        || settings.enforce_timeout
        || settings.operator_lives_here
        || settings.ingress_conflicts != CaseConflicts::Warn
        || settings.kubernetes_minor.is_some()
        || settings.pod_security != PodSecurity::Original
        || case.facts.held_bytes > 0;
    let timed = case.facts.now.is_some() || name.contains("timeouts-age-");
    let unknown = case.expect.findings.iter().any(|finding| finding.code.starts_with("adoption"));
    !asks && !set && !timed && !unknown && case.webhook != table::MUTATE_JOB
}

/// Cases that need nothing but objects, through the binary: as many as can be told apart in one run, each with its
/// object and its sessions in a file, and in a namespace of its own.
#[test]
fn the_binary_gives_the_same_verdicts() {
    let mut runs: BTreeMap<(bool, usize), Vec<(String, Case)>> = BTreeMap::new();
    for (number, (name, case)) in
        cases().into_iter().enumerate().filter(|(_, (name, case))| is_plain(name, case))
    {
        let hibernate = case.facts.settings.on_deadline == CaseOnDeadline::Hibernate;
        // An old object without namespace is told from others by its name alone.
        let namespaced = table::row(&case.webhook).unwrap().descriptor.is_namespaced();
        let alone = !namespaced && case.old.is_some();
        runs.entry((hibernate, if alone { number } else { 0 })).or_default().push((name, case));
    }
    let run: usize = runs.values().map(Vec::len).sum();
    assert!(run > 400 && runs.len() < 60, "{run} cases in {} runs", runs.len());
    for ((hibernate, _), cases) in runs {
        run_together(&cases, hibernate);
    }
}

fn run_together(cases: &[(String, Case)], hibernate: bool) {
    let folder = tempfile::tempdir().unwrap();
    let (new, old) = (folder.path().join("new"), folder.path().join("old"));
    for path in [&new, &old] {
        std::fs::create_dir(path).unwrap();
    }
    let file = |number: usize| format!("{number:04}.yaml");
    for (number, (_, case)) in cases.iter().enumerate() {
        let placed = |object: &Value| {
            let mut object = object.clone();
            if table::row(&case.webhook).unwrap().descriptor.is_namespaced() && object["metadata"].is_object()
            {
                object["metadata"]["namespace"] = format!("case-{number}").into();
            }
            object.to_string()
        };
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": format!("case-{number}"), "labels": case.facts.namespace_labels}});
        let objects = case.facts.sessions.iter().chain(&case.object).map(placed);
        let objects: Vec<_> = std::iter::once(namespace.to_string()).chain(objects).collect();
        std::fs::write(new.join(file(number)), objects.join("\n---\n")).unwrap();
        if let Some(object) = &case.old {
            std::fs::write(old.join(file(number)), placed(object)).unwrap();
        }
    }
    let mut args = vec!["new", "--output", "json"];
    if cases.iter().any(|(_, case)| case.old.is_some()) {
        args.extend(["--old", "old"]);
    }
    if hibernate {
        args.extend(["--non-interactive-on-deadline", "Hibernate"]);
    }
    let ran = check(folder.path(), &args, b"");
    let denied = cases.iter().any(|(_, case)| !case.expect.allowed);
    assert_eq!(ran.code, i32::from(denied), "{}", ran.err);
    let found: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    for (number, (name, case)) in cases.iter().enumerate() {
        let file = file(number);
        let of_case = |one: &&Value| one["file"].as_str().is_some_and(|path| path.ends_with(&file));
        let found: Vec<_> = found.iter().filter(of_case).collect();
        let allowed = !found.iter().any(|one| one["severity"] == "error");
        assert_eq!(allowed, case.expect.allowed, "{name}: {found:#?}");
        for wanted in case.expect.findings.iter().filter(|_| !case.schema_refuses) {
            let there = found.iter().any(|one| one["code"] == *wanted.code && one["path"] == *wanted.path);
            assert!(there, "{name}: {found:#?}");
        }
    }
}
