//! The access rights of the operator: one table, with the reason of each row.
//!
//! The chart's roles are generated from it, and tests, demo and benchmarks run the operator with exactly these
//! rights: a right that is missing fails there. Rights that can be limited to objects of known names are.

use super::{amalthea, ide_session, lease::LEASE_NAME};
use k8s_openapi::api::rbac::v1::PolicyRule;
use sojourn_crds::{
    KindDescriptor,
    amalthea::{GROUP, KIND},
};
use sojourn_webhooks::SESSION_KINDS;

/// Names that the installation chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnNames {
    /// The Secret of the webhooks' authority, in the operator's namespace.
    pub webhook_secret: String,
    /// The Secret with the key for approved adoptions, in the operator's namespace.
    pub approval_secret: String,
    /// Both webhook configurations.
    pub webhook_configuration: String,
}

/// Where a right holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the whole cluster, whatever the operator's scope is.
    Cluster,
    /// In the whole cluster, when the operator serves all of its namespaces.
    AllNamespaces,
    /// Wherever sessions are served.
    Sessions,
    /// In the operator's own namespace.
    Own,
}

/// The objects of a resource that a right is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Objects {
    All,
    Lease,
    WebhookSecret,
    ApprovalSecret,
    WebhookConfiguration,
}

/// One row of the table.
#[derive(Clone, Copy)]
pub(super) struct Right {
    place: Place,
    group: &'static str,
    resource: &'static str,
    /// Empty for the resource itself.
    subresource: &'static str,
    verbs: &'static [&'static str],
    objects: Objects,
    reason: &'static str,
}

impl Right {
    /// The resource in the form of a rule, with its subresource.
    fn resource(&self) -> String {
        match self.subresource {
            "" => self.resource.to_owned(),
            subresource => format!("{}/{subresource}", self.resource),
        }
    }
}

/// A right of a kind on its own objects, wherever sessions are served.
pub(super) const fn on_sessions(
    kind: &'static KindDescriptor,
    verbs: &'static [&'static str],
    reason: &'static str,
) -> Right {
    on_subresource(kind, "", verbs, reason)
}

/// A right of a kind on a subresource of its own objects, wherever sessions are served.
pub(super) const fn on_subresource(
    kind: &'static KindDescriptor,
    subresource: &'static str,
    verbs: &'static [&'static str],
    reason: &'static str,
) -> Right {
    Right { subresource, ..right(Place::Sessions, kind.group, kind.plural, verbs, Objects::All, reason) }
}

const fn right(
    place: Place,
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
    objects: Objects,
    reason: &'static str,
) -> Right {
    Right { place, group, resource, subresource: "", verbs, objects, reason }
}

use Objects::{All, ApprovalSecret, Lease, WebhookConfiguration, WebhookSecret};
use Place::{AllNamespaces, Cluster, Own, Sessions};

