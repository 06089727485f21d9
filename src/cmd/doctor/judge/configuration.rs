//! Whether the webhook configurations are those that the table of webhooks asks for.

use super::{Health, Installation, fail, ok, warn};
use serde_json::{Value, json};
use sojourn_webhooks::{
    config::{self, ConfigSettings, Endpoint, Scope},
    table::{FailurePolicy, Row, TABLE, WebhookType},
};
use std::collections::BTreeSet;

/// Namespaces without which a cluster does not come up: nobody but Kubernetes writes there.
const LEFT_ALONE: [&str; 2] = ["kube-system", "kube-node-lease"];
/// What brings a configuration back.
const RESTORE: &str = "helm upgrade brings the configuration back";
/// The start of the condition that names the operator.
const OPERATOR: &str = "request.userInfo.username != ";

impl Installation {
    /// All webhooks of the installation.
    pub(in crate::cmd::doctor) fn webhooks(&self) -> impl Iterator<Item = &Value> {
        self.validating.iter().chain(&self.mutating).flatten()
    }

    /// The user that the operator is, as the configurations say.
    pub(in crate::cmd::doctor) fn operator_user(&self) -> Option<String> {
        self.webhooks()
            .filter_map(|webhook| webhook["matchConditions"].as_array())
            .flatten()
            .filter_map(|condition| condition["expression"].as_str()?.strip_prefix(OPERATOR))
            .find_map(|quoted| serde_json::from_str(quoted).ok())
    }

    /// The namespaces that are guarded, when they are listed.
    pub(in crate::cmd::doctor) fn namespaces(&self) -> Option<Vec<String>> {
        let selectors = self.webhooks().filter_map(|webhook| {
            let expressions = webhook["namespaceSelector"]["matchExpressions"].as_array()?;
            expressions.iter().find(|expression| expression["operator"] == "In")
        });
        selectors.filter_map(|selector| serde_json::from_value(selector["values"].clone()).ok()).next()
    }
}

/// One line for what is missing, one for each webhook that is not as it should be, or one for all.
pub(super) fn judge(installation: &Installation) -> Vec<Health> {
    let wanted = wanted(installation);
    let mut checks = Vec::new();
    // An installation for some namespaces leaves alone what belongs to none.
    let rows = TABLE.iter().filter_map(|row| {
        let wanted = wanted.iter().find(|webhook| webhook["name"] == row.name)?;
        Some((row, wanted))
    });
    for (row, wanted) in rows {
        let validates = matches!(row.webhook_type, WebhookType::Validating);
        let list = if validates { &installation.validating } else { &installation.mutating };
        let name = format!("webhook {}", row.name);
        let live = list.iter().flatten().find(|webhook| webhook["name"] == row.name);
        match live {
            None => checks.push(fail(name, "it is not configured, so its rules do not hold", RESTORE)),
            Some(live) => checks.extend(deviations(row, live, wanted, &name)),
        }
    }
    checks.extend(strangers(installation));
    checks.extend(bundles(installation));
    if checks.is_empty() {
        checks.push(ok(
            "webhook configurations",
            format!("{} webhooks are as this version wants them", wanted.len()),
        ));
    }
    checks
}

/// The webhooks as this version configures them, for the operator and the namespaces of the installation.
fn wanted(installation: &Installation) -> Vec<Value> {
    let settings = ConfigSettings {
        name: installation.name.clone(),
        endpoint: Endpoint::Url(String::new()),
        ca_bundle: Vec::new(),
        operator_user: installation.operator_user().unwrap_or_default(),
        scope: installation.namespaces().map_or(Scope::Cluster, Scope::Namespaces),
    };
    let configurations = [json!(config::validating(&settings)), json!(config::mutating(&settings))];
    configurations.iter().filter_map(|one| one["webhooks"].as_array()).flatten().cloned().collect()
}

/// What of a webhook is not as it should be.
fn deviations(row: &Row, live: &Value, wanted: &Value, name: &str) -> Vec<Health> {
    let mut found = Vec::new();
    let policy = live["failurePolicy"].as_str().unwrap_or("Fail");
    if policy != row.failure_policy.as_str() {
        let then = match row.failure_policy {
            FailurePolicy::Fail => "everything gets in",
            FailurePolicy::Ignore => "nothing gets in",
        };
        let message = format!("failurePolicy is {policy}: when it does not answer, {then}");
        found.push(fail(name, message, RESTORE));
    }
    let timeout = live["timeoutSeconds"].as_i64().unwrap_or(10);
    if timeout > i64::from(row.timeout_seconds) {
        let message = format!(
            "the API server waits {timeout} s for it, {} s are meant: a replica that hangs holds requests up",
            row.timeout_seconds
        );
        found.push(warn(name, message, RESTORE));
    }
    for namespace in LEFT_ALONE.iter().filter(|namespace| selects(&live["namespaceSelector"], namespace)) {
        let message = format!("it is called for namespace {namespace}, which it must leave alone");
        found.push(fail(name, message, RESTORE));
    }
    if live["rules"].to_string().contains('*') {
        let message = "its rules hold a wildcard, so it is called for what it does not know";
        found.push(fail(name, message, RESTORE));
    }
    for field in ["rules", "matchConditions", "matchPolicy", "sideEffects", "objectSelector"] {
        if live[field] != wanted[field] {
            found.push(warn(name, format!("{field} is not as this version has it"), RESTORE));
        }
    }
    let reviews = live["admissionReviewVersions"].as_array();
    if !reviews.is_some_and(|versions| versions.contains(&json!("v1"))) {
        found.push(fail(name, "it is not called with admission reviews of version v1", RESTORE));
    }
    found
}

/// Whether a namespace of that name, with no other labels, is selected.
fn selects(selector: &Value, namespace: &str) -> bool {
    let expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    let mut by_name = expressions.filter(|expression| expression["key"] == "kubernetes.io/metadata.name");
    by_name.all(|expression| {
        let listed = expression["values"].as_array().is_some_and(|values| values.contains(&json!(namespace)));
        match expression["operator"].as_str() {
            Some("In") => listed,
            Some("NotIn") => !listed,
            _ => true,
        }
    })
}

/// Webhooks in our configurations that this version does not know.
fn strangers(installation: &Installation) -> Option<Health> {
    let names: Vec<&str> = installation
        .webhooks()
        .filter_map(|webhook| webhook["name"].as_str())
        .filter(|name| TABLE.iter().all(|row| row.name != *name))
        .collect();
    (!names.is_empty()).then(|| {
        warn(
            "webhook configurations",
            format!("this version does not know {}", names.join(", ")),
            "use the doctor of the installed version, or helm upgrade",
        )
    })
}

fn bundles(installation: &Installation) -> Option<Health> {
    let bundles: BTreeSet<&str> = installation
        .webhooks()
        .map(|webhook| webhook["clientConfig"]["caBundle"].as_str().unwrap_or_default())
        .collect();
    (bundles.len() > 1).then(|| {
        fail(
            "bundle",
            "webhooks of one installation hold different bundles",
            "the operator makes them equal; see in its log why it does not",
        )
    })
}
