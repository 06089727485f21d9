//! The cluster's verdict on a set of objects, without a cluster: schema, rules in CEL, our rules, with the objects of
//! the set itself as what is known. Pure: the clock comes in, nothing is read or written.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::UserInfo;
use serde_json::Value;
use sojourn_webhooks::{Access, AdmissionSettings, Facts, Object, Offline, Operation, Request, evaluate};

use super::document::{Document, Place};
use super::kinds::{Kind, Kinds, Known};
use super::problem::{DUPLICATE_KEY, Problem, SCHEMA_INVALID, SCHEMA_RULE, seen};
use sojourn_webhooks::{FieldPath, Severity};

/// The namespace of objects that name none.
const DEFAULT_NAMESPACE: &str = "default";

/// Problems of one object that are told. Each is compared with others, so an object of many megabytes that is nothing but
/// problems would take hours.
const MOST_PROBLEMS: usize = 1000;

/// One input: a file, or standard input.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its name.
    pub file: String,
    /// Its objects.
    pub documents: Vec<Document>,
}

/// A problem, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Name of the input.
    pub file: String,
    /// Number of the document in it, from one.
    pub document: usize,
    /// Where in the input.
    pub place: Place,
    /// Kind of the object.
    pub kind: String,
    /// Namespace that the object names; may be empty.
    pub namespace: String,
    /// Name of the object, or what its name is to start with.
    pub name: String,
    /// The problem.
    pub problem: Problem,
}

/// What came out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examination {
    /// All problems, in the order of the objects.
    pub problems: Vec<Located>,
    /// How many objects were checked.
    pub checked: usize,
    /// How many of them the cluster would refuse.
    pub denied: usize,
    /// How many objects are none of our kinds.
    pub skipped: usize,
}

impl Examination {
    /// How many of the problems are only told.
    pub fn warnings(&self) -> usize {
        self.problems.iter().filter(|located| !located.problem.denies()).count()
    }
}

/// What is known offline: the sessions of the input. Whether somebody may do something is the cluster's to say, so
/// nothing is refused for it.
fn known(inputs: &[&[Input]], settings: AdmissionSettings, now: Timestamp) -> Offline {
    let mut facts = Offline::new(now, settings);
    facts.set_default_access(Access::Allowed);
    for document in inputs.iter().copied().flatten().flat_map(|input| &input.documents) {
        facts.know(namespace(&document.object), &document.object);
    }
    facts
}

fn namespace(object: &Value) -> &str {
    object["metadata"]["namespace"].as_str().filter(|name| !name.is_empty()).unwrap_or(DEFAULT_NAMESPACE)
}

/// Everything that the cluster would say about `inputs`. What `old` has too is judged as an update.
pub fn examine(
    kinds: &Kinds,
    inputs: &[Input],
    old: &[Input],
    settings: AdmissionSettings,
    now: Timestamp,
) -> Examination {
    // The input is the newer truth about a session that both have.
    let facts = known(&[old, inputs], settings, now);
    let before: BTreeMap<_, _> = old
        .iter()
        .flat_map(|input| &input.documents)
        .map(|document| (identity(&document.object), &document.object))
        .collect();
    let mut examination = Examination::default();
    for input in inputs {
        for document in &input.documents {
            let problems = match kinds.find(document.text("apiVersion"), document.text("kind")) {
                Known::No => {
                    examination.skipped += 1;
                    continue;
                }
                Known::Misnamed(problem) => vec![problem],
                Known::Yes(kind) => {
                    let old = before.get(&identity(&document.object)).copied();
                    problems_of(kinds, kind, &document.object, old, &facts)
                }
            };
            examination.checked += 1;
            examination.denied += usize::from(problems.iter().any(Problem::denies));
            let located = problems.into_iter().map(|problem| (document.place(&problem.path), problem));
            let twice = document.duplicates().into_iter().map(|(path, place)| (place, twice(path)));
            examination.problems.extend(located.chain(twice).map(|(place, problem)| Located {
                file: input.file.clone(),
                document: document.number,
                place,
                kind: document.text("kind").to_owned(),
                namespace: text_of(&document.object, "namespace"),
                name: match text_of(&document.object, "name") {
                    name if name.is_empty() => text_of(&document.object, "generateName"),
                    name => name,
                },
                problem,
            }));
        }
    }
    examination
}

fn text_of(object: &Value, field: &str) -> String {
    object["metadata"][field].as_str().unwrap_or_default().to_owned()
}

