//! Which secrets a session refers to. Admission asks whether the requester may delete those that the session adopts, and the
//! operator deletes them with the session: both must know the same references.

use super::{AmaltheaSessionSpec, Location, SecretKeyRef, SecretRef, SessionType};
use std::collections::BTreeSet;

/// A reference to a secret in the namespace of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretReference<'a> {
    /// Where the reference stands, for example `spec.dataSources[0].secretRef`.
    pub path: String,
    /// Name of the secret; may be empty.
    pub name: &'a str,
    /// Whether the secret is deleted with the session.
    pub adopt: bool,
    /// Whether the session cannot run without the secret.
    pub needed: bool,
}

/// Where in a spec references stand: the list, if they stand in one, and the fields that lead to the reference.
pub const PLACES: [(Option<&str>, &[&str]); 7] = [
    (None, &["ingress", "tlsSecret"]),
    (None, &["authentication", "secretRef"]),
    (None, &["session", "remoteSecretRef"]),
    (Some("dataSources"), &["secretRef"]),
    (Some("codeRepositories"), &["cloningConfigSecretRef"]),
    (Some("codeRepositories"), &["configSecretRef"]),
    (Some("imagePullSecrets"), &[]),
];

/// All references of a session. Those of an authentication that is disabled do not count.
pub fn secret_references(spec: &AmaltheaSessionSpec) -> Vec<SecretReference<'_>> {
    let remote = spec.location == Location::Remote;
    let batch = spec.session_type == SessionType::NonInteractive;
    let tls = spec.ingress.as_ref().and_then(|ingress| ingress.tls_secret.as_ref());
    let authentication = spec.authentication.as_ref().filter(|authentication| authentication.enabled);
    let authentication = authentication.map(|authentication| &authentication.secret_ref);
    let mut all: Vec<SecretReference<'_>> = Vec::new();
    all.extend(plain("spec.ingress.tlsSecret", tls, false));
    all.extend(plain("spec.authentication.secretRef", authentication, !batch));
    all.extend(plain("spec.session.remoteSecretRef", spec.session.remote_secret_ref.as_ref(), remote));
    for (index, source) in spec.data_sources.iter().enumerate() {
        let path = format!("spec.dataSources[{index}].secretRef");
        all.extend(plain(&path, source.secret_ref.as_ref(), !remote));
    }
    for (index, repository) in spec.code_repositories.iter().enumerate() {
        let path = |field| format!("spec.codeRepositories[{index}].{field}");
        let cloning = repository.cloning_config_secret_ref.as_ref();
        all.extend(keyed(path("cloningConfigSecretRef"), cloning, true));
        all.extend(keyed(path("configSecretRef"), repository.config_secret_ref.as_ref(), false));
    }
    for (index, reference) in spec.image_pull_secrets.iter().enumerate() {
        all.extend(plain(&format!("spec.imagePullSecrets[{index}]"), Some(reference), false));
    }
    all
}

/// Names of the secrets that a session adopts. A reference without a name adopts nothing.
pub fn adopted_secrets(spec: &AmaltheaSessionSpec) -> BTreeSet<&str> {
    let adopted = secret_references(spec).into_iter().filter(|reference| reference.adopt);
    adopted.map(|reference| reference.name).filter(|name| !name.is_empty()).collect()
}

fn plain<'a>(path: &str, to: Option<&'a SecretRef>, needed: bool) -> Option<SecretReference<'a>> {
    let SecretRef { name, adopt, .. } = to?;
    Some(SecretReference { path: path.to_owned(), name, adopt: *adopt == Some(true), needed })
}

fn keyed(path: String, to: Option<&SecretKeyRef>, needed: bool) -> Option<SecretReference<'_>> {
    let SecretKeyRef { name, adopt, .. } = to?;
    Some(SecretReference { path, name, adopt: *adopt == Some(true), needed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Paths of all objects in a schema that have a property `adopt`; items of lists count as `[0]`.
    fn adoptable(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
        let properties = schema["properties"].as_object();
        if properties.is_some_and(|properties| properties.contains_key("adopt")) {
            found.insert(path.to_owned());
        }
        for (name, property) in properties.into_iter().flatten() {
            adoptable(property, &format!("{path}.{name}"), found);
        }
        if schema["items"].is_object() {
            adoptable(&schema["items"], &format!("{path}[0]"), found);
        }
    }

    #[test]
    fn every_reference_of_the_schema_is_known() {
        let crd = crate::amalthea::crd();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let mut expected = BTreeSet::new();
        adoptable(schema, "spec", &mut expected);
        let secret = json!({"name": "a", "key": "b", "adopt": true});
        let spec: AmaltheaSessionSpec = serde_json::from_value(json!({
            "session": {"image": "debian", "remoteSecretRef": secret},
            "ingress": {"host": "example.org", "tlsSecret": secret},
            "authentication": {"enabled": true, "type": "token", "secretRef": secret},
            "dataSources": [{"secretRef": secret}],
            "imagePullSecrets": [secret],
            "codeRepositories": [{"remote": "https://example.org/a.git",
                "cloningConfigSecretRef": secret, "configSecretRef": secret}],
        }))
        .unwrap();
        let references = secret_references(&spec);
        assert!(references.iter().all(|reference| reference.adopt && reference.name == "a"));
        let known: BTreeSet<String> = references.into_iter().map(|reference| reference.path).collect();
        assert_eq!(known, expected);
        let places = PLACES.iter().map(|(list, fields)| {
            let list = list.map(|list| format!("{list}[0]"));
            let parts: Vec<_> = list.as_deref().into_iter().chain(fields.iter().copied()).collect();
            format!("spec.{}", parts.join("."))
        });
        assert_eq!(places.collect::<BTreeSet<_>>(), expected);
    }

    /// The pod of such a session has no proxy, so it uses no secret.
    #[test]
    fn a_disabled_authentication_refers_to_no_secret() {
        let spec = |enabled: bool| -> AmaltheaSessionSpec {
            serde_json::from_value(json!({
                "session": {"image": "debian"},
                "authentication": {"enabled": enabled, "type": "token", "secretRef": {"name": "a", "adopt": true}},
            }))
            .unwrap()
        };
        assert_eq!(secret_references(&spec(true)).len(), 1);
        assert_eq!(secret_references(&spec(false)), []);
    }
}
