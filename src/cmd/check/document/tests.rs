//! What is read, where it stands, and what is refused.

use super::*;
use rstest::rstest;
use serde_json::json;

fn objects(text: &str) -> Vec<Value> {
    parse(text.as_bytes()).unwrap().into_iter().map(|document| document.object).collect()
}

#[rstest]
#[case("a: 1\n---\n# nothing\n---\nb: [x, {c: true}]\n", vec![json!({"a": 1}), json!({"b": ["x", {"c": true}]})])]
#[case("{\"a\": \"\\ud83d\\ude00\"}", vec![json!({"a": "😀"})])]
#[case("{\"a\": 1}\n{\"b\": 2}\n", vec![json!({"a": 1}), json!({"b": 2})])]
#[case("apiVersion: v1\nkind: List\nitems:\n- a: 1\n- b: 2\n", vec![json!({"a": 1}), json!({"b": 2})])]
#[case("a: 1.0\nb: 1.5\nc: 0644\nd: '1'\ne: ~\n", vec![json!({"a": 1, "b": 1.5, "c": 420, "d": "1", "e": null})])]
#[case("x: &x {a: 1}\ny: {<<: *x, b: 2}\nz: *x\n", vec![json!({"x": {"a": 1}, "y": {"a": 1, "b": 2}, "z": {"a": 1}})])]
#[case("\u{feff}a: 1\n", vec![json!({"a": 1})])]
#[case("", vec![])]
fn reads_what_kubectl_reads(#[case] text: &str, #[case] expected: Vec<Value>) {
    assert_eq!(objects(text), expected);
}

#[rstest]
#[case("spec.b[1].c", 5, 5)]
#[case("spec.b[1]", 5, 5)]
#[case("metadata.labels[x.y/z]", 8, 5)]
#[case("spec.missing.deep", 2, 1)]
#[case("", 2, 1)]
fn fields_know_their_place(#[case] path: &str, #[case] line: u64, #[case] column: u64) {
    let text = "---\nspec:\n  b:\n  - 1\n  - c: 2\nmetadata:\n  labels:\n    x.y/z: a\n";
    let documents = parse(text.as_bytes()).unwrap();
    assert_eq!(documents[0].place(&FieldPath::new(path)), Place { line, column });
}

#[test]
fn a_key_that_is_there_twice_is_known_and_the_last_one_counts() {
    let documents = parse(b"a:\n  b: 1\n  b: 2\n").unwrap();
    assert_eq!(documents[0].object, json!({"a": {"b": 2}}));
    let place = Place { line: 3, column: 3 };
    assert_eq!(documents[0].duplicates(), [(FieldPath::new("a.b"), place)]);
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
#[case::bomb(bomb(), "YAML")]
#[case::cycle(b"a: &a [*a]\n".to_vec(), "YAML")]
#[case::deep("[".repeat(1_000_000).into_bytes(), "YAML")]
#[case::deep_json(format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000)).into_bytes(), "YAML")]
#[case::binary(vec![0x7f, b'E', b'L', b'F', 0xff, 0xfe, 0x00], "byte 5 is not UTF-8")]
#[case::nul(b"a: \x00\x01\n".to_vec(), "YAML")]
#[case::flat(format!("[{}1]", "1,".repeat(2_000_000)).into_bytes(), "budget")]
#[case::half(b"a: [1, 2\n".to_vec(), "YAML")]
#[case::text(b"a: 1\n---\njust text\n".to_vec(), "line 3 as an object")]
#[case::infinite(b"a: .inf\n".to_vec(), "YAML")]
fn what_is_hostile_ends_in_an_error(#[case] bytes: Vec<u8>, #[case] says: &str) {
    let error = parse(&bytes).unwrap_err().to_string();
    assert!(error.contains(says), "{error}");
    assert!(error.len() < 500, "{error}");
}
