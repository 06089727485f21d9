//! The key that approved adoptions are recorded with: in a Secret that all replicas share.
//!
//! The first replica makes it. When the Secret is lost, records that were made before count no longer, and the secrets
//! that they name stay.

use super::{
    api::within,
    errors::{CallError, backoff},
};
use crate::core::{error::ErrorClass, manifest::MANAGER};
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, Client, api::PostParams};
use sojourn_webhooks::adoption::ApprovalKey;

/// The entry of the Secret that holds the key.
const ENTRY: &str = "key";

/// There is no key to record approved adoptions with.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalKeyError {
    /// The Secret cannot be read or made.
    #[error("Secret {name}, in which approved adoptions are recorded, cannot be read or made: {source}")]
    Call {
        /// Name of the Secret.
        name: String,
        /// What the call ended with.
        source: CallError,
    },
    /// The Secret holds something else.
    #[error("entry {ENTRY} of Secret {0} is not a key of {len} bytes: delete the Secret to have it made anew", len = ApprovalKey::LENGTH)]
    Malformed(String),
}

/// The key in the Secret `name`, which is made when it does not exist. Waits for an API server that does not answer.
///
/// # Errors
/// The operator lacks the right, or the Secret holds something else.
pub async fn ensure(client: &Client, namespace: &str, name: &str) -> Result<ApprovalKey, ApprovalKeyError> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let mut failures = 0;
    let secret = loop {
        match read_or_create(&api, name).await {
            Ok(secret) => break secret,
            Err(source) if !matches!(source.class(), ErrorClass::Transient | ErrorClass::Conflict) => {
                return Err(ApprovalKeyError::Call { name: name.to_owned(), source });
            }
            Err(error) => {
                failures += 1;
                tracing::warn!(secret = name, %error, "the key for adoptions cannot be read yet");
                tokio::time::sleep(backoff(ErrorClass::Transient, failures, 0.5)).await;
            }
        }
    };
    key_of(secret, name)
}

/// The key in the Secret `name`; `None` when it does not exist.
///
/// # Errors
/// The Secret cannot be read, or holds something else.
pub async fn find(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<ApprovalKey>, ApprovalKeyError> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let found = within(api.get_opt(name)).await;
    let found = found.map_err(|source| ApprovalKeyError::Call { name: name.to_owned(), source })?;
    found.map(|secret| key_of(secret, name)).transpose()
}

fn key_of(secret: Secret, name: &str) -> Result<ApprovalKey, ApprovalKeyError> {
    let bytes = secret.data.and_then(|mut data| data.remove(ENTRY)).map(|entry| entry.0);
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes.map(ApprovalKey::new).ok_or_else(|| ApprovalKeyError::Malformed(name.to_owned()))
}

async fn read_or_create(api: &Api<Secret>, name: &str) -> Result<Secret, CallError> {
    if let Some(secret) = within(api.get_opt(name)).await? {
        return Ok(secret);
    }
    let key: [u8; ApprovalKey::LENGTH] = rand::random();
    let secret = Secret {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        data: Some([(ENTRY.to_owned(), ByteString(key.to_vec()))].into()),
        // A key that changed would make records void without a word.
        immutable: Some(true),
        ..Secret::default()
    };
    let params = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
    // When another replica was faster, the conflict makes the caller read its key.
    within(api.create(&params, &secret)).await
}
