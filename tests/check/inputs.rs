//! What may be given, and what is refused as input.

use rstest::rstest;
use serde_json::Value;

use crate::{BAD, check, session};

#[test]
fn folders_are_read_to_the_bottom_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::create_dir_all(root.join("in/b/deep")).unwrap();
    std::fs::create_dir_all(root.join("in/.hidden")).unwrap();
    let bad = session("x", BAD);
    for file in ["in/a.yaml", "in/b/deep/c.yml", "in/.hidden/d.yaml", "in/e.txt"] {
        std::fs::write(root.join(file), &bad).unwrap();
    }
    let json =
        r#"{"apiVersion": "amalthea.dev/v1alpha1", "kind": "AmaltheaSession", "metadata": {"name": "x"}}"#;
    std::fs::write(root.join("in/z.json"), json).unwrap();
    // A link to a folder above would have no end.
    std::os::unix::fs::symlink("..", root.join("in/b/loop")).unwrap();
    let ran = check(root, &["in", "-o", "json"], b"");
    let found: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    let files: Vec<_> = found.iter().map(|one| one["file"].as_str().unwrap()).collect();
    assert_eq!(files, ["in/a.yaml", "in/b/deep/c.yml", "in/z.json"]);
    assert_eq!(ran.code, 1);
}

#[test]
fn a_rendered_chart_is_read_and_what_is_not_ours_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let foreign =
        "---\n# Source: chart/templates/x.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n";
    let input = format!(
        "{foreign}---\n{}---\n# Source: chart/empty.yaml\n---\napiVersion: example.org/v1\nkind: Thing\n",
        session("x", BAD)
    );
    let ran = check(folder.path(), &["-"], input.as_bytes());
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.contains("<stdin>:18:5: error: AmaltheaSession x: spec.culling.maxAge"), "{}", ran.out);
    assert!(ran.out.ends_with("1 object checked, 1 denied, 0 warnings; 2 objects of other kinds skipped\n"));
}

#[test]
fn a_kind_that_nobody_serves_is_not_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let input = session("x", "").replace("v1alpha1", "v1");
    let ran = check(folder.path(), &["-"], input.as_bytes());
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("<stdin>:1:1: error"), "{}", ran.out);
    assert!(ran.out.contains("use amalthea.dev/v1alpha1 AmaltheaSession"), "{}", ran.out);
}

#[test]
fn jobs_are_held_against_the_sessions_beside_them_and_completed_first() {
    let folder = tempfile::tempdir().unwrap();
    let job = |deadline: &str| {
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: x\n  labels:\n    app.kubernetes.io/name: \
             AmaltheaSession\n    app.kubernetes.io/instance: x\nspec:\n{deadline}  template: {{}}\n"
        )
    };
    let batch = session(
        "x",
        "  sessionType: NonInteractive\n  culling:\n    maxAge: 1h\n    maxHibernatedDuration: 1h\n",
    );
    let run = |input: String| check(folder.path(), &["-"], input.as_bytes());
    let short = run(format!("{}---\n{batch}", job("  activeDeadlineSeconds: 60\n")));
    assert_eq!(short.code, 1);
    assert!(short.out.contains(":9:3: error: Job x: spec.activeDeadlineSeconds: 60 s is"), "{}", short.out);
    let filled = run(format!("{}---\n{batch}", job("")));
    assert_eq!((filled.code, filled.out.as_str()), (0, "2 objects checked, 0 denied, 0 warnings\n"));
    let alone = run(job("  activeDeadlineSeconds: 60\n"));
    assert_eq!(alone.code, 0);
    assert!(alone.out.contains("[job-session-unknown]"), "{}", alone.out);
}

#[test]
fn an_update_is_judged_with_the_old_object_and_only_what_changed_counts() {
    let folder = tempfile::tempdir().unwrap();
    let ingress = |host: &str| format!("  ingress:\n    host: {host}\n");
    let known_bad = |more: &str| session("x", &format!("{more}{BAD}"));
    std::fs::write(folder.path().join("old.yaml"), known_bad(&ingress("a.example.org"))).unwrap();
    let run = |input: String| check(folder.path(), &["-", "--old", "old.yaml"], input.as_bytes());
    let same = run(known_bad(&ingress("a.example.org")));
    assert_eq!((same.code, same.err.as_str()), (0, ""), "{}", same.out);
    let changed = run(known_bad(&ingress("b.example.org")));
    assert_eq!(changed.code, 1);
    assert!(changed.out.contains("[host-immutable]"), "{}", changed.out);
    assert!(!changed.out.contains("[schema-rule]"), "said twice: {}", changed.out);
    let other = run(known_bad(&ingress("b.example.org")).replace("name: x", "name: other"));
    assert!(other.out.contains("[duration-invalid]") && !other.out.contains("immutable"), "{}", other.out);
}

fn bomb() -> Vec<u8> {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}", level - 1);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![below; 10].join(", ")));
    }
    text.into_bytes()
}

