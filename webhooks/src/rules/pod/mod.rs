//! What Kubernetes refuses in a pod and in the other children of a session, one sort of field a file.
//!
//! The functions take the JSON that a user wrote and the path where it stands, so that findings name the field of the
//! session and not one of its children. They refuse what `ValidatePodTemplateSpec` and its neighbours in
//! `k8s.io/kubernetes/pkg/apis` refuse, and nothing else; `make differential` compares the two on a real API server.
//! A value of the wrong type is passed over: the schema of the kind reports it.

pub(crate) mod container;
mod report;

#[allow(unused_imports, reason = "callers come with the rules")]
pub(crate) use report::Report;