/// Rights on the children of sessions, and those of the operator itself.
const SHARED: [Right; 19] = [
    right(
        Sessions,
        "",
        "persistentvolumeclaims",
        &["list", "watch", "create", "patch", "delete"],
        All,
        "volumes of sessions; that of a data source goes when the spec drops it",
    ),
    right(
        Sessions,
        "",
        "secrets",
        &["list", "watch", "create", "patch", "delete"],
        All,
        "internal secrets of sessions; adopted secrets go with their session; those that are labelled say how IDEs \
         are reached",
    ),
    right(
        Sessions,
        "",
        "services",
        &["list", "watch", "create", "patch"],
        All,
        "addresses of interactive sessions; see which Services of IDEs lead out of the cluster",
    ),
    right(
        Sessions,
        "apps",
        "statefulsets",
        &["list", "watch", "create", "patch"],
        All,
        "workloads of interactive sessions",
    ),
    right(
        Sessions,
        "batch",
        "jobs",
        &["list", "watch", "create", "patch", "delete"],
        All,
        "workloads of batch sessions; the Job of an earlier run makes room for the next",
    ),
    right(
        Sessions,
        "networking.k8s.io",
        "ingresses",
        &["list", "watch", "create", "patch", "delete"],
        All,
        "ways into interactive sessions; a hibernated session has none",
    ),
    right(
        Sessions,
        "",
        "pods",
        &["list", "watch"],
        All,
        "see what became of a session's containers, and which addresses are those of IDEs",
    ),
    right(
        Sessions,
        "",
        "events",
        &["list", "watch", "create"],
        All,
        "hear why a pod does not start, tell what is done",
    ),
    right(Sessions, "metrics.k8s.io", "pods", &["list"], All, "see which sessions are idle"),
    right(
        AllNamespaces,
        "",
        "namespaces",
        &["list", "watch"],
        All,
        "see which Pod Security Standards namespaces enforce, to warn of sessions that they do not allow",
    ),
    right(
        Own,
        "",
        "secrets",
        &["get", "list", "watch", "update"],
        WebhookSecret,
        "share the authority of the webhook certificates among replicas, and see at once what another one did",
    ),
    right(
        Own,
        "",
        "secrets",
        &["get"],
        ApprovalSecret,
        "share the key by which adoptions of secrets are recorded as approved",
    ),
    right(
        Own,
        "",
        "secrets",
        &["create"],
        All,
        "the first replica makes the authority and the key; creation has no name",
    ),
    right(
        Own,
        "",
        "events",
        &["create"],
        All,
        "tell of the certificate's Secret when people should see to it",
    ),
    right(
        Own,
        "coordination.k8s.io",
        "leases",
        &["get", "list", "watch", "update"],
        Lease,
        "only one replica writes, and the next one hears at once when it lets go",
    ),
    right(
        Own,
        "coordination.k8s.io",
        "leases",
        &["create"],
        All,
        "the first replica makes the Lease; creation has no name",
    ),
    right(
        Cluster,
        "admissionregistration.k8s.io",
        "validatingwebhookconfigurations",
        &["get", "list", "watch", "patch"],
        WebhookConfiguration,
        "write the CA bundle, and write it again when it is blanked",
    ),
    right(
        Cluster,
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        &["get", "list", "watch", "patch"],
        WebhookConfiguration,
        "write the CA bundle, and write it again when it is blanked",
    ),
    right(
        Cluster,
        "authentication.k8s.io",
        "tokenreviews",
        &["create"],
        All,
        "know whose token is shown to read the log of an IdeSession or, with --metrics-secure, the metrics",
    ),
];

/// The whole table: the rights of each kind that is run, the shared ones, and a right for each kind of session that
/// only the guard of Jobs watches.
fn rights() -> impl Iterator<Item = Right> {
    let run = amalthea::RIGHTS.into_iter().chain(ide_session::RIGHTS);
    let guarded =
        SESSION_KINDS.iter().map(|kind| kind.descriptor).filter(|kind| !kind.is(GROUP, KIND)).map(|kind| {
            let reason = "know how long sessions may live, so that their Jobs live as long";
            right(Sessions, kind.group, kind.plural, &["list", "watch"], All, reason)
        });
    run.chain(SHARED).chain(guarded)
}

/// What holds in the whole cluster, whatever the operator's scope is.
pub fn cluster_rules(names: &OwnNames) -> Vec<PolicyRule> {
    let (cluster, _) = of_webhooks();
    rules(Place::Cluster, names).into_iter().chain(cluster).collect()
}

/// What else holds in the whole cluster when all of its namespaces are served.
pub fn all_namespaces_rules() -> Vec<PolicyRule> {
    rules(Place::AllNamespaces, &no_names())
}

/// What holds wherever sessions are served: in the cluster, or in each of the served namespaces.
pub fn namespaced_rules() -> Vec<PolicyRule> {
    let (_, namespaced) = of_webhooks();
    rules(Place::Sessions, &no_names()).into_iter().chain(namespaced).collect()
}

