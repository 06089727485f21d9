//! A session in the operator's own namespace does not use what the operator authenticates with.
//!
//! Whoever may write sessions there could otherwise run a pod with the operator's service account, or mount its
//! Secrets. With those rights the webhook configurations can be changed, which opens the whole cluster.

use serde::Serialize;
use serde_json::Value;

use crate::facts::Facts;
use crate::finding::{Code, FieldPath, Finding, seen};

/// What the operator authenticates with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnCredentials {
    /// The namespace of its Secrets. Empty: none are known.
    pub namespace: String,
    /// Its Secrets.
    pub secrets: Vec<String>,
    /// Namespace and name of its service account, if it is known to have one.
    pub service_account: Option<(String, String)>,
}

impl OwnCredentials {
    /// These, with the service account that `user` is to the API server, if it is one.
    #[must_use]
    pub fn with_user(self, user: &str) -> Self {
        let account = user.strip_prefix("system:serviceaccount:").and_then(|account| account.split_once(':'));
        let service_account = account.map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
        Self { service_account, ..self }
    }

    /// What there is of them in a namespace.
    fn within(&self, namespace: &str) -> Within<'_> {
        let account = self.service_account.as_ref().filter(|(home, _)| home == namespace);
        let secrets: &[String] = if self.namespace == namespace { &self.secrets } else { &[] };
        Within { service_account: account.map(|(_, name)| name.as_str()), secrets }
    }
}

/// The credentials in one namespace.
struct Within<'a> {
    service_account: Option<&'a str>,
    secrets: &'a [String],
}

/// Says where the spec of an object in `namespace` uses credentials of the operator.
pub(crate) fn check<S: Serialize>(namespace: &str, spec: &S, facts: &dyn Facts, findings: &mut Vec<Finding>) {
    let own = facts.settings().own.within(namespace);
    if own.service_account.is_none() && own.secrets.is_empty() {
        return;
    }
    // As JSON, in this one namespace only: references stand in many types, and in newer fields too.
    if let Ok(spec) = serde_json::to_value(spec) {
        walk(&own, &FieldPath::new("spec"), Parent::default(), &spec, findings);
    }
}

/// What a value is called, and what the object around it is called.
#[derive(Clone, Copy, Default)]
struct Parent<'a> {
    field: &'a str,
    around: &'a str,
}

/// The depth is bounded by the reader, which refuses deeper objects.
fn walk(own: &Within<'_>, path: &FieldPath, parent: Parent<'_>, value: &Value, findings: &mut Vec<Finding>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let parent = Parent { field, around: parent.field };
                walk(own, &path.child(field), parent, value, findings);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(own, &path.index(index), parent, item, findings);
            }
        }
        Value::String(text) => {
            if let Some(what) = credential(own, parent, text) {
                findings.push(Finding::new(
                    Code::OperatorCredentials,
                    path.clone(),
                    format!("{} is {what} of the operator, which sessions may not use", seen(text)),
                    "use another one, and keep sessions in a namespace of their own",
                ));
            }
        }
        _ => {}
    }
}

fn credential(own: &Within<'_>, parent: Parent<'_>, text: &str) -> Option<&'static str> {
    let names_account = matches!(parent.field, "serviceAccountName" | "serviceAccount");
    if names_account && own.service_account == Some(text) {
        return Some("the service account");
    }
    // `secretName`, and `name` below `secretRef`, `secretKeyRef`, `secret`, `imagePullSecrets` and the like.
    let names_secret = parent.field == "secretName"
        || (parent.field == "name" && parent.around.to_lowercase().contains("secret"));
    (names_secret && own.secrets.iter().any(|secret| secret == text)).then_some("a Secret")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Offline;
    use crate::settings::AdmissionSettings;
    use rstest::rstest;
    use serde_json::json;

    fn own(user: &str) -> OwnCredentials {
        let own = OwnCredentials {
            namespace: "sojourn".to_owned(),
            secrets: vec!["key".to_owned()],
            service_account: None,
        };
        own.with_user(user)
    }

    fn paths(namespace: &str, spec: Value) -> Vec<String> {
        paths_of(own("system:serviceaccount:sojourn:operator"), namespace, spec)
    }

    fn paths_of(own: OwnCredentials, namespace: &str, spec: Value) -> Vec<String> {
        let facts = Offline::new(
            jiff::Timestamp::UNIX_EPOCH,
            AdmissionSettings { own, ..AdmissionSettings::default() },
        );
        let mut findings = Vec::new();
        check(namespace, &spec, &facts, &mut findings);
        findings.into_iter().map(|finding| finding.path.to_string()).collect()
    }

    #[rstest]
    #[case(json!({"serviceAccountName": "operator"}), "spec.serviceAccountName")]
    #[case(json!({"template": {"spec": {"serviceAccount": "operator"}}}), "spec.template.spec.serviceAccount")]
    #[case(json!({"extraVolumes": [{"name": "v", "secret": {"secretName": "key"}}]}), "spec.extraVolumes[0].secret.secretName")]
    #[case(json!({"extraVolumes": [{"projected": {"sources": [{"secret": {"name": "key"}}]}}]}),
        "spec.extraVolumes[0].projected.sources[0].secret.name")]
    #[case(json!({"extraVolumes": [{"csi": {"nodePublishSecretRef": {"name": "key"}}}]}),
        "spec.extraVolumes[0].csi.nodePublishSecretRef.name")]
    #[case(json!({"session": {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "key", "key": "k"}}}]}}),
        "spec.session.env[0].valueFrom.secretKeyRef.name")]
    #[case(json!({"extraContainers": [{"envFrom": [{"secretRef": {"name": "key"}}]}]}),
        "spec.extraContainers[0].envFrom[0].secretRef.name")]
    #[case(json!({"imagePullSecrets": [{"name": "key", "adopt": true}]}), "spec.imagePullSecrets[0].name")]
    fn credentials_are_found_wherever_they_are_used(#[case] spec: Value, #[case] path: &str) {
        assert_eq!(paths("sojourn", spec.clone()), [path]);
        assert!(paths("elsewhere", spec).is_empty(), "there they are other objects");
    }

    #[test]
    fn other_names_and_other_fields_are_left_alone() {
        let spec = json!({
            "serviceAccountName": "default",
            "extraContainers": [{"name": "key", "env": [{"name": "operator", "value": "key"}]}],
            "imagePullSecrets": [{"name": "other"}],
        });
        assert!(paths("sojourn", spec).is_empty());
    }

    #[test]
    fn account_and_secrets_are_where_they_are() {
        let spec = json!({"serviceAccountName": "operator", "imagePullSecrets": [{"name": "key"}]});
        let elsewhere = own("system:serviceaccount:other:operator");
        assert_eq!(paths_of(elsewhere.clone(), "sojourn", spec.clone()), ["spec.imagePullSecrets[0].name"]);
        assert_eq!(paths_of(elsewhere, "other", spec.clone()), ["spec.serviceAccountName"]);
        assert_eq!(paths_of(own("admin"), "sojourn", spec.clone()), ["spec.imagePullSecrets[0].name"]);
        assert!(paths_of(OwnCredentials::default(), "", spec).is_empty(), "nothing is known");
    }
}
