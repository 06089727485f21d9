//! The webhook configurations for the API server, made from the table.

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations, ServiceReference,
    ValidatingWebhook, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement, ObjectMeta};

use sojourn_crds::amalthea::names::RESULT_FINALIZER;

use crate::table::{Row, TABLE, WebhookType};

/// Default name of both configurations.
pub const CONFIGURATION_NAME: &str = "sojourn";

/// How the API server reaches the webhook server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Through a Service of the cluster.
    Service {
        /// Its name.
        name: String,
        /// Its namespace.
        namespace: String,
        /// Its port.
        port: i32,
    },
    /// At a URL, for a server outside the cluster; without a slash at the end.
    Url(String),
}

/// The namespaces whose objects are sent to the webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Scope {
    /// All namespaces but those of Kubernetes itself.
    #[default]
    Cluster,
    /// These namespaces only.
    Namespaces(Vec<String>),
}

/// The settings of the configurations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigSettings {
    /// Name of both configurations.
    pub name: String,
    /// How the API server reaches the webhook server.
    pub endpoint: Endpoint,
    /// CA bundle in PEM with which the API server verifies the webhook server; empty when it is written later.
    pub ca_bundle: Vec<u8>,
    /// The user of the operator.
    pub operator_user: String,
    /// The namespaces whose objects are sent to the webhooks.
    pub scope: Scope,
}

/// The configuration of the validating rows.
pub fn validating(settings: &ConfigSettings) -> ValidatingWebhookConfiguration {
    let rows = rows(WebhookType::Validating, &settings.scope);
    let webhooks = rows.map(|row| ValidatingWebhook {
        name: row.name.to_owned(),
        admission_review_versions: vec!["v1".to_owned()],
        client_config: client_config(row, settings),
        failure_policy: Some(row.failure_policy.as_str().to_owned()),
        match_conditions: Some(conditions(row, settings)),
        match_policy: Some("Equivalent".to_owned()),
        namespace_selector: Some(namespaces(&settings.scope)),
        object_selector: Some(LabelSelector::default()),
        rules: Some(vec![rule(row)]),
        side_effects: "None".to_owned(),
        timeout_seconds: Some(row.timeout_seconds),
    });
    ValidatingWebhookConfiguration { metadata: metadata(settings), webhooks: Some(webhooks.collect()) }
}

/// The configuration of the mutating rows.
pub fn mutating(settings: &ConfigSettings) -> MutatingWebhookConfiguration {
    let rows = rows(WebhookType::Mutating, &settings.scope);
    let webhooks = rows.map(|row| MutatingWebhook {
        name: row.name.to_owned(),
        admission_review_versions: vec!["v1".to_owned()],
        client_config: client_config(row, settings),
        failure_policy: Some(row.failure_policy.as_str().to_owned()),
        match_conditions: Some(conditions(row, settings)),
        match_policy: Some("Equivalent".to_owned()),
        namespace_selector: Some(namespaces(&settings.scope)),
        object_selector: Some(LabelSelector::default()),
        // The patches do not depend on what other webhooks write.
        reinvocation_policy: Some("Never".to_owned()),
        rules: Some(vec![rule(row)]),
        side_effects: "None".to_owned(),
        timeout_seconds: Some(row.timeout_seconds),
    });
    MutatingWebhookConfiguration { metadata: metadata(settings), webhooks: Some(webhooks.collect()) }
}

/// The files of `webhooks/yaml` by name: the configurations with the default name and without a CA bundle, which the
/// operator writes.
pub fn generated() -> Result<Vec<(&'static str, serde_json::Value)>, serde_json::Error> {
    let settings = ConfigSettings {
        name: CONFIGURATION_NAME.to_owned(),
        endpoint: Endpoint::Service {
            name: CONFIGURATION_NAME.to_owned(),
            namespace: CONFIGURATION_NAME.to_owned(),
            port: 443,
        },
        ca_bundle: Vec::new(),
        operator_user: "system:serviceaccount:sojourn:sojourn".to_owned(),
        scope: Scope::Cluster,
    };
    Ok(vec![
        ("mutating.yaml", serde_json::to_value(mutating(&settings))?),
        ("validating.yaml", serde_json::to_value(validating(&settings))?),
    ])
}

