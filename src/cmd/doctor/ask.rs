//! Asks a cluster for everything that [`super::judge`] wants to know. Reads, reviews of access, and two dry runs.

use super::{
    certificate::shake,
    facts::{Crd, Endpoint, Facts, Handshake, Installation, Lease, Right, Seen, Trial, Unseen},
};
use crate::control::{
    api,
    context::ReconciledKind,
    errors::CallError,
    lease::LEASE_NAME,
    rbac::{OwnNames, all_namespaces_rules, cluster_rules, namespaced_rules, own_rules},
};
use crate::core::error::ErrorClass;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::{
    admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
    authentication::v1::SelfSubjectReview,
    authorization::v1::{
        ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SubjectAccessReview,
        SubjectAccessReviewSpec,
    },
    coordination::v1::Lease as ApiLease,
    discovery::v1::EndpointSlice,
    rbac::v1::PolicyRule,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, PostParams},
    core::DynamicObject,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sojourn_crds::amalthea::{API_VERSION, AmaltheaSession, KIND};
use sojourn_webhooks::table::TABLE;
use std::{collections::BTreeMap, fmt::Debug};

/// How many questions are under way at a time.
const AT_A_TIME: usize = 16;

/// What to ask, and whom.
pub(super) struct Questions<'a> {
    pub(super) client: Client,
    pub(super) configuration: Option<&'a str>,
    pub(super) trial_namespace: Option<&'a str>,
}

fn seen<T>(answer: Result<T, CallError>) -> Seen<T> {
    answer.map_err(|error| match error.class() {
        ErrorClass::Forbidden => Unseen::Forbidden,
        _ => Unseen::Failed(error.to_string()),
    })
}

/// The webhooks of a configuration, by its name.
type Configurations = BTreeMap<String, Vec<Value>>;

