//! Reads and writes the Secret: created, or replaced in the version that was observed.

use super::super::{api::within, errors::CallError};
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, api::PostParams};
use sojourn_certs::{SecretData, Stored, store};
use std::collections::BTreeMap;

/// One version of the Secret, raw and parsed.
pub(super) struct Version {
    pub(super) object: Secret,
    pub(super) data: SecretData,
    pub(super) stored: Stored,
}

impl Version {
    pub(super) fn of(object: Secret) -> Self {
        let data = SecretData {
            labels: object.metadata.labels.clone().unwrap_or_default(),
            annotations: object.metadata.annotations.clone().unwrap_or_default(),
            data: object.data.iter().flatten().map(|(key, value)| (key.clone(), value.0.clone())).collect(),
        };
        let stored = Stored::read(&data);
        Self { object, data, stored }
    }
}

/// The Secret of a name.
#[derive(Clone, Debug)]
pub(super) struct SecretStore {
    pub(super) api: Api<Secret>,
    pub(super) name: String,
}

impl SecretStore {
    /// The Secret as it is at this moment, not as a watch remembers it.
    pub(super) async fn get(&self) -> Result<Option<Version>, CallError> {
        Ok(within(self.api.get_opt(&self.name)).await?.map(Version::of))
    }

    /// Creates the Secret. `None`: another writer has created it.
    pub(super) async fn create(&self, data: &SecretData) -> Result<Option<Version>, CallError> {
        let object = Secret {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                labels: Some(data.labels.clone()),
                ..ObjectMeta::default()
            },
            type_: Some(store::SECRET_TYPE.into()),
            data: Some(bytes(data)),
            ..Secret::default()
        };
        written(within(self.api.create(&PostParams::default(), &object)).await)
    }

    /// Replaces that version. `None`: it has changed.
    pub(super) async fn replace(
        &self,
        old: &Version,
        data: &SecretData,
    ) -> Result<Option<Version>, CallError> {
        debug_assert!(old.stored.ours, "somebody else's Secret is never written");
        let mut object = old.object.clone();
        object.metadata.annotations = Some(data.annotations.clone());
        object.data = Some(bytes(data));
        written(within(self.api.replace(&self.name, &PostParams::default(), &object)).await)
    }
}

fn bytes(data: &SecretData) -> BTreeMap<String, ByteString> {
    data.data.iter().map(|(key, value)| (key.clone(), ByteString(value.clone()))).collect()
}

fn written(answer: Result<Secret, CallError>) -> Result<Option<Version>, CallError> {
    match answer {
        Ok(object) => Ok(Some(Version::of(object))),
        Err(error) if error.is_not_found() || error.class() == crate::core::error::ErrorClass::Conflict => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