/// The rows of the configuration. An operator of some namespaces does not handle cluster-scoped objects: their clients
/// elsewhere in the cluster must not depend on it.
fn rows(webhook_type: WebhookType, scope: &Scope) -> impl Iterator<Item = &'static Row> {
    let everywhere = *scope == Scope::Cluster;
    TABLE
        .iter()
        .filter(move |row| row.webhook_type == webhook_type && (everywhere || row.descriptor.is_namespaced()))
}

fn metadata(settings: &ConfigSettings) -> ObjectMeta {
    ObjectMeta { name: Some(settings.name.clone()), ..ObjectMeta::default() }
}

fn client_config(row: &Row, settings: &ConfigSettings) -> WebhookClientConfig {
    let ca_bundle = (!settings.ca_bundle.is_empty()).then(|| ByteString(settings.ca_bundle.clone()));
    match &settings.endpoint {
        Endpoint::Service { name, namespace, port } => WebhookClientConfig {
            ca_bundle,
            service: Some(ServiceReference {
                name: name.clone(),
                namespace: namespace.clone(),
                path: Some(row.path()),
                port: Some(*port),
            }),
            url: None,
        },
        Endpoint::Url(base) => {
            WebhookClientConfig { ca_bundle, service: None, url: Some(format!("{base}{}", row.path())) }
        }
    }
}

fn rule(row: &Row) -> RuleWithOperations {
    let one = |text: &str| Some(vec![text.to_owned()]);
    RuleWithOperations {
        api_groups: one(row.descriptor.group),
        api_versions: one(row.descriptor.version),
        operations: Some(row.operations.iter().map(|operation| operation.as_str().to_owned()).collect()),
        resources: one(row.descriptor.plural),
        scope: Some(row.descriptor.scope.as_str().to_owned()),
    }
}

/// What every row leaves alone, then the row's own conditions: the operator itself, status, and edits of an object that
/// is being deleted unless they change what the operator acts on. So a finalizer of anybody else comes off even when
/// no replica answers.
fn conditions(row: &Row, settings: &ConfigSettings) -> Vec<MatchCondition> {
    let condition = |name: &str, expression: String| MatchCondition { name: name.to_owned(), expression };
    // A JSON string is a CEL string.
    let operator = serde_json::Value::from(settings.operator_user.as_str());
    let mut all = vec![
        condition("not-the-operator", format!("request.userInfo.username != {operator}")),
        condition("not-a-subresource", "!has(request.subResource) || request.subResource == ''".to_owned()),
        condition("more-than-finalizers-if-being-deleted", changes_while_being_deleted()),
    ];
    all.extend(row.conditions.iter().map(|own| condition(own.name, (own.expression)())));
    all
}

/// CEL: the object is not being deleted, or the edit changes more than finalizers, or takes our finalizer off a Job.
fn changes_while_being_deleted() -> String {
    let changed = ["spec", "metadata.?labels", "metadata.?annotations", "metadata.?ownerReferences"]
        .map(|field| {
            let field = if field == "spec" { format!("?{field}") } else { field.to_owned() };
            format!("object.{field} != oldObject.{field}")
        })
        .join(" || ");
    let result = serde_json::Value::from(RESULT_FINALIZER);
    let keeps =
        |object: &str| format!("{object}.metadata.?finalizers.orValue([]).exists(name, name == {result})");
    let released = format!("({} && !{})", keeps("oldObject"), keeps("object"));
    let exists = "object == null || oldObject == null || !has(object.metadata.deletionTimestamp)";
    format!("{exists} || {changed} || {released}")
}

