//! What Kubernetes refuses in a pod and in the other children of a session, one sort of field a file.
//!
//! The functions take the JSON that a user wrote and the path where it stands, so that findings name the field of the
//! session and not one of its children. They refuse what `ValidatePodTemplateSpec` and its neighbours in
//! `k8s.io/kubernetes/pkg/apis` refuse, and nothing else; `make differential` compares the two on a real API server.
//! A value of the wrong type is passed over: the schema of the kind reports it.

mod address;
pub(crate) mod affinity;
mod amount;
pub(crate) mod annotations;
pub(crate) mod claim;
pub(crate) mod container;
pub(crate) mod dns;
pub(crate) mod host_aliases;
pub(crate) mod ingress;
mod labels;
pub(crate) mod list_keys;
pub(crate) mod node_selector;
pub(crate) mod paths;
pub(crate) mod pod_fields;
pub(crate) mod pod_security_context;
mod profiles;
pub(crate) mod quantity;
pub(crate) mod read;
pub(crate) mod references;
mod report;
#[cfg(test)]
mod testing;
pub(crate) mod tolerations;
pub(crate) mod topology;
pub(crate) mod volumes;

pub(crate) use address::is_ip;
pub(crate) use report::Report;
