//! The choices of whoever installed the operator that decisions depend on.

use crate::core::images::Rules;
use sojourn_crds::amalthea::OnDeadline;

/// What shapes sessions and their children.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// Storage class of claims for remote storage.
    pub rclone_storage_class: String,
    /// Image of the operator's own containers in session pods.
    pub sidecars_image: String,
    /// Image of oauth2-proxy.
    pub oauth2_proxy_image: String,
    /// Whether the proxy's cookie is sent across sites (`SameSite=None`).
    pub none_same_site_cookie: bool,
    /// Whether sessions are reached by https although their Ingress does not say so.
    pub https_ingress: bool,
    /// Where images are pulled from instead of where they say.
    pub image_rewrite: Option<Rules>,
    /// What happens when a batch session reaches its `maxAge`.
    pub on_deadline: OnDeadline,
    /// Whether this is OpenShift, which also reads a pod's deprecated `serviceAccount`.
    pub openshift: bool,
}
