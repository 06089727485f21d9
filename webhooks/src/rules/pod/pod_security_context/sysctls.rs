//! Parameters of the kernel that a pod sets.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::read::{is_true, text};
use super::{CODE, Report};
use crate::finding::{FieldPath, seen};

/// Parameters of a pod's own message queues, semaphores and shared memory.
const IPC: [&str; 10] = [
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
    "kernel.shm",
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.msg",
];

pub(super) fn check(report: &mut Report<'_>, path: &FieldPath, pod: &Value, sysctls: &[Value]) {
    let mut had = BTreeSet::new();
    for (index, sysctl) in sysctls.iter().enumerate() {
        let at = || path.index(index).child("name");
        let name = text(sysctl, "name");
        if name.is_empty() {
            report.required(CODE, at(), "it says which parameter is set");
        } else if !is_name(name) {
            report.add(
                CODE,
                at(),
                format!("{} cannot be the name of a parameter of the kernel", seen(name)),
                "use at most 253 of a-z, 0-9, '-' and '_', in parts with '.' or '/' between them",
            );
        } else if !had.insert(name) {
            report.add(CODE, at(), format!("{} is set already", seen(name)), "set it once");
        } else if let Some(host) = host_field(name).filter(|field| is_true(pod, field)) {
            report.add(
                CODE,
                at(),
                format!("{} is the node's own with {host}", seen(name)),
                format!("leave it out, or {host}"),
            );
        }
    }
}

/// The field that shares the parameter with the node.
fn host_field(name: &str) -> Option<&'static str> {
    // With a slash first, slashes part the name, and a dot stands for itself.
    let slashes = name.find(['.', '/']).is_some_and(|at| name[at..].starts_with('/'));
    let swapped = |c| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    let name = if slashes { name.chars().map(swapped).collect() } else { name.to_owned() };
    if IPC.contains(&name.as_str()) || name.starts_with("fs.mqueue.") {
        Some("hostIPC")
    } else {
        name.starts_with("net.").then_some("hostNetwork")
    }
}

fn is_name(name: &str) -> bool {
    let edge = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let part = |part: &str| {
        part.bytes().next().is_some_and(edge)
            && part.bytes().last().is_some_and(edge)
            && part.bytes().all(|b| edge(b) || matches!(b, b'-' | b'_'))
    };
    name.len() <= 253 && name.split(['.', '/']).all(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::testing::found;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("kernel.shm_rmid_forced", json!({}), true)]
    #[case("kernel.shm_rmid_forced", json!({"hostIPC": true}), false)]
    #[case("kernel/shm_rmid_forced", json!({"hostIPC": true}), false)]
    #[case("fs.mqueue.msg_max", json!({"hostIPC": true}), false)]
    #[case("kernel.shm_rmid_forced", json!({"hostNetwork": true}), true)]
    #[case("net.ipv4.ip_forward", json!({}), true)]
    #[case("net.ipv4.ip_forward", json!({"hostNetwork": true}), false)]
    #[case("net/ipv4/conf/eno2.100/rp_filter", json!({"hostNetwork": true}), false)]
    #[case("netx.a", json!({"hostNetwork": true}), true)]
    #[case("vm.max_map_count", json!({"hostNetwork": true, "hostIPC": true}), true)]
    #[case("", json!({}), false)]
    #[case("Net.a", json!({}), false)]
    #[case("net..a", json!({}), false)]
    #[case("net.a_", json!({}), false)]
    #[case("net.*", json!({}), false)]
    fn names(#[case] name: &str, #[case] pod: Value, #[case] valid: bool) {
        let sysctls = [json!({"name": name, "value": "1"})];
        let paths: &[&str] = if valid { &[] } else { &["s[0].name"] };
        assert_eq!(found(|report, path| check(report, path, &pod, &sysctls), "s"), paths, "{name}");
    }

    #[test]
    fn each_is_set_once() {
        let sysctls = [json!({"name": "a"}), json!({"name": "b"}), json!({"name": "a"})];
        assert_eq!(found(|report, path| check(report, path, &json!({}), &sysctls), "s"), ["s[2].name"]);
    }
}