fn twice(path: FieldPath) -> Problem {
    Problem {
        path,
        code: DUPLICATE_KEY,
        severity: Severity::Warn,
        message: "the key is there twice, and only the last one counts".to_owned(),
        hint: "remove one of them".to_owned(),
    }
}

/// What makes an object the same before and after. An object without a name is always new.
fn identity(object: &Value) -> Option<(&str, &str, &str, &str)> {
    let text = |value: &'static str| object[value].as_str().unwrap_or_default();
    let group = text("apiVersion").split_once('/').map_or("", |(group, _)| group);
    let name = object["metadata"]["name"].as_str()?;
    Some((group, text("kind"), namespace(object), name))
}

fn problems_of(
    kinds: &Kinds,
    kind: &Kind,
    object: &Value,
    old: Option<&Value>,
    facts: &dyn Facts,
) -> Vec<Problem> {
    let user = UserInfo::default();
    let request = Request {
        operation: if old.is_some() { Operation::Update } else { Operation::Create },
        subresource: None,
        namespace: namespace(object),
        name: object["metadata"]["name"].as_str().unwrap_or_default(),
        user: &user,
        old: old.map(Object::Value),
        new: Some(Object::Value(object)),
        dry_run: true,
    };
    verdict(kinds, kind, &request, facts)
}

/// What the cluster would say to one request: the steps of an API server in its order, but all problems at once.
pub fn verdict(kinds: &Kinds, kind: &Kind, request: &Request<'_>, facts: &dyn Facts) -> Vec<Problem> {
    let value = |object: Object<'_>| object.read::<Value>().ok();
    let Some(new) = request.new.and_then(value) else { return Vec::new() };
    let old = request.before().and_then(value);
    let mut object = with_status_of(new, old.as_ref());
    if let Some(problem) = nameless(&object) {
        return vec![problem];
    }
    let mut problems = bounded(kinds.judge_shape(kind, &mut object, old.as_ref()));
    let malformed = problems.iter().any(|problem| problem.denies() && problem.code == SCHEMA_INVALID);
    let request = Request { new: Some(Object::Value(&object)), ..*request };
    let findings = kind.rows().iter().flat_map(|row| evaluate(row, &request, facts).findings);
    for finding in findings.take(MOST_PROBLEMS) {
        let immutable = finding.code.is_about_the_change();
        let problem = Problem::from(finding);
        // The schema has said in which fields.
        if malformed && problem.code == SCHEMA_INVALID {
            continue;
        }
        if problem.denies() {
            // Ours says the same as the rule in CEL, with the values.
            problems.retain(|known| {
                let repeated = known.path == problem.path && known.message.starts_with(&problem.message);
                let stepped_over = immutable && problem.path.as_str().starts_with(known.path.as_str());
                known.code != SCHEMA_RULE || !(repeated || stepped_over)
            });
        }
        problems.push(problem);
    }
    problems.sort_by(|a, b| (&a.path, a.code, &a.message).cmp(&(&b.path, b.code, &b.message)));
    problems.dedup();
    problems
}

/// The first problems that are told, those that deny before others, and one more that counts the rest.
fn bounded(mut problems: Vec<Problem>) -> Vec<Problem> {
    let Some(more) = problems.len().checked_sub(MOST_PROBLEMS).filter(|more| *more > 0) else {
        return problems;
    };
    problems.sort_by_key(|problem| !problem.denies());
    let first = problems.drain(..MOST_PROBLEMS);
    let mut told: Vec<_> = first.collect();
    if let Some(next) = problems.into_iter().next() {
        told.push(Problem { message: format!("and {more} more problems"), hint: String::new(), ..next });
    }
    told
}

/// The object as the API server takes it: the status is not the writer's to set.
fn with_status_of(mut object: Value, old: Option<&Value>) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
        if let Some(status) = old.and_then(|old| old.get("status")) {
            fields.insert("status".to_owned(), status.clone());
        }
    }
    object
}

/// An object without a name is refused before anybody looks at it.
fn nameless(object: &Value) -> Option<Problem> {
    let metadata = &object["metadata"];
    let named = |field: &str| match &metadata[field] {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        _ => true,
    };
    (!named("name") && !named("generateName")).then(|| Problem {
        path: FieldPath::new("metadata.name"),
        code: SCHEMA_INVALID,
        severity: Severity::Deny,
        message: format!("{} has no name", seen(object["kind"].as_str().unwrap_or_default())),
        hint: "give metadata.name or metadata.generateName".to_owned(),
    })
}
