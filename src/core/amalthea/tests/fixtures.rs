//! Sessions as people write them, and the settings that tests run with.

use crate::core::settings::SessionSettings;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sojourn_crds::amalthea::AmaltheaSession;
use sojourn_webhooks::adoption::{self, ApprovalKey, Binding};

/// When every session of the tests was created: 2026-01-01T00:00:00Z.
pub(super) const CREATED: i64 = 1_767_225_600;

/// So many seconds after the creation of the session.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(CREATED + seconds).unwrap()
}

pub(super) fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// A session as somebody writes it.
#[derive(Clone, Debug)]
pub(super) struct Draft(pub(super) Value);

/// A plain interactive session.
pub(super) fn session(name: &str) -> Draft {
    Draft(json!({
        "apiVersion": "amalthea.dev/v1alpha1",
        "kind": "AmaltheaSession",
        "metadata": {
            "name": name,
            "namespace": "team",
            "uid": format!("uid-of-{name}"),
            "resourceVersion": "1",
            "generation": 1,
            "creationTimestamp": at(0).to_string(),
        },
        "spec": {"session": {"image": "registry.example/notebook:1"}},
    }))
}

impl Draft {
    /// Sets the field at a JSON pointer, and all that it lies in.
    pub(super) fn with(mut self, pointer: &str, value: Value) -> Self {
        put(&mut self.0, pointer, value);
        self
    }

    pub(super) fn spec(self, pointer: &str, value: Value) -> Self {
        self.with(&format!("/spec/{pointer}"), value)
    }

    pub(super) fn status(self, pointer: &str, value: Value) -> Self {
        self.with(&format!("/status/{pointer}"), value)
    }

    pub(super) fn batch(self) -> Self {
        self.spec("sessionType", json!("NonInteractive"))
    }

    pub(super) fn remote(self) -> Self {
        self.spec("location", json!("remote"))
    }

    pub(super) fn hibernated(self) -> Self {
        self.spec("hibernated", json!(true))
    }

    pub(super) fn strategy(self, strategy: &str) -> Self {
        self.spec("reconcileStrategy", json!(strategy))
    }

    pub(super) fn max_age(self, text: &str) -> Self {
        self.spec("culling/maxAge", json!(text))
    }

    pub(super) fn max_idle(self, text: &str) -> Self {
        self.spec("culling/maxIdleDuration", json!(text))
    }

    pub(super) fn max_starting(self, text: &str) -> Self {
        self.spec("culling/maxStartingDuration", json!(text))
    }

    pub(super) fn max_failed(self, text: &str) -> Self {
        self.spec("culling/maxFailedDuration", json!(text))
    }

    pub(super) fn max_hibernated(self, text: &str) -> Self {
        self.spec("culling/maxHibernatedDuration", json!(text))
    }

    pub(super) fn ingress(self) -> Self {
        self.spec("ingress", json!({"host": "sessions.example", "pathPrefix": "/team/hello"}))
            .spec("session/urlPath", json!("/team/hello/lab"))
    }

    pub(super) fn authentication(self, kind: &str) -> Self {
        self.spec(
            "authentication",
            json!({"type": kind, "secretRef": {"name": "auth-secret", "key": "auth.yaml"}}),
        )
    }

    /// With the record that admission approved the adoption of these secrets.
    pub(super) fn approved(self, secrets: &[&str]) -> Self {
        let metadata = &self.0["metadata"];
        let text = |field: &str| metadata[field].as_str().unwrap().to_owned();
        let secrets = secrets.iter().map(|name| (*name).to_owned()).collect();
        let record =
            adoption::record(&approval_key(), &text("namespace"), Binding::Uid(text("uid")), secrets);
        self.with(
            &format!("/metadata/annotations/{}", adoption::ANNOTATION.replace('/', "~1")),
            json!(record),
        )
    }

    pub(super) fn build(&self) -> AmaltheaSession {
        serde_json::from_value(self.0.clone()).unwrap()
    }
}

/// Sets the field at a JSON pointer, and all that it lies in.
pub(super) fn put(object: &mut Value, pointer: &str, value: Value) {
    let mut place = object;
    for key in pointer.trim_start_matches('/').split('/') {
        place = &mut place[key.replace("~1", "/").as_str()];
    }
    *place = value;
}

fn approval_key() -> ApprovalKey {
    ApprovalKey::new([1; ApprovalKey::LENGTH])
}

pub(super) fn settings() -> SessionSettings {
    SessionSettings {
        sidecars_image: "renku/sidecars:latest".into(),
        oauth2_proxy_image: "registry.example/oauth2-proxy:7.6.0".into(),
        approval_key: Some(approval_key()),
        ..SessionSettings::default()
    }
}
