//! Objects as they are kept between passes: as little of them as tells whether there is news, and the rest packed.

use super::{CachedObject, Kind, StringMap};
use crate::core::packed::{Form, Packed};
use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// What the objects of each kind have in common.
static FORMS: [Form; Kind::ALL.len()] = [const { Form::new() }; Kind::ALL.len()];

/// A UID in as few bytes as it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid([u8; 16]);

impl Uid {
    /// The UID of that text. One that is no UUID, which no API server gives, is told from others by a fingerprint.
    pub fn new(text: &str) -> Self {
        Self(uuid(text).unwrap_or_else(|| {
            let digest = Sha256::digest(text);
            std::array::from_fn(|at| digest[at])
        }))
    }
}

/// A UUID as Kubernetes writes it.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let dashes = [8, 13, 18, 23];
    let digit = |character: u8| match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    };
    let text = text.as_bytes();
    if text.len() != 36 || dashes.iter().any(|at| text[*at] != b'-') {
        return None;
    }
    let mut bytes = [0; 16];
    let digits = text.iter().enumerate().filter(|(at, _)| !dashes.contains(at));
    for (at, (_, character)) in digits.enumerate() {
        bytes[at / 2] = bytes[at / 2] << 4 | digit(*character)?;
    }
    Some(bytes)
}

/// An object of the cluster between passes. `Debug` shows no content: it may be a secret's.
#[derive(Clone, PartialEq, Eq)]
pub struct PackedObject {
    /// Kind of the object.
    pub kind: Kind,
    /// Name.
    pub name: Box<str>,
    /// UID.
    pub uid: Uid,
    /// UID of the controlling owner.
    pub owner: Option<Uid>,
    /// Version of the object, should it be a number, as it always is.
    pub version: Option<u64>,
    rest: Packed,
}

impl fmt::Debug for PackedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// All of an object but its kind and what is JSON already.
#[derive(Serialize, Deserialize)]
struct Head {
    namespace: String,
    name: String,
    uid: String,
    resource_version: String,
    generation: Option<i64>,
    labels: StringMap,
    annotations: StringMap,
    finalizers: Vec<String>,
    owner: Option<String>,
    created: Option<String>,
    deleting: bool,
    takeover: bool,
}

impl PackedObject {
    /// Packs an object.
    pub fn new(live: CachedObject) -> Self {
        let CachedObject { kind, body, status, .. } = live;
        let name = live.name.as_str().into();
        let uid = Uid::new(&live.uid);
        let owner = live.owner.as_deref().map(Uid::new);
        let version = live.resource_version.parse().ok();
        let head = Head {
            namespace: live.namespace,
            name: live.name,
            uid: live.uid,
            resource_version: live.resource_version,
            generation: live.generation,
            labels: live.labels,
            annotations: live.annotations,
            finalizers: live.finalizers,
            owner: live.owner,
            created: live.created.map(|at| at.to_string()),
            deleting: live.deleting,
            takeover: live.takeover,
        };
        // Keys are text and numbers are finite, so there is always a text. JSON on one line holds no end of line.
        let head = serde_json::to_string(&head).unwrap_or_default();
        let text = [&*head, &*body, &*status].join("\n");
        Self { kind, name, uid, owner, version, rest: FORMS[kind as usize].pack(text.as_bytes()) }
    }

    /// The object again.
    pub fn unpack(&self) -> Option<CachedObject> {
        let text = String::from_utf8(FORMS[self.kind as usize].unpack(&self.rest)?).ok()?;
        let mut parts = text.splitn(3, '\n');
        let head: Head = serde_json::from_str(parts.next()?).ok()?;
        Some(CachedObject {
            kind: self.kind,
            namespace: head.namespace,
            name: head.name,
            uid: head.uid,
            resource_version: head.resource_version,
            generation: head.generation,
            labels: head.labels,
            annotations: head.annotations,
            finalizers: head.finalizers,
            owner: head.owner,
            created: head.created.and_then(|at| at.parse::<Timestamp>().ok()),
            deleting: head.deleting,
            takeover: head.takeover,
            body: parts.next()?.into(),
            status: parts.next()?.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn live(kind: Kind, name: &str) -> CachedObject {
        let object: Value = json!({
            "apiVersion": kind.api_version(), "kind": kind.name(),
            "metadata": {
                "name": name, "namespace": "team", "uid": "6f1d6f0e-58a4-4f3a-9d0e-2f4a9b1c7d10",
                "resourceVersion": "4711", "generation": 3, "creationTimestamp": "2026-01-01T11:00:00Z",
                "deletionTimestamp": "2026-01-01T12:00:00Z", "finalizers": ["example.org/kept"],
                "labels": {"app": name, "text": "of two\nlines"}, "annotations": {"example.org/note": "ä\"\\"},
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Any", "name": "any", "uid": "owner", "controller": true},
                ],
                "managedFields": [{"manager": "manager", "operation": "Update"}],
            },
            "spec": {"text": "of two\nlines", "replicas": 1},
            "status": {"replicas": 1, "phase": "Running"},
        });
        CachedObject::from_dynamic(kind, serde_json::from_value(object).unwrap()).unwrap()
    }

    #[test]
    fn an_object_of_any_kind_comes_back_as_it_was() {
        for kind in Kind::ALL {
            for name in ["first", "second"] {
                let live = live(kind, name);
                let packed = PackedObject::new(live.clone());
                assert_eq!(packed.unpack(), Some(live.clone()));
                assert_eq!((packed.kind, &*packed.name, packed.version), (kind, name, Some(4711)));
                assert_eq!((packed.uid, packed.owner), (Uid::new(&live.uid), Some(Uid::new("owner"))));
            }
        }
        let bare = json!({"metadata": {"name": "bare", "uid": "1"}});
        let bare = CachedObject::from_dynamic(Kind::Secret, serde_json::from_value(bare).unwrap()).unwrap();
        assert_eq!(PackedObject::new(bare.clone()).unpack(), Some(bare));
    }

    #[test]
    fn uids_that_differ_stay_different() {
        let one = "6f1d6f0e-58a4-4f3a-9d0e-2f4a9b1c7d10";
        assert_eq!(Uid::new(one), Uid::new(one));
        for other in
            ["6f1d6f0e-58a4-4f3a-9d0e-2f4a9b1c7d11", "6F1D6F0E-58A4-4F3A-9D0E-2F4A9B1C7D10", "", "uid"]
        {
            assert_ne!(Uid::new(one), Uid::new(other), "{other}");
        }
        assert_eq!(Uid::new(one).0[..4], [0x6f, 0x1d, 0x6f, 0x0e]);
    }
}