impl Questions<'_> {
    /// Asks everything. An error means that nobody answers at all.
    pub(super) async fn ask(&self) -> Result<Facts, CallError> {
        let reviews: Api<SelfSubjectReview> = Api::all(self.client.clone());
        let review = api::within(reviews.create(&PostParams::default(), &Default::default())).await?;
        let me = review.status.and_then(|status| status.user_info).and_then(|user| user.username);
        let me = me.unwrap_or_default();
        let validating = self.configurations::<ValidatingWebhookConfiguration>().await;
        let mutating = self.configurations::<MutatingWebhookConfiguration>().await;
        let configurations = validating.as_ref().and(mutating.as_ref()).map(drop).map_err(Clone::clone);
        let (validating, mutating) = (validating.unwrap_or_default(), mutating.unwrap_or_default());
        let mut names: Vec<&String> = validating.keys().chain(mutating.keys()).collect();
        names.sort();
        names.dedup();
        let mut installations = Vec::new();
        for name in names.into_iter().filter(|name| self.configuration.is_none_or(|wanted| wanted == *name)) {
            let pair = (validating.get(name).cloned(), mutating.get(name).cloned());
            installations.push(self.installation(name, pair, &me).await);
        }
        Ok(Facts { now: Timestamp::now(), me, crds: self.crds().await, configurations, installations })
    }

    /// The configurations that hold a webhook of ours.
    async fn configurations<K>(&self) -> Seen<Configurations>
    where
        K: kube::Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize,
    {
        let api: Api<K> = Api::all(self.client.clone());
        let list = seen(api::within(api.list(&ListParams::default())).await)?;
        let webhooks = |one: &K| json!(one)["webhooks"].as_array().cloned().unwrap_or_default();
        let ours = |webhook: &Value| TABLE.iter().any(|row| webhook["name"] == row.name);
        let named = list.items.iter().map(|one| (one.name_any(), webhooks(one)));
        Ok(named.filter(|(_, webhooks)| webhooks.iter().any(ours)).collect())
    }

    async fn crds(&self) -> Vec<Crd> {
        let api: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        let mut crds = Vec::new();
        for (_, wanted) in sojourn_crds::all_crds() {
            let name = wanted["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            let live = seen(api::within(api.get_opt(&name)).await).map(|live| live.map(|live| json!(live)));
            // Both by way of the same type, so that what means the same looks the same.
            let wanted = serde_json::from_value::<CustomResourceDefinition>(wanted.clone())
                .map_or(wanted, |typed| json!(typed));
            crds.push(Crd { name, wanted, live });
        }
        crds
    }

    async fn installation(
        &self,
        name: &str,
        (validating, mutating): (Option<Vec<Value>>, Option<Vec<Value>>),
        me: &str,
    ) -> Installation {
        let mut found = Installation {
            name: name.to_owned(),
            validating,
            mutating,
            handshake: Handshake::NoBundle,
            endpoints: None,
            lease: None,
            rights: Ok(Vec::new()),
            trial_namespace: String::new(),
            bad_trial: Trial::Admitted,
            good_trial: Trial::Admitted,
        };
        let client_config = found.webhooks().next().map(|webhook| webhook["clientConfig"].clone());
        let client_config = client_config.unwrap_or_default();
        let service = Service::of(&client_config);
        found.handshake = self.handshake(&client_config, service.as_ref()).await;
        let user = found.operator_user();
        let account = user.as_deref().and_then(|user| user.strip_prefix("system:serviceaccount:"));
        let home = account.and_then(|account| account.split_once(':')).map(|(namespace, _)| namespace);
        if let Some(service) = &service {
            found.endpoints = Some(self.endpoints(service).await);
        }
        if let Some(home) = home {
            found.lease = Some(self.lease(home).await);
        }
        if let (Some(user), Some(home)) = (&user, home) {
            // The chart derives the names of both Secrets from the same name as the Service's. Without a Service they
            // are not known.
            let release = service.as_ref().and_then(|service| service.name.strip_suffix("-webhook"));
            let names = OwnNames {
                approval_secret: release.map(|name| format!("{name}-approvals")).unwrap_or_default(),
                webhook_secret: service.map(|service| service.name).unwrap_or_default(),
                webhook_configuration: name.to_owned(),
            };
            found.rights = self.rights(user, user == me, home, &names, found.namespaces()).await;
        }
        let first = found.namespaces().and_then(|names| names.into_iter().next());
        found.trial_namespace =
            self.trial_namespace.map(str::to_owned).or(first).unwrap_or_else(|| "default".to_owned());
        found.bad_trial = self.trial(&found.trial_namespace, "1d").await;
        found.good_trial = self.trial(&found.trial_namespace, "1h").await;
        found
    }

    async fn handshake(&self, client_config: &Value, service: Option<&Service>) -> Handshake {
        let bundle = serde_json::from_value::<k8s_openapi::ByteString>(client_config["caBundle"].clone());
        let bundle = bundle.map(|bytes| bytes.0).unwrap_or_default();
        if let Some(service) = service {
            let name = format!("{}.{}.svc", service.name, service.namespace);
            return shake((&name, service.port), &name, &bundle).await;
        }
        let url = client_config["url"].as_str().unwrap_or_default();
        let uri: http::Uri = url.parse().unwrap_or_default();
        match uri.host() {
            Some(host) => {
                let host = host.trim_matches(['[', ']']);
                shake((host, uri.port_u16().unwrap_or(443)), host, &bundle).await
            }
            None => Handshake::Refused(format!("{url:?} is no URL to call")),
        }
    }

    async fn endpoints(&self, service: &Service) -> Seen<Vec<Endpoint>> {
        let api: Api<EndpointSlice> = Api::namespaced(self.client.clone(), &service.namespace);
        let params = ListParams::default().labels(&format!("kubernetes.io/service-name={}", service.name));
        let slices = seen(api::within(api.list(&params)).await)?;
        let endpoints = slices.items.into_iter().flat_map(|slice| slice.endpoints);
        Ok(endpoints
            .map(|endpoint| Endpoint {
                // Nothing said is ready, as the API has it.
                ready: endpoint.conditions.and_then(|conditions| conditions.ready).unwrap_or(true),
                node: endpoint.node_name,
            })
            .collect())
    }

    async fn lease(&self, namespace: &str) -> Seen<Option<Lease>> {
        let api: Api<ApiLease> = Api::namespaced(self.client.clone(), namespace);
        let lease = seen(api::within(api.get_opt(LEASE_NAME)).await)?;
        Ok(lease.and_then(|lease| lease.spec).map(|spec| Lease {
            holder: spec.holder_identity.unwrap_or_default(),
            renewed: spec.renew_time.map(|time| time.0),
            seconds: spec.lease_duration_seconds.unwrap_or_default(),
        }))
    }

    /// Whether the operator has each of its rights.
    async fn rights(
        &self,
        user: &str,
        is_me: bool,
        home: &str,
        names: &OwnNames,
        namespaces: Option<Vec<String>>,
    ) -> Seen<Vec<Right>> {
        let everywhere = || vec![String::new()];
        let in_all = if namespaces.is_none() { all_namespaces_rules() } else { Vec::new() };
        let placed = [
            (cluster_rules(names), everywhere()),
            (in_all, everywhere()),
            (namespaced_rules(), namespaces.unwrap_or_else(everywhere)),
            (own_rules(names), vec![home.to_owned()]),
        ];
        let questions: Vec<ResourceAttributes> = placed
            .iter()
            .flat_map(|(rules, places)| places.iter().map(move |place| (rules, place)))
            .flat_map(|(rules, place)| rules.iter().flat_map(move |rule| asked(rule, place)))
            .collect();
        let answers = stream::iter(questions).map(|question| self.right(user, is_me, question));
        answers.buffered(AT_A_TIME).collect::<Vec<_>>().await.into_iter().collect()
    }

    async fn right(&self, user: &str, is_me: bool, question: ResourceAttributes) -> Seen<Right> {
        let what = said(&question);
        let params = PostParams::default();
        let status = if is_me {
            let spec =
                SelfSubjectAccessReviewSpec { resource_attributes: Some(question), ..Default::default() };
            let review = SelfSubjectAccessReview { spec, ..Default::default() };
            let api: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
            seen(api::within(api.create(&params, &review)).await)?.status
        } else {
            let spec = SubjectAccessReviewSpec {
                user: Some(user.to_owned()),
                groups: Some(groups(user)),
                resource_attributes: Some(question),
                ..Default::default()
            };
            let review = SubjectAccessReview { spec, ..Default::default() };
            let api: Api<SubjectAccessReview> = Api::all(self.client.clone());
            seen(api::within(api.create(&params, &review)).await)?.status
        };
        Ok(Right { what, allowed: status.is_some_and(|status| status.allowed) })
    }

    /// What the API server says to a session with that age limit. Nothing is created.
    async fn trial(&self, namespace: &str, max_age: &str) -> Trial {
        let session = json!({
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"generateName": "sojourn-doctor-", "namespace": namespace},
            "spec": {"session": {"image": "sojourn.dev/doctor"}, "culling": {"maxAge": max_age}},
        });
        let object: DynamicObject = match serde_json::from_value(session) {
            Ok(object) => object,
            Err(error) => return Trial::Unknown(error.to_string()),
        };
        let api = api::of_resource(&self.client, &AmaltheaSession::resource(), Some(namespace));
        let params = PostParams { dry_run: true, ..PostParams::default() };
        match api::within(api.create(&params, &object)).await {
            Ok(_) => Trial::Admitted,
            Err(CallError::Kube(kube::Error::Api(status))) => {
                Trial::Refused { code: status.code, message: status.message.clone() }
            }
            Err(error) => Trial::Unknown(error.to_string()),
        }
    }
}