#[rstest]
#[case::bomb(bomb(), "<stdin>: cannot read it as YAML or JSON")]
#[case::cycle(b"a: &a {b: *a}\n".to_vec(), "<stdin>: cannot read it as YAML or JSON")]
#[case::nested("[".repeat(5_000_000).into_bytes(), "<stdin>: cannot read it as YAML or JSON")]
#[case::indented((0..5_000).map(|n| format!("{}a:\n", " ".repeat(n))).collect::<String>().into_bytes(), "<stdin>: cannot read")]
#[case::binary(vec![0xff; 4096], "<stdin>: cannot read it as text: byte 1 is not UTF-8")]
#[case::huge_line(vec![b'a'; 33 * 1024 * 1024], "<stdin> is larger than 32 MiB")]
#[case::text(b"root:x:0:0\n".to_vec(), "<stdin>: cannot read the document at line 1 as an object")]
#[case::unfinished(b"a: {b: \n".to_vec(), "<stdin>: cannot read it as YAML or JSON")]
fn what_is_unusable_is_said_and_ends_in_2(#[case] input: Vec<u8>, #[case] says: &str) {
    let folder = tempfile::tempdir().unwrap();
    let ran = check(folder.path(), &["-"], &input);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains(says), "{}", ran.err);
    assert!(ran.err.len() < 500, "{}", ran.err);
}

#[test]
fn the_name_of_a_file_cannot_write_to_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a\u{1b}[2J.yaml"), "a: [").unwrap();
    let ran = check(folder.path(), &["."], b"");
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("a\\u{1b}[2J.yaml: cannot read it"), "{:?}", ran.err);
}

/// The API server would refuse these before any rule is asked.
#[rstest]
#[case::nameless("  name: x\n", "  labels: {}\n", "metadata.name: \"AmaltheaSession\" has no name")]
#[case::name("name: x", "name: X_y", "metadata.name: \"X_y\" has the wrong form")]
#[case::label("  name: x\n", "  name: x\n  labels: {a: 1}\n", "metadata.labels[a]: must be a string, not 1")]
#[case::no_name_at_all("metadata:\n  name: x\n", "", "metadata.name: \"AmaltheaSession\" has no name")]
#[case::image("image: busybox:1.36", "image: [a]", "spec.session.image: must be a string, not a list")]
#[case::kind("kind: AmaltheaSession", "kind: Amaltheasession", "kind: there is no amalthea.dev/v1alpha1")]
fn what_the_schema_refuses_is_named(#[case] from: &str, #[case] to: &str, #[case] says: &str) {
    let folder = tempfile::tempdir().unwrap();
    let ran = check(folder.path(), &["-"], session("x", "").replace(from, to).as_bytes());
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains(says), "{}", ran.out);
}

#[test]
fn a_long_value_is_cut_in_the_message() {
    let folder = tempfile::tempdir().unwrap();
    let input = session("x", &format!("  location: {}\n", "a".repeat(20 * 1024 * 1024)));
    let ran = check(folder.path(), &["-"], input.as_bytes());
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.len() < 1_000, "{} bytes", ran.out.len());
}

#[test]
fn what_can_be_read_is_judged_beside_what_cannot() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    std::fs::write(folder.path().join("bad.yaml"), session("x", BAD)).unwrap();
    let ran = check(folder.path(), &["absent.yaml", "empty", "bad.yaml", "/dev/zero"], b"");
    assert_eq!(ran.code, 2);
    assert!(ran.out.contains("[duration-invalid]"), "{}", ran.out);
    for says in ["cannot read absent.yaml", "empty holds no .yaml", "/dev/zero is larger than 32 MiB"] {
        assert!(ran.err.contains(says), "{}", ran.err);
    }
    let nothing = check(folder.path(), &[], b"");
    assert_eq!(nothing.code, 2, "no argument is unusable too");
}

#[test]
fn a_thousand_manifests_are_no_matter() {
    let folder = tempfile::tempdir().unwrap();
    let input: String = (0..1_000)
        .map(|n| format!("---\n{}", session(&format!("x{n}"), if n % 10 == 0 { BAD } else { "" })))
        .collect();
    let ran = check(folder.path(), &["-"], input.as_bytes());
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.ends_with("1000 objects checked, 100 denied, 0 warnings\n"));
}

/// Whoever sends manifests to a pipeline does not choose how long it works.
#[test]
fn an_object_of_nothing_but_problems_is_told_of_in_part() {
    let folder = tempfile::tempdir().unwrap();
    let mut object: Value = serde_saphyr::from_str(&session("x", "")).unwrap();
    object["spec"]["codeRepositories"] = (0..50_000).map(Value::from).collect();
    let ran = check(folder.path(), &["-", "-o", "json"], object.to_string().as_bytes());
    let found: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(ran.code, 1);
    assert!((1000..1100).contains(&found.len()), "{} problems", found.len());
    let more =
        found.iter().filter(|one| one["message"].as_str().unwrap().ends_with(" more problems")).count();
    assert_eq!(more, 1);
}
