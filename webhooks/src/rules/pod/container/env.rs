//! Variables of a container: `env` and `envFrom`.
//!
//! `ValidateEnv` and `ValidateEnvFrom`. That two variables have one name is fine: the last one counts.

use serde_json::Value;
use sojourn_crds::dns;

use super::at::At;
use super::downward;
use super::value::{is_config_key, is_name_or_start};
use super::versions::{RELAXED_VARIABLES, since};
use crate::finding::{Code, seen};
use crate::rules::pod::Report;
use crate::rules::pod::read::{present, text};
use crate::rules::variables;

const CODE: Code = Code::EnvironmentInvalid;

/// The fields of `valueFrom`. Others are newer than the CRDs, or of gates that are off, and never reach the pod.
const SOURCES: [&str; 4] = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef"];

/// What stands before the names of a list of variables when the pod is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// Nothing.
    AsWritten,
    /// `USER_ENV_`, unless a name begins with `RENKU_` or `RSC_`: variables of a remote session.
    OfRemoteUser,
}

/// Says what is wrong with a list of variables.
pub(crate) fn check(report: &mut Report<'_>, at: &At<'_>, variables: &[Value]) {
    check_named(report, at, variables, Naming::AsWritten);
}

/// Says what is wrong with a list of variables that may get other names.
pub(crate) fn check_named(report: &mut Report<'_>, at: &At<'_>, variables: &[Value], naming: Naming) {
    for (index, variable) in variables.iter().enumerate() {
        check_one(report, &at.index(index), variable, naming);
    }
}

/// Says what is wrong with one variable.
pub(crate) fn check_one(report: &mut Report<'_>, at: &At<'_>, variable: &Value, naming: Naming) {
    let name = text(variable, "name");
    let kept = ["RENKU_", "RSC_"].iter().any(|prefix| name.starts_with(prefix));
    let follows = naming == Naming::OfRemoteUser && !kept;
    check_name(report, &at.child("name"), name, follows);
    if let Some(source) = present(variable, "valueFrom") {
        check_source(report, &at.child("valueFrom"), source, !text(variable, "value").is_empty());
    }
}

/// A name, or one that follows a prefix which is a good name itself.
fn check_name(report: &mut Report<'_>, at: &At<'_>, name: &str, follows: bool) {
    let good = match follows {
        false => is_name(report, name),
        true if since(report, RELAXED_VARIABLES) => name.is_empty() || variables::is_name(name),
        true => name.bytes().all(is_plain),
    };
    if !good {
        let message = format!("{} cannot be the name of a variable", seen(name));
        report.add(CODE, at.path(), message, allowed_names(report));
    }
}

/// Whether a variable can have the name on that server.
pub(crate) fn is_name(report: &Report<'_>, name: &str) -> bool {
    if since(report, RELAXED_VARIABLES) { variables::is_name(name) } else { is_strict_name(name) }
}

