//! Makes a session that both disagree about as small as it can be while they disagree for the same cause, and for no
//! more causes than before: a probe that loses its handler shows something else.

use crate::disagreement::{Cause, Opinions, disagree, opinions};
use crate::oracle::Oracle;
use serde_json::Value;

/// The smallest session that was found, with what both say about it. Takes fields and items away as long as the cause
/// stays, the outermost first.
pub(crate) async fn shrink(
    oracle: &Oracle,
    session: Value,
    cause: &Cause,
) -> Result<(Value, Opinions), String> {
    let mut smallest = session;
    let mut causes = disagree(oracle, &smallest, cause).await?;
    // A field that had to stay may go once another has gone.
    loop {
        let mut progress = false;
        let mut next = 0;
        loop {
            let parts = parts(&smallest);
            let Some(part) = parts.get(next) else { break };
            let candidate = without(&smallest, part);
            let left = disagree(oracle, &candidate, cause).await?;
            if (1..=causes).contains(&left) {
                smallest = candidate;
                causes = left;
                progress = true;
            } else {
                next += 1;
            }
        }
        if !progress {
            break;
        }
    }
    let last = opinions(oracle, &smallest).await?;
    Ok((smallest, last.ok_or("the schema refuses what it took before")?))
}

/// JSON pointers of all fields and items below `spec`, by depth.
fn parts(session: &Value) -> Vec<String> {
    let mut found = vec!["/spec".to_owned()];
    let mut next = 0;
    while let Some(pointer) = found.get(next).cloned() {
        let below: Vec<String> = match session.pointer(&pointer) {
            Some(Value::Object(fields)) => fields
                .keys()
                .map(|name| format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")))
                .collect(),
            Some(Value::Array(items)) => (0..items.len()).map(|index| format!("{pointer}/{index}")).collect(),
            _ => Vec::new(),
        };
        found.extend(below);
        next += 1;
    }
    found.remove(0);
    found
}

fn without(session: &Value, pointer: &str) -> Value {
    let mut session = session.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
    match session.pointer_mut(parent) {
        Some(Value::Object(fields)) => drop(fields.remove(&name.replace("~1", "/").replace("~0", "~"))),
        Some(Value::Array(items)) => {
            if let Ok(index) = name.parse::<usize>() {
                items.remove(index);
            }
        }
        _ => {}
    }
    session
}

#[test]
fn every_part_can_be_taken_away() {
    let session = serde_json::json!({"spec": {"a": {"x/y": 1}, "b": [1, 2]}});
    assert_eq!(parts(&session), ["/spec/a", "/spec/b", "/spec/a/x~1y", "/spec/b/0", "/spec/b/1"]);
    for part in parts(&session) {
        let less = without(&session, &part);
        assert_ne!(less, session);
    }
}
