//! Ports of a container.
//!
//! `validateContainerPorts` and `checkHostPortConflicts`. That two ports have one number is fine.

use std::collections::BTreeSet;

use serde_json::Value;

use super::at::At;
use super::value::{NO_PORT_NAME, PORT_NAME_HINT, PORTS, check_choice, check_range, is_port_name};
use crate::finding::{Code, seen};
use crate::rules::pod::Report;
use crate::rules::pod::read::text;

const CODE: Code = Code::ContainerPortInvalid;

/// The ports of the host that are taken so far, each once for a protocol and an address.
#[derive(Default)]
pub(crate) struct HostPorts<'a> {
    taken: BTreeSet<(&'a str, &'a str, i64)>,
}

impl HostPorts<'_> {
    /// Notes that a container which is not judged has the port, for TCP and at every address.
    pub(crate) fn take(&mut self, port: i64) {
        self.taken.insert(("TCP", "", port));
    }
}

/// Says what is wrong with the ports. Containers that run side by side share the ports of the host; init containers
/// run one after the other. In the network of the host every port is one of the host, once the pod is made.
pub(crate) fn check<'a>(
    report: &mut Report<'_>,
    at: &At<'_>,
    ports: &'a [Value],
    host_network: bool,
    host_ports: &mut HostPorts<'a>,
) {
    let mut names = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let at = at.index(index);
        let name = text(port, "name");
        if !name.is_empty() && !is_port_name(name) {
            let message = format!("{} {NO_PORT_NAME}", seen(name));
            report.add(CODE, at.child("name").path(), message, PORT_NAME_HINT);
        } else if !name.is_empty() && !names.insert(name) {
            let message = format!("{} names a port of this container already", seen(name));
            report.add(CODE, at.child("name").path(), message, "choose another name");
        }
        let number = at.child("containerPort");
        if port["containerPort"].is_null() {
            report.required(CODE, number.path(), "a port needs a number from 1 to 65535");
        }
        check_range(report, CODE, &number, &port["containerPort"], PORTS);
        check_choice(report, CODE, &at.child("protocol"), &port["protocol"], &["SCTP", "TCP", "UDP"]);
        check_host_port(report, &at.child("hostPort"), port, host_network, host_ports);
    }
}

fn check_host_port<'a>(
    report: &mut Report<'_>,
    at: &At<'_>,
    port: &'a Value,
    host_network: bool,
    host_ports: &mut HostPorts<'a>,
) {
    let given = Some(&port["hostPort"]).filter(|number| !number.is_null() && number.as_i64() != Some(0));
    if let Some(given) = given {
        check_range(report, CODE, at, given, PORTS);
        if host_network && *given != port["containerPort"] {
            let message =
                format!("{given} is not the containerPort, and the pod is in the network of the host");
            report.add(CODE, at.path(), message, "leave it out");
        }
    }
    let number = given.or(host_network.then_some(&port["containerPort"]));
    let Some(number) = number.and_then(Value::as_i64) else { return };
    let protocol = Some(text(port, "protocol")).filter(|protocol| !protocol.is_empty()).unwrap_or("TCP");
    if !host_ports.taken.insert((protocol, text(port, "hostIP"), number)) {
        let message = format!("the port {number} of the host is taken already, for {protocol}");
        report.add(CODE, at.path(), message, "leave it out, or choose another port");
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::paths_of;
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!([]), &[])]
    #[case(json!([{"containerPort": 1}, {"containerPort": 65535, "protocol": "UDP", "name": "a"}]), &[])]
    #[case(json!([{"containerPort": 80}, {"containerPort": 80}]), &[])]
    #[case(json!([{"containerPort": 80, "name": "", "protocol": "", "hostPort": 0}]), &[])]
    #[case(json!([{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 80, "protocol": "UDP"}]), &[])]
    #[case(json!([{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 80, "hostIP": "10.0.0.1"}]), &[])]
    #[case(json!([{}]), &["x[0].containerPort"])]
    #[case(json!([{"containerPort": 0}]), &["x[0].containerPort"])]
    #[case(json!([{"containerPort": 65536}]), &["x[0].containerPort"])]
    #[case(json!([{"containerPort": 80, "hostPort": -1}]), &["x[0].hostPort"])]
    #[case(json!([{"containerPort": 80, "hostPort": 65536}]), &["x[0].hostPort"])]
    #[case(json!([{"containerPort": 80, "protocol": "tcp"}]), &["x[0].protocol"])]
    #[case(json!([{"containerPort": 80, "name": "80"}]), &["x[0].name"])]
    #[case(json!([{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}]), &["x[1].name"])]
    #[case(json!([{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 80, "protocol": "TCP"}]), &["x[1].hostPort"])]
    fn container_ports(#[case] ports: Value, #[case] wrong: &[&str]) {
        let ports = ports.as_array().unwrap();
        assert_eq!(paths_of(|report, at| check(report, at, ports, false, &mut HostPorts::default())), wrong);
    }

    #[rstest]
    #[case(json!([{"containerPort": 80}, {"containerPort": 81, "hostPort": 0}, {"containerPort": 82, "hostPort": 82}]), &[])]
    #[case(json!([{"containerPort": 80, "hostPort": 81}]), &["x[0].hostPort"])]
    #[case(json!([{"containerPort": 80}, {"containerPort": 80, "name": "a"}]), &["x[1].hostPort"])]
    fn ports_in_the_network_of_the_host(#[case] ports: Value, #[case] wrong: &[&str]) {
        let ports = ports.as_array().unwrap();
        assert_eq!(paths_of(|report, at| check(report, at, ports, true, &mut HostPorts::default())), wrong);
    }
}