/// The operator's own namespace is included: sessions may live there, and no rule concerns the objects that the
/// operator needs to start.
fn namespaces(scope: &Scope) -> LabelSelector {
    let (operator, values) = match scope {
        Scope::Cluster => ("NotIn", vec!["kube-system".to_owned(), "kube-node-lease".to_owned()]),
        Scope::Namespaces(names) => ("In", names.clone()),
    };
    let requirement = LabelSelectorRequirement {
        key: "kubernetes.io/metadata.name".to_owned(),
        operator: operator.to_owned(),
        values: Some(values),
    };
    LabelSelector { match_expressions: Some(vec![requirement]), match_labels: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(endpoint: Endpoint) -> ConfigSettings {
        ConfigSettings {
            name: CONFIGURATION_NAME.to_owned(),
            endpoint,
            ca_bundle: b"pem".to_vec(),
            operator_user: "system:serviceaccount:ns:sojourn".to_owned(),
            scope: Scope::default(),
        }
    }

    #[test]
    fn a_server_outside_the_cluster_is_reached_at_its_url() {
        let made = validating(&settings(Endpoint::Url("https://127.0.0.1:9443".to_owned())));
        let client = &made.webhooks.unwrap()[0].client_config;
        assert_eq!(
            client.url.as_deref(),
            Some("https://127.0.0.1:9443/validate/amalthea.dev/v1alpha1/amaltheasessions")
        );
        assert!(client.service.is_none());
        assert_eq!(client.ca_bundle, Some(ByteString(b"pem".to_vec())));
    }

    #[test]
    fn every_row_is_configured_once_and_leaves_the_operator_alone() {
        let endpoint = Endpoint::Service { name: "s".to_owned(), namespace: "n".to_owned(), port: 443 };
        let settings = settings(endpoint);
        let validating = validating(&settings).webhooks.unwrap();
        let mutating = mutating(&settings).webhooks.unwrap();
        assert_eq!(validating.len() + mutating.len(), TABLE.len());
        for webhook in &validating {
            let first = &webhook.match_conditions.as_ref().unwrap()[0].expression;
            assert_eq!(first, "request.userInfo.username != \"system:serviceaccount:ns:sojourn\"");
            assert_eq!(webhook.client_config.service.as_ref().unwrap().port, Some(443));
        }
    }

    #[test]
    fn jobs_of_nobody_are_kept_away() {
        let made = mutating(&settings(Endpoint::Url(String::new()))).webhooks.unwrap();
        let of_jobs = made.iter().find(|webhook| webhook.name == crate::table::MUTATE_JOB).unwrap();
        let names: Vec<_> = of_jobs.match_conditions.iter().flatten().map(|c| c.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "not-the-operator",
                "not-a-subresource",
                "more-than-finalizers-if-being-deleted",
                "claims-a-session"
            ]
        );
    }

    #[test]
    fn a_scope_of_namespaces_leaves_alone_what_is_in_none() {
        let endpoint = Endpoint::Url(String::new());
        let some = ConfigSettings { scope: Scope::Namespaces(vec!["a".to_owned()]), ..settings(endpoint) };
        let names: Vec<_> = validating(&some).webhooks.unwrap().into_iter().map(|one| one.name).collect();
        let namespaced =
            |row: &&Row| row.webhook_type == WebhookType::Validating && row.descriptor.is_namespaced();
        assert_eq!(names, TABLE.iter().filter(namespaced).map(|row| row.name).collect::<Vec<_>>());
        assert!(names.len() < validating(&settings(Endpoint::Url(String::new()))).webhooks.unwrap().len());
    }

    #[test]
    fn a_scope_of_namespaces_selects_them() {
        let selector = namespaces(&Scope::Namespaces(vec!["a".to_owned()]));
        let requirement = &selector.match_expressions.unwrap()[0];
        assert_eq!((requirement.operator.as_str(), requirement.values.as_ref().unwrap().len()), ("In", 1));
    }
}
