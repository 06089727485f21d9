//! What a real API server says: to the session by its schema, and to the children by everything that it has. Nothing is
//! kept: every request is a dry run.

use crate::children::{Child, children, settings};
use futures::future::join_all;
use kube::{
    Api, Client,
    api::PostParams,
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Value, json};
use sojourn::{
    control::api,
    core::{manifest::MANAGER, object::Kind, settings::SessionSettings},
};
use sojourn_cluster::{Cluster, Options, PATIENCE, eventually, test_namespace};
use sojourn_webhooks::settings::KubernetesVersion;
use tokio::sync::Semaphore;

/// How many requests are under way at a time.
const REQUESTS: usize = 32;

/// A real API server with our CRD and without our webhooks.
pub(crate) struct Oracle {
    // Ends with this.
    cluster: Cluster,
    pub(crate) client: Client,
    namespace: String,
    settings: SessionSettings,
    slots: Semaphore,
    /// Its version.
    pub(crate) kubernetes: KubernetesVersion,
}

/// One reason for which a child is refused.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) kind: Kind,
    /// The field of the child; empty if the child could not even be read.
    pub(crate) field: String,
    pub(crate) message: String,
}

/// Why a request was not answered as one that may be refused for its content is.
type Broken = String;

impl Oracle {
    /// Starts a control plane of our own: one that is shared may have our webhooks. Which version is for
    /// `KUBEBUILDER_ASSETS` to say; see tests/cluster.
    pub(crate) async fn start() -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let cluster =
            Cluster::start(Options { nodes: 1, metrics: false, ..Options::default() }).await.unwrap();
        let client = cluster.client().await.unwrap();
        let namespace = test_namespace(&client, "differential").await.unwrap();
        let definitions =
            resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions");
        let definitions: Api<DynamicObject> = Api::all_with(client.clone(), &definitions);
        let crd = serde_json::from_value(sojourn_crds::amalthea::crd()).unwrap();
        definitions.create(&PostParams::default(), &crd).await.unwrap();
        let sessions = sessions(&client, &namespace);
        eventually("the kind is served", async || sessions.list(&Default::default()).await.is_ok())
            .await
            .unwrap();
        let version = client.apiserver_version().await.unwrap();
        let number = |text: &str| text.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
        let kubernetes = KubernetesVersion { major: number(&version.major), minor: number(&version.minor) };
        let slots = Semaphore::new(REQUESTS);
        Self { cluster, client, namespace, settings: settings(), slots, kubernetes }
    }

    /// Ends the control plane.
    pub(crate) async fn stop(self) {
        self.cluster.stop().await;
    }

    /// What the API server makes of `session`; `None` if the schema refuses it.
    pub(crate) async fn take(&self, session: &Value) -> Result<Option<Value>, Broken> {
        Ok(self.create(&sessions(&self.client, &self.namespace), session).await?.ok())
    }

    /// What the children of a session are refused for. `session` is what [`Oracle::take`] made of it.
    pub(crate) async fn refusals(&self, session: &Value) -> Result<Vec<Refusal>, Broken> {
        let children = match children(session, &self.settings) {
            Ok(children) => children,
            // The operator cannot read it, so nothing is ever made of it.
            Err(error) => {
                let message = error.to_string();
                return Ok(vec![Refusal { kind: Kind::StatefulSet, field: "spec".into(), message }]);
            }
        };
        let mut refusals = Vec::new();
        for answer in join_all(children.iter().map(|child| self.ask_about(child))).await {
            refusals.extend(answer?);
        }
        Ok(refusals)
    }

    async fn ask_about(&self, child: &Child) -> Result<Vec<Refusal>, Broken> {
        let api = api::api(&self.client, child.kind, Some(&self.namespace));
        let Err(causes) = self.create(&api, &child.manifest).await? else { return Ok(Vec::new()) };
        let refusal = |(field, message)| Refusal { kind: child.kind, field, message };
        Ok(causes.into_iter().map(refusal).collect())
    }

    /// Creates an object as the operator does (see `control::api::create`), but for a dry run. A refusal for the object's
    /// content is an answer: fields and messages.
    async fn create(
        &self,
        api: &Api<DynamicObject>,
        manifest: &Value,
    ) -> Result<Result<Value, Vec<(String, String)>>, Broken> {
        let object: DynamicObject = match serde_json::from_value(manifest.clone()) {
            Ok(object) => object,
            Err(error) => return Ok(Err(vec![(String::new(), error.to_string())])),
        };
        let params = PostParams { dry_run: true, field_manager: Some(MANAGER.into()) };
        let slot = self.slots.acquire().await.map_err(|error| error.to_string())?;
        let answer = tokio::time::timeout(PATIENCE, api.create(&params, &object)).await;
        drop(slot);
        match answer.map_err(|_| "the API server did not answer".to_owned())? {
            Ok(object) => Ok(Ok(serde_json::to_value(object).map_err(|error| error.to_string())?)),
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 422) => {
                let causes =
                    status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
                if causes.is_empty() {
                    return Ok(Err(vec![(String::new(), status.message.clone())]));
                }
                Ok(Err(causes.iter().map(|cause| (cause.field.clone(), cause.message.clone())).collect()))
            }
            Err(error) => Err(format!("{error}\n{}", json!(object))),
        }
    }
}

fn sessions(client: &Client, namespace: &str) -> Api<DynamicObject> {
    let kind = resource("amalthea.dev", "v1alpha1", "AmaltheaSession", "amaltheasessions");
    Api::namespaced_with(client.clone(), namespace, &kind)
}

fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}
