//! What a probe or a hook does: exactly one action.
//!
//! `validateHandler`. Empty paths and schemes have defaults.

use serde_json::Value;

use super::at::At;
use super::value::{PORTS, check_choice, check_port, check_range};
use crate::finding::{Code, seen};
use crate::rules::pod::Report;
use crate::rules::pod::read::{list, present, text};

const CODE: Code = Code::ProbeInvalid;

/// Says what is wrong with the actions of `handler`, which can be those of `kinds`. The one that is there is returned
/// by name; what is in it is judged here, but for `sleep`.
pub(crate) fn check<'a>(
    report: &mut Report<'_>,
    at: &At<'_>,
    handler: &'a Value,
    kinds: &[&'static str],
) -> Option<(&'static str, &'a Value)> {
    let mut given = kinds.iter().filter_map(|kind| Some((*kind, present(handler, kind)?)));
    let Some((kind, action)) = given.next() else {
        report.required(CODE, at.path(), &format!("it needs one of {}", kinds.join(", ")));
        return None;
    };
    for (other, _) in given {
        let message = format!("it has the action {kind} already");
        report.add(CODE, at.child(other).path(), message, "keep only one action");
    }
    let at = at.child(kind);
    match kind {
        "exec" if list(action, "command").is_empty() => {
            report.required(CODE, at.child("command").path(), "exec needs a command");
        }
        "httpGet" => check_http(report, &at, action),
        "tcpSocket" => check_port(report, CODE, &at.child("port"), &action["port"]),
        "grpc" => check_grpc(report, &at.child("port"), &action["port"]),
        _ => {}
    }
    Some((kind, action))
}

fn check_grpc(report: &mut Report<'_>, at: &At<'_>, port: &Value) {
    if port.is_null() {
        report.required(CODE, at.path(), "grpc needs a port");
    }
    check_range(report, CODE, at, port, PORTS);
}

fn check_http(report: &mut Report<'_>, at: &At<'_>, action: &Value) {
    check_port(report, CODE, &at.child("port"), &action["port"]);
    check_choice(report, CODE, &at.child("scheme"), &action["scheme"], &["HTTP", "HTTPS"]);
    for (index, header) in list(action, "httpHeaders").iter().enumerate() {
        let name = text(header, "name");
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            let at = at.child("httpHeaders");
            let at = at.index(index);
            let message = format!("{} cannot be the name of a header", seen(name));
            report.add(CODE, at.child("name").path(), message, "use letters, digits and '-'");
        }
    }
}
