//! Fields of the session itself.

use super::{Row, row};

const CLASS: &[&str] = &["", "UPPER", "a_b", "-a", "a..b", "{253}", "{254}"];

pub(super) const ROWS: &[Row] = &[
    row(&["spec.session.image"], &["busybox:1.36"], &["", " ", " busybox", "busybox ", "a b", "{1024}"]),
    row(&["spec.session.port"], &["8080", "8888"], &["0", "-1", "1", "1023", "65529", "65530", "65535"]),
    row(
        &["spec.session.runAsUser", "spec.session.runAsGroup"],
        &["0", "1000"],
        &["-1", "65535", "2147483647", "2147483648"],
    ),
    row(&["storage.className", "ingressClassName"], &["fast"], CLASS),
    row(
        &["storage.size"],
        &["1Gi", "'5", "5"],
        &["0", "-1", "'-1Gi", "1m", "1.5", "1n", "1e30", "'9223372036854775808"],
    ),
    row(
        &["storage.mountPath"],
        &["/workspace", "/home/user"],
        &["", "/", "relative", "/a:b", "..", "/a/../b", "/dev/shm", "data"],
    ),
    row(&["spec.session.urlPath"], &["/", "/sessions/demo"], &["", "relative", "/a b", "/%zz", "/a//b"]),
    row(
        &["spec.ingress.host"],
        &["demo.example.org"],
        &[
            "",
            "UPPER.example.org",
            "*.example.org",
            "*",
            "a_b",
            "1.2.3.4",
            "demo.example.org:80",
            "a/b",
            "{63}.org",
            "{64}.org",
            "{253}",
            "*.*.org",
            "::1",
        ],
    ),
    row(
        &["spec.ingress.pathPrefix"],
        &["/", "/sessions/demo"],
        &[
            "", "relative", "/a//b", "/a/./b", "/a/../b", "/a%2fb", "/a%2Fb", "/a b", "/a/..", "/a/.", "/ü",
            "/a?b",
        ],
    ),
    row(&["tlsSecret.name"], &["tls"], &["", "UPPER", "a_b", "{253}", "{254}"]),
    row(
        &["dataSources[].accessMode"],
        &["ReadOnlyMany", "ReadWriteMany"],
        &["", "ReadWriteOnce", "ReadWriteOncePod", "readOnlyMany", "Other"],
    ),
    row(
        &["dataSources[].mountPath"],
        &["/data/{n}", "data{n}"],
        &["", "/", "/a:b", "..", "/a/../b", "/workspace", "/dev/shm", "data"],
    ),
    row(&["codeRepositories[].remote"], &["https://git.example.org/a/b.git"], &["", "ü", "a b"]),
    row(&["codeRepositories[].clonePath"], &["work{n}"], &["", ".", "..", "/abs", "a:b"]),
    // What needs a key is refused without one for reasons of its own.
    row(
        &[
            "secretRef.key",
            "cloningConfigSecretRef.key",
            "configSecretRef.key",
            "remoteSecretRef.key",
            "tlsSecret.key",
            "imagePullSecrets[].key",
        ],
        &["auth.yaml"],
        &["key", "a.b"],
    ),
    row(&["imagePullSecrets[].name"], &["registry"], &["", "UPPER", "a_b", "{253}", "{254}"]),
    row(&["spec.priorityClassName"], &["high"], &["", "UPPER", "a_b", "a.b", "{253}", "{254}"]),
    row(&["spec.serviceAccountName"], &["runner"], &["", "UPPER", "a_b", "a.b", "{253}", "{254}"]),
];