fn allowed_names(report: &Report<'_>) -> &'static str {
    if since(report, RELAXED_VARIABLES) {
        "use printable ASCII without '='"
    } else {
        "before Kubernetes 1.32: use letters, digits, '_', '-' and '.', no digit first and no '..' at the start"
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

/// What every server takes, and those before [`RELAXED_VARIABLES`] alone.
pub(crate) fn is_strict_name(name: &str) -> bool {
    name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
        && name.bytes().all(is_plain)
        && name != "."
        && !name.starts_with("..")
}

fn check_source(report: &mut Report<'_>, at: &At<'_>, source: &Value, has_value: bool) {
    let given = SOURCES.iter().filter(|field| present(source, field).is_some()).count();
    let problem = match given {
        0 => Some(("it names no source", "name one of")),
        _ if has_value => Some(("the variable has a value already", "leave value out, or valueFrom with")),
        1 => None,
        _ => Some(("it names several sources", "name only one of")),
    };
    if let Some((message, hint)) = problem {
        report.add(CODE, at.path(), message, format!("{hint} {}", SOURCES.join(", ")));
    }
    if let Some(reference) = present(source, "fieldRef") {
        downward::check_field(report, &at.child("fieldRef"), reference);
    }
    if let Some(reference) = present(source, "resourceFieldRef") {
        downward::check_resource(report, &at.child("resourceFieldRef"), reference);
    }
    for field in ["configMapKeyRef", "secretKeyRef"] {
        if let Some(reference) = present(source, field) {
            check_key(report, &at.child(field), reference);
        }
    }
}

fn check_key(report: &mut Report<'_>, at: &At<'_>, reference: &Value) {
    let (name, key) = (text(reference, "name"), text(reference, "key"));
    if !dns::is_subdomain(name) {
        no_object(report, &at.child("name"), name);
    }
    if !is_config_key(key) {
        let message = format!("{} cannot be a key", seen(key));
        report.add(CODE, at.child("key").path(), message, "use letters, digits, '-', '_' and '.'");
    }
}

fn no_object(report: &mut Report<'_>, at: &At<'_>, name: &str) {
    let message = format!("{} cannot be the name of an object", seen(name));
    report.add(CODE, at.path(), message, "name an object: a-z, 0-9, '-' and '.'");
}

/// Says what is wrong with a list of objects that hold variables.
pub(crate) fn check_sources(report: &mut Report<'_>, at: &At<'_>, sources: &[Value]) {
    const OBJECTS: [&str; 2] = ["configMapRef", "secretRef"];
    for (index, source) in sources.iter().enumerate() {
        let at = at.index(index);
        let prefix = text(source, "prefix");
        if !prefix.is_empty() && !is_name(report, prefix) {
            let message = format!("{} cannot begin the name of a variable", seen(prefix));
            report.add(CODE, at.child("prefix").path(), message, allowed_names(report));
        }
        let mut given = 0;
        for field in OBJECTS {
            let Some(object) = present(source, field) else { continue };
            given += 1;
            let name = text(object, "name");
            if !is_name_or_start(name) {
                no_object(report, &at.child(field).child("name"), name);
            }
        }
        if given != 1 {
            let message = if given == 0 { "it names no source" } else { "it names two sources" };
            report.add(CODE, at.path(), message, "name one of configMapRef, secretRef");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{paths_at, paths_of};
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("A_1", true, true)]
    #[case("a.b-c", true, true)]
    #[case(".", false, true)]
    #[case("..", false, true)]
    #[case("..a", false, true)]
    #[case(".a", true, true)]
    #[case("1A", false, true)]
    #[case("a b", false, true)]
    #[case("~!", false, true)]
    #[case("", false, false)]
    #[case("a=b", false, false)]
    #[case("ä", false, false)]
    #[case("a\tb", false, false)]
    fn names(#[case] name: &str, #[case] strict: bool, #[case] relaxed: bool) {
        let list = [json!({"name": name})];
        for (minor, good) in [(30, strict), (31, strict), (32, relaxed), (34, relaxed)] {
            let found = paths_at(minor, |report, at| check(report, at, &list));
            assert_eq!(found.is_empty(), good, "{name:?} on 1.{minor}: {found:?}");
        }
        let prefixed = [json!({"prefix": name, "secretRef": {"name": "a"}})];
        for (minor, good) in [(31, strict), (32, relaxed)] {
            let found = paths_at(minor, |report, at| check_sources(report, at, &prefixed));
            assert_eq!(found.is_empty(), good || name.is_empty(), "{name:?} on 1.{minor}: {found:?}");
        }
    }

    #[rstest]
    #[case("1A", true, true)]
    #[case("", true, true)]
    #[case("..a", true, true)]
    #[case("a b", false, true)]
    #[case("RSC_a b", false, true)]
    #[case("a=b", false, false)]
    #[case("RENKU_=", false, false)]
    fn names_of_remote_sessions_follow_a_prefix(
        #[case] name: &str,
        #[case] strict: bool,
        #[case] relaxed: bool,
    ) {
        let list = [json!({"name": name})];
        for (minor, good) in [(31, strict), (32, relaxed)] {
            let found = paths_at(minor, |report, at| check_named(report, at, &list, Naming::OfRemoteUser));
            assert_eq!(found.is_empty(), good, "{name:?} on 1.{minor}: {found:?}");
        }
    }

    #[rstest]
    #[case(json!({"value": "b"}), &[])]
    #[case(json!({"value": "b", "valueFrom": null}), &[])]
    #[case(json!({"value": "", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}), &[])]
    #[case(json!({"valueFrom": {"configMapKeyRef": {"name": "s.t", "key": ".k", "optional": true}}}), &[])]
    #[case(json!({"valueFrom": {}}), &["x[0].valueFrom"])]
    #[case(json!({"valueFrom": {"fileKeyRef": {"path": "a"}}}), &["x[0].valueFrom"])]
    #[case(json!({"valueFrom": {"fieldRef": null}}), &["x[0].valueFrom"])]
    #[case(json!({"value": "b", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}), &["x[0].valueFrom"])]
    #[case(json!({"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}, "fieldRef": {"fieldPath": "metadata.name"}}}), &["x[0].valueFrom"])]
    #[case(json!({"valueFrom": {"secretKeyRef": {"name": "", "key": ""}}}), &["x[0].valueFrom.secretKeyRef.key", "x[0].valueFrom.secretKeyRef.name"])]
    #[case(json!({"valueFrom": {"configMapKeyRef": {"name": "a-", "key": "k"}}}), &["x[0].valueFrom.configMapKeyRef.name"])]
    #[case(json!({"valueFrom": {"configMapKeyRef": {"name": "a", "key": "k/l"}}}), &["x[0].valueFrom.configMapKeyRef.key"])]
    fn values(#[case] mut variable: Value, #[case] wrong: &[&str]) {
        variable["name"] = json!("A");
        assert_eq!(paths_of(|report, at| check(report, at, std::slice::from_ref(&variable))), wrong);
    }

    #[rstest]
    #[case(json!({"secretRef": {"name": "a"}}), &[])]
    #[case(json!({"configMapRef": {"name": "a-", "optional": true}, "secretRef": null}), &[])]
    #[case(json!({}), &["x[0]"])]
    #[case(json!({"prefix": "A_"}), &["x[0]"])]
    #[case(json!({"secretRef": {"name": "a"}, "configMapRef": {"name": "a"}}), &["x[0]"])]
    #[case(json!({"secretRef": {}}), &["x[0].secretRef.name"])]
    #[case(json!({"configMapRef": {"name": "A"}}), &["x[0].configMapRef.name"])]
    fn sources(#[case] source: Value, #[case] wrong: &[&str]) {
        assert_eq!(paths_of(|report, at| check_sources(report, at, std::slice::from_ref(&source))), wrong);
    }
}
