//! Affinity, tolerations, node selectors; labels and annotations.

use super::{Row, row};

const KEYS: &[&str] = &[
    "",
    "a/b/c",
    "-a",
    "a-",
    "a b",
    "UPPER.org/x",
    "example.org/",
    "/x",
    "{63}",
    "{64}",
    "example.org/{64}",
    "ü",
];
const LABELS: &[&str] = &[
    "=x",
    "a/b/c=x",
    "-a=x",
    "a b=x",
    "UPPER.org/x=x",
    "{63}=x",
    "{64}=x",
    "app=",
    "app=a b",
    "app={63}",
    "app={64}",
    "app=-a",
    "app=ü",
    "app=a/b",
];
const VALUES: &[&str] = &["", "a b", "-a", "a-", "{63}", "{64}", "ü", "a/b", "7"];
const ANNOTATIONS: &[&str] = &[
    "=x",
    "a/b/c=x",
    "-a=x",
    "a b=x",
    "UPPER.org/x=x",
    "Upper=x",
    "{63}=x",
    "{64}=x",
    "a=",
    "a=any text: ü",
    "a={131072}",
    "a={262145}",
];

pub(super) const ROWS: &[Row] = &[
    row(&["matchFields[].key"], &["metadata.name"], &["", "metadata.namespace", "spec.x"]),
    row(&["matchFields[].operator"], &["In", "NotIn"], &["", "Exists", "Gt", "in"]),
    row(&["matchFields[].values[]"], &["node-1"], &["", "UPPER", "a b", "{253}", "{254}"]),
    row(
        &["preference.matchExpressions[].operator", "nodeSelectorTerms[].matchExpressions[].operator"],
        &["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"],
        &["", "in", "Equal", "Gt", "Exists", "In"],
    ),
    row(
        &[
            "labelSelector.matchExpressions[].operator",
            "namespaceSelector.matchExpressions[].operator",
            "selector.matchExpressions[].operator",
        ],
        &["In", "NotIn", "Exists", "DoesNotExist"],
        &["", "in", "Gt", "Exists", "In"],
    ),
    row(&["matchExpressions[].key", "tolerations[].key"], &["app", "example.org/app"], KEYS),
    row(&["matchExpressions[].values[]"], &["x", "7"], VALUES),
    row(&["topologyKey"], &["kubernetes.io/hostname"], KEYS),
    row(&["matchLabelKeys[]", "mismatchLabelKeys[]"], &["version{n}"], &["", "a b", "a/b/c", "app", "{64}"]),
    row(&["namespaces[]"], &["team"], &["", "UPPER", "a.b", "{63}", "{64}"]),
    row(&["weight"], &["1", "100"], &["0", "-1", "101"]),
    row(&["tolerations[].operator"], &["Equal", "Exists"], &["", "equal", "In", "Gt", "Lt"]),
    row(
        &["tolerations[].effect"],
        &["NoSchedule", "PreferNoSchedule", "NoExecute"],
        &["", "noExecute", "Other"],
    ),
    row(&["tolerations[].value"], &["x"], VALUES),
    row(&["tolerations[].tolerationSeconds"], &["60"], &["0", "-1"]),
    row(&["matchLabels{}", "nodeSelector{}", "labels{}"], &["app=x", "example.org/app=y", "empty="], LABELS),
    row(&["ingress.annotations{}", "annotations{}"], &["a=any text", "example.org/a=b"], ANNOTATIONS),
];
