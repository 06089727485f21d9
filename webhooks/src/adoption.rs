//! The record that admission approved which secrets a session adopts.
//!
//! Adopted secrets are deleted with their session, by the operator's rights. The spec alone is no permission for that:
//! admission is not asked in every namespace, not while its configurations are removed, and was not asked before
//! Sojourn was installed. So the mutating webhook writes an annotation that names the secrets whose deletion the
//! requester was entitled to, with a message authentication code (HMAC-SHA256, RFC 2104) that only the operator can
//! make, and the operator deletes no secret that it does not name.
//!
//! A record is bound to one object. When a session is created it has neither name (`generateName`) nor UID yet, so the
//! record holds the moment of the review, which the object's `creationTimestamp` must be close to; afterwards it holds
//! the UID.

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use ring::hmac;
use serde::{Deserialize, Serialize};

/// The annotation of a session that holds the record.
pub const ANNOTATION: &str = "sojourn.dev/approved-adoptions";

/// How far the clocks of an API server and of the operator may differ, the time that a request takes included.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// The key that records are made with. All replicas share it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApprovalKey([u8; Self::LENGTH]);

impl ApprovalKey {
    /// Bytes that a key should have.
    pub const LENGTH: usize = 32;

    /// A key of these random bytes.
    pub fn new(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    fn hmac(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0)
    }
}

impl fmt::Debug for ApprovalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApprovalKey(…)")
    }
}

/// The object that a record is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Binding {
    /// The object that is created at about this moment.
    Created(Timestamp),
    /// The object of this UID.
    Uid(String),
}

impl Binding {
    fn fits(&self, metadata: &ObjectMeta) -> bool {
        match self {
            Self::Uid(uid) => metadata.uid.as_ref() == Some(uid),
            Self::Created(moment) => metadata
                .creation_timestamp
                .as_ref()
                .is_some_and(|created| created.0.duration_since(*moment).abs() <= CLOCK_TOLERANCE),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    secrets: BTreeSet<String>,
    binding: Binding,
    mac: String,
}

/// What is authenticated. JSON keeps the parts apart, whatever they contain.
fn message(namespace: &str, binding: &Binding, secrets: &BTreeSet<String>) -> Option<Vec<u8>> {
    serde_json::to_vec(&("sojourn adoption 1", namespace, binding, secrets)).ok()
}

/// The value of the annotation that approves of `secrets` for an object in `namespace`; `None` for none.
pub fn record(
    key: &ApprovalKey,
    namespace: &str,
    binding: Binding,
    secrets: BTreeSet<String>,
) -> Option<String> {
    if secrets.is_empty() {
        return None;
    }
    let mac = hmac::sign(&key.hmac(), &message(namespace, &binding, &secrets)?);
    serde_json::to_string(&Record { mac: STANDARD.encode(mac), secrets, binding }).ok()
}

/// The secrets whose adoption by the object of this metadata was approved.
pub fn approved(key: &ApprovalKey, metadata: &ObjectMeta) -> BTreeSet<String> {
    let annotation = metadata.annotations.as_ref().and_then(|annotations| annotations.get(ANNOTATION));
    let Some(Ok(record)) = annotation.map(|text| serde_json::from_str::<Record>(text)) else {
        return BTreeSet::new();
    };
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    let genuine = message(namespace, &record.binding, &record.secrets)
        .zip(STANDARD.decode(&record.mac).ok())
        .is_some_and(|(message, mac)| hmac::verify(&key.hmac(), &message, &mac).is_ok());
    if genuine && record.binding.fits(metadata) { record.secrets } else { BTreeSet::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use rstest::rstest;

    const MOMENT: &str = "2026-01-01T12:00:00Z";

    fn moment() -> Timestamp {
        MOMENT.parse().unwrap()
    }

    fn secrets(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn session(annotation: Option<String>) -> ObjectMeta {
        ObjectMeta {
            namespace: Some("a".to_owned()),
            uid: Some("u".to_owned()),
            creation_timestamp: Some(Time(moment())),
            annotations: annotation.map(|text| [(ANNOTATION.to_owned(), text)].into()),
            ..ObjectMeta::default()
        }
    }

    #[rstest]
    #[case::new(Binding::Created(moment()), true)]
    #[case::new_with_another_clock(Binding::Created(moment() + CLOCK_TOLERANCE), true)]
    #[case::of_an_older_object(Binding::Created(moment() - CLOCK_TOLERANCE * 2), false)]
    #[case::changed(Binding::Uid("u".to_owned()), true)]
    #[case::of_another_object(Binding::Uid("v".to_owned()), false)]
    fn a_record_counts_for_its_object_only(#[case] binding: Binding, #[case] counts: bool) {
        let key = ApprovalKey::new([7; 32]);
        let text = record(&key, "a", binding, secrets(&["one", "two"])).unwrap();
        let expected = if counts { secrets(&["one", "two"]) } else { secrets(&[]) };
        assert_eq!(approved(&key, &session(Some(text))), expected);
    }

    #[test]
    fn a_record_cannot_be_forged_or_moved() {
        let key = ApprovalKey::new([7; 32]);
        let text = record(&key, "a", Binding::Uid("u".to_owned()), secrets(&["one"])).unwrap();
        let none = secrets(&[]);
        assert_eq!(approved(&ApprovalKey::new([8; 32]), &session(Some(text.clone()))), none);
        assert_eq!(approved(&key, &session(Some(text.replace("one", "two")))), none);
        let elsewhere = ObjectMeta { namespace: Some("b".to_owned()), ..session(Some(text)) };
        assert_eq!(approved(&key, &elsewhere), none);
        for garbage in ["", "{}", "[]", r#"{"secrets":["one"],"binding":{"uid":"u"},"mac":"!"}"#] {
            assert_eq!(approved(&key, &session(Some(garbage.to_owned()))), none);
        }
        assert_eq!(approved(&key, &session(None)), none);
        assert_eq!(record(&key, "a", Binding::Uid("u".to_owned()), none), None);
    }

    #[test]
    fn the_key_is_not_shown() {
        assert_eq!(format!("{:?}", ApprovalKey::new([7; 32])), "ApprovalKey(…)");
    }
}
