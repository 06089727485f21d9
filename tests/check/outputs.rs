//! What is printed, and how it ends.

use rstest::rstest;
use serde_json::{Value, json};

use crate::{BAD, DUBIOUS, check, session, sojourn};

#[rstest]
#[case::good("", &[], 0)]
#[case::good_strict("", &["--strict"], 0)]
#[case::dubious(DUBIOUS, &[], 0)]
#[case::dubious_strict(DUBIOUS, &["--strict"], 1)]
#[case::bad(BAD, &[], 1)]
#[case::bad_strict(BAD, &["--strict"], 1)]
fn exit_codes_are_the_same_in_every_format(
    #[case] more: &str,
    #[case] args: &[&str],
    #[case] code: i32,
    #[values("text", "json", "sarif", "github")] output: &str,
) {
    let folder = tempfile::tempdir().unwrap();
    let ran =
        check(folder.path(), &[&["-", "--output", output], args].concat(), session("x", more).as_bytes());
    assert_eq!((ran.code, ran.err.as_str()), (code, ""), "{}", ran.out);
}

/// One denial and one warning, in a file whose name every format has to write in its own way.
fn run(output: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let more = "  unknwon: 1\n  culling:\n    maxAge: 1d\n";
    let text = session("x", more).replace("  name: x\n", "  name: x\n  namespace: team\n");
    std::fs::write(folder.path().join("a b,c.yaml"), format!("---\n{text}")).unwrap();
    let ran = check(folder.path(), &["a b,c.yaml", "--output", output], b"");
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    ran.out
}

#[test]
fn text_is_for_people_and_editors() {
    assert_eq!(
        run("text"),
        "a b,c.yaml:14:5: error: AmaltheaSession team/x: spec.culling.maxAge: \"1d\" is not a duration: unknown unit \"d\" [duration-invalid]\n\
         \x20   hint: write 24h\n\
         a b,c.yaml:12:3: warning: AmaltheaSession team/x: spec.unknwon: unknown field \"unknwon\", which the API server drops [unknown-field]\n\
         1 object checked, 1 denied, 1 warning\n"
    );
}

#[test]
fn json_has_all_fields() {
    let found: Value = serde_json::from_str(&run("json")).unwrap();
    assert_eq!(
        found[0],
        json!({
            "file": "a b,c.yaml",
            "document": 1,
            "line": 14,
            "column": 5,
            "kind": "AmaltheaSession",
            "namespace": "team",
            "name": "x",
            "code": "duration-invalid",
            "severity": "error",
            "path": "spec.culling.maxAge",
            "message": "\"1d\" is not a duration: unknown unit \"d\"",
            "hint": "write 24h",
        })
    );
    assert_eq!(found.as_array().unwrap().len(), 2);
}

#[test]
fn sarif_names_rules_that_it_describes() {
    let sarif: Value = serde_json::from_str(&run("sarif")).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let rules: Vec<_> =
        run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|rule| &rule["id"]).collect();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    assert!(results.iter().all(|result| rules.contains(&&result["ruleId"])));
    assert_eq!(results[0]["level"], "error");
    assert_eq!(results[1]["level"], "warning");
    let location = &results[0]["locations"][0];
    assert_eq!(
        location["physicalLocation"],
        json!({"artifactLocation": {"uri": "a%20b%2Cc.yaml"}, "region": {"startLine": 14, "startColumn": 5}})
    );
    assert_eq!(location["logicalLocations"][0]["fullyQualifiedName"], "spec.culling.maxAge");
}

#[test]
fn github_gets_workflow_commands() {
    let out = run("github");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 2);
    let start =
        "::error file=a b%2Cc.yaml,line=14,col=5,title=duration-invalid::AmaltheaSession team/x: spec.";
    assert!(lines[0].starts_with(start), "{out}");
    assert!(lines[1].starts_with("::warning file="), "{out}");
}

#[test]
fn nothing_in_an_input_can_write_to_the_terminal_or_give_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let input = session("\"x\\e[2J\\n::error::y\"", BAD);
    for output in ["text", "github"] {
        let ran = check(folder.path(), &["-", "--output", output], input.as_bytes());
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(!ran.out.contains('\u{1b}') || output == "github", "{}", ran.out);
        assert!(!ran.out.lines().any(|line| line.starts_with("::error::y")), "{}", ran.out);
    }
}

#[test]
fn codes_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let list = sojourn(folder.path(), &["explain"], b"");
    assert_eq!(list.code, 0);
    let codes: Vec<_> = list.out.lines().map(|line| line.split(' ').next().unwrap()).collect();
    let ran = sojourn(folder.path(), &[&["explain"], &codes[..]].concat(), b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    for code in codes {
        let headed = ran.out.lines().any(|line| line.starts_with(&format!("{code} (")));
        assert!(headed, "{code} is not explained");
    }
    let unknown = sojourn(folder.path(), &["explain", "nonsense"], b"");
    assert_eq!(unknown.code, 1);
    assert!(unknown.err.contains("there is no code \"nonsense\""), "{}", unknown.err);
}