/// The Service that the webhooks are called by.
struct Service {
    namespace: String,
    name: String,
    port: u16,
}

impl Service {
    fn of(client_config: &Value) -> Option<Self> {
        let service = client_config.get("service").filter(|service| service.is_object())?;
        Some(Self {
            namespace: service["namespace"].as_str()?.to_owned(),
            name: service["name"].as_str()?.to_owned(),
            port: service["port"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or(443),
        })
    }
}

/// The groups that the API server puts a service account in.
fn groups(user: &str) -> Vec<String> {
    let account = user.strip_prefix("system:serviceaccount:").and_then(|account| account.split_once(':'));
    let of_accounts = account.map(|(namespace, _)| {
        ["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")]
    });
    of_accounts.into_iter().flatten().chain(["system:authenticated".to_owned()]).collect()
}

/// The questions that a rule stands for, in a namespace; none is everywhere.
fn asked(rule: &PolicyRule, namespace: &str) -> Vec<ResourceAttributes> {
    let list = |texts: &Option<Vec<String>>| texts.clone().unwrap_or_default();
    let names = rule.resource_names.clone();
    let names: Vec<Option<String>> = names.map_or(vec![None], |names| names.into_iter().map(Some).collect());
    // An object whose name nobody knows cannot be asked about.
    let names: Vec<_> = names.into_iter().filter(|name| name.as_deref() != Some("")).collect();
    let mut questions = Vec::new();
    for (group, resource) in list(&rule.api_groups)
        .iter()
        .flat_map(|group| list(&rule.resources).into_iter().map(move |r| (group, r)))
    {
        let (resource, subresource) = match resource.split_once('/') {
            Some((resource, sub)) => (resource.to_owned(), Some(sub.to_owned())),
            None => (resource, None),
        };
        for verb in &rule.verbs {
            questions.extend(names.iter().map(|name| ResourceAttributes {
                group: Some(group.clone()),
                resource: Some(resource.clone()),
                subresource: subresource.clone(),
                verb: Some(verb.clone()),
                name: name.clone(),
                namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
                ..ResourceAttributes::default()
            }));
        }
    }
    questions
}

/// A question as people read it.
fn said(question: &ResourceAttributes) -> String {
    let text = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
    let mut said =
        text(&question.verb).unwrap_or_default() + " " + &text(&question.resource).unwrap_or_default();
    for (before, field) in [
        ("/", &question.subresource),
        (".", &question.group),
        (" ", &question.name),
        (" in ", &question.namespace),
    ] {
        if let Some(text) = text(field) {
            said = said + before + &text;
        }
    }
    said
}
