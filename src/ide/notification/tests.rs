use super::*;
use rstest::rstest;

fn all(frame: &str) -> Vec<Result<Notification, Skip>> {
    read(frame).collect()
}

fn one(frame: &str) -> Result<Payload, Skip> {
    let mut all = all(frame);
    assert_eq!(all.len(), 1, "{frame}");
    all.remove(0).map(|notification| notification.what)
}

fn end(exit_code: Option<i32>) -> Payload {
    Payload::Ended(End { exit_code, told_by: Teller::Ide })
}

#[test]
fn every_type_is_read() {
    let process = r#"{"notification_type":"processRestarted","session_id":"s","pid":12345}"#;
    assert_eq!(one(process), Ok(Payload::Process { pid: Some(12345) }));
    let process = r#"{"notification_type":"processRestarted","session_id":"s"}"#;
    assert_eq!(one(process), Ok(Payload::Process { pid: None }));
    let ended = r#"{"notification_type":"sessionTerminated","session_id":"s","pid":7,"exit_code":3}"#;
    assert_eq!(one(ended), Ok(end(Some(3))));
    let log = r#"{"notification_type":"serviceLogs","session_id":"s","is_std_err":true,"log_message":"a\n"}"#;
    assert_eq!(one(log), Ok(Payload::Log { stderr: true, line: "a\n".into() }));
    let said = r#"{"notification_type":"sessionMessage","session_id":"s","level":"info","message":"a\nb"}"#;
    assert_eq!(one(said), Ok(Payload::Message { level: Level::Info, text: "a b".into() }));
}

#[test]
fn an_error_reads_like_an_error_body() {
    let frame = r#"{"notification_type":"sessionMessage","session_id":"s","level":"error","message":"Why",
        "code":"C","details":[{"code":"D","message":"d"}]}"#
        .replace('\n', " ");
    assert_eq!(one(&frame), Ok(Payload::Message { level: Level::Error, text: "C: Why\n  D: d".into() }));
}

#[rstest]
#[case("0", Some(0))]
#[case("-1", Some(-1))]
#[case("-2147483648", Some(i32::MIN))]
#[case("-2147483649", None)]
#[case("4294967295", Some(-1))]
#[case("3221225786", Some(-1073741510))]
#[case("4294967296", None)]
#[case("1e30", None)]
#[case("\"1\"", None)]
#[case("null", None)]
fn codes_are_32_bits(#[case] code: &str, #[case] expected: Option<i32>) {
    let frame = format!(r#"{{"notification_type":"sessionTerminated","session_id":"s","exit_code":{code}}}"#);
    assert_eq!(one(&frame), Ok(end(expected)));
}

#[rstest]
#[case("no json", Skip::Malformed)]
#[case("[1]", Skip::Malformed)]
#[case("{\"notification_type\":", Skip::Malformed)]
#[case(r#"{"notification_type":"connected"}"#, Skip::UnknownType)]
#[case(r#"{"notification_type":7,"session_id":"s"}"#, Skip::UnknownType)]
#[case(r#"{"session_id":"s"}"#, Skip::UnknownType)]
#[case(r#"{"notification_type":"sessionTerminated"}"#, Skip::NoSession)]
#[case(r#"{"notification_type":"sessionTerminated","session_id":""}"#, Skip::NoSession)]
#[case(r#"{"notification_type":"sessionTerminated","session_id":"a/b"}"#, Skip::BadField)]
#[case(r#"{"notification_type":"processRestarted","session_id":"s","pid":"1"}"#, Skip::BadField)]
#[case(
    r#"{"notification_type":"serviceLogs","session_id":"s","is_std_err":0,"log_message":"a"}"#,
    Skip::BadField
)]
#[case(r#"{"notification_type":"serviceLogs","session_id":"s","is_std_err":false}"#, Skip::BadField)]
#[case(
    r#"{"notification_type":"sessionMessage","session_id":"s","level":"info","message":" "}"#,
    Skip::Blank
)]
#[case(
    r#"{"notification_type":"sessionMessage","session_id":"s","level":"loud","message":"a"}"#,
    Skip::Blank
)]
#[case(r#"{"notification_type":"sessionMessage","session_id":"s","message":"a"}"#, Skip::BadField)]
fn what_cannot_be_read_is_named(#[case] frame: &str, #[case] why: Skip) {
    assert_eq!(one(frame), Err(why));
}

#[test]
fn a_bad_object_takes_no_other_along() {
    let good = |id: &str| format!(r#"{{"notification_type":"processRestarted","session_id":"{id}"}}"#);
    let frame = format!("{}{}\r\nbroken {{\n\n{}", good("a"), good("b"), good("c"));
    let sessions: Vec<_> = all(&frame)
        .into_iter()
        .map(|read| read.map(|notification| notification.session.to_string()))
        .collect();
    let ok = |id: &str| Ok(id.to_owned());
    assert_eq!(sessions, [ok("a"), ok("b"), Err(Skip::Malformed), ok("c")]);
}

#[test]
fn a_long_line_is_cut() {
    let frame = format!(
        r#"{{"notification_type":"serviceLogs","session_id":"s","is_std_err":false,"log_message":"{}"}}"#,
        "é".repeat(MAX_LINE)
    );
    assert!(matches!(one(&frame), Ok(Payload::Log { line, .. }) if line.len() == MAX_LINE));
}

proptest::proptest! {
    #[test]
    fn any_text_is_read(text in ".*") {
        let _ = read(&text).count();
    }

    #[test]
    fn any_object_is_read(id in ".{0,8}", kind in "processRestarted|sessionTerminated|serviceLogs|sessionMessage",
                          number in proptest::num::i64::ANY, text in ".{0,20}", level in "error|info|debug|.") {
        let object = serde_json::json!({
            "notification_type": kind, "session_id": id, "pid": number, "exit_code": number,
            "is_std_err": number > 0, "log_message": text, "level": level, "message": text,
        });
        proptest::prop_assert_eq!(all(&object.to_string()).len(), 1);
    }
}