/// For rules that are on no object of the operator's own.
fn no_names() -> OwnNames {
    OwnNames {
        webhook_secret: String::new(),
        approval_secret: String::new(),
        webhook_configuration: String::new(),
    }
}

/// What holds in the operator's own namespace.
pub fn own_rules(names: &OwnNames) -> Vec<PolicyRule> {
    rules(Place::Own, names)
}

/// One row of the table, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RightRow {
    /// Group and resource.
    pub resource: String,
    /// Where it holds.
    pub place: &'static str,
    /// Whether it is on an object of one name only.
    pub named: bool,
    /// What may be done.
    pub verbs: &'static [&'static str],
    /// What for.
    pub reason: &'static str,
}

/// The table, for documentation.
pub fn rows() -> impl Iterator<Item = RightRow> {
    rights().map(|right| RightRow {
        resource: format!("{}/{}", right.group, right.resource()).trim_start_matches('/').to_owned(),
        place: match right.place {
            Place::Cluster => "cluster",
            Place::AllNamespaces => "all namespaces",
            Place::Sessions => "sessions",
            Place::Own => "own",
        },
        named: right.objects != All,
        verbs: right.verbs,
        reason: right.reason,
    })
}

/// The rights that the webhooks need, apart: reviews of access have no namespace.
fn of_webhooks() -> (Vec<PolicyRule>, Vec<PolicyRule>) {
    sojourn_webhooks::rbac::policy_rules()
        .into_iter()
        .partition(|rule| rule.api_groups.iter().flatten().any(|group| group == "authorization.k8s.io"))
}

fn rules(place: Place, names: &OwnNames) -> Vec<PolicyRule> {
    let name = |objects| match objects {
        All => None,
        Lease => Some(LEASE_NAME.to_owned()),
        WebhookSecret => Some(names.webhook_secret.clone()),
        ApprovalSecret => Some(names.approval_secret.clone()),
        WebhookConfiguration => Some(names.webhook_configuration.clone()),
    };
    rights()
        .filter(|right| right.place == place)
        .map(|right| PolicyRule {
            api_groups: Some(vec![right.group.to_owned()]),
            resources: Some(vec![right.resource()]),
            verbs: right.verbs.iter().map(|verb| (*verb).to_owned()).collect(),
            resource_names: name(right.objects).map(|name| vec![name]),
            ..PolicyRule::default()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<PolicyRule> {
        let names = OwnNames {
            webhook_secret: "secret".to_owned(),
            approval_secret: "key".to_owned(),
            webhook_configuration: "guard".to_owned(),
        };
        [cluster_rules(&names), all_namespaces_rules(), namespaced_rules(), own_rules(&names)].concat()
    }

    #[test]
    fn no_right_is_a_wildcard_and_every_right_has_a_reason() {
        for rule in all() {
            let lists = [rule.api_groups, rule.resources, rule.resource_names, Some(rule.verbs)];
            assert!(lists.iter().flatten().flatten().all(|value| !value.contains('*')));
        }
        for row in rows() {
            assert!(!row.verbs.is_empty() && row.reason.len() > 10, "{row:?}");
        }
    }

    #[test]
    fn secrets_of_others_are_never_read_one_by_one() {
        let reads = |rule: &PolicyRule| {
            rule.resources.iter().flatten().any(|resource| resource == "secrets")
                && rule.verbs.iter().any(|verb| verb == "get" || verb == "update")
        };
        for rule in all().iter().filter(|rule| reads(rule)) {
            let names = rule.resource_names.as_deref().unwrap_or_default();
            assert!(matches!(names, [name] if name == "secret" || name == "key"), "{names:?}");
        }
    }

    #[test]
    fn configurations_of_others_are_out_of_reach() {
        for rule in all() {
            if rule.api_groups.iter().flatten().any(|group| group == "admissionregistration.k8s.io") {
                assert_eq!(rule.resource_names.as_deref(), Some(&["guard".to_owned()][..]));
            }
        }
    }
}
