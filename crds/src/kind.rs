//! What identifies a kind to clients: its names in objects, in URLs and for kubectl.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Serialize, Serializer, ser::SerializeMap};

/// Whether objects of a kind belong to a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceScope {
    /// Each object belongs to a namespace.
    Namespaced,
    /// Objects belong to the cluster.
    Cluster,
}

impl ResourceScope {
    /// The scope as the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            ResourceScope::Namespaced => "Namespaced",
            ResourceScope::Cluster => "Cluster",
        }
    }
}

/// The names and the scope of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindDescriptor {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// API version. Each of our kinds has one, which is served and stored.
    pub version: &'static str,
    /// Group and version, as the `apiVersion` of an object.
    pub api_version: &'static str,
    /// The `kind` of an object.
    pub kind: &'static str,
    /// The resource in URLs and access rights, in lower case.
    pub plural: &'static str,
    /// The name of one object in kubectl, in lower case.
    pub singular: &'static str,
    /// Short names in kubectl.
    pub short_names: &'static [&'static str],
    /// Whether objects belong to a namespace.
    pub scope: ResourceScope,
}

impl KindDescriptor {
    /// Whether `group` and `kind` name this kind, in whatever version.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }

    /// Whether objects belong to a namespace.
    pub fn is_namespaced(&self) -> bool {
        self.scope == ResourceScope::Namespaced
    }
}

/// A type that represents the objects of one kind.
pub trait DescribedKind {
    /// The names and the scope of the kind.
    const DESCRIPTOR: &'static KindDescriptor;
}

/// Implements for the type of a custom resource what all of them have in common: its descriptor, [`kube::Resource`],
/// accessors of its metadata, and `Serialize` with `apiVersion` and `kind`.
///
/// The type has the fields `metadata`, `spec` and `status`. `required spec` is a plain field, `optional spec` is an
/// `Option`. `status` is always an `Option`.
macro_rules! custom_resource {
    ($type:ident, $presence:ident spec, $scope:ident {
        group: $group:literal,
        version: $version:literal,
        plural: $plural:literal,
        singular: $singular:literal,
        short_names: $short_names:expr,
    }) => {
        impl $crate::kind::DescribedKind for $type {
            const DESCRIPTOR: &'static $crate::kind::KindDescriptor = &$crate::kind::KindDescriptor {
                group: $group,
                version: $version,
                api_version: concat!($group, "/", $version),
                kind: stringify!($type),
                plural: $plural,
                singular: $singular,
                short_names: &$short_names,
                scope: $crate::kind::ResourceScope::$scope,
            };
        }

        impl kube::Resource for $type {
            type DynamicType = ();
            type Scope = $crate::kind::custom_resource!(@kube_scope $scope);

            fn kind(_: &()) -> std::borrow::Cow<'_, str> {
                stringify!($type).into()
            }
            fn group(_: &()) -> std::borrow::Cow<'_, str> {
                $group.into()
            }
            fn version(_: &()) -> std::borrow::Cow<'_, str> {
                $version.into()
            }
            fn plural(_: &()) -> std::borrow::Cow<'_, str> {
                $plural.into()
            }
            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }
            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }

        impl $type {
            /// The object's name; empty before the API server gave one.
            pub fn name(&self) -> &str {
                self.metadata.name.as_deref().unwrap_or_default()
            }

            /// The object's UID; empty before the API server gave one.
            pub fn uid(&self) -> &str {
                self.metadata.uid.as_deref().unwrap_or_default()
            }
        }

        $crate::kind::custom_resource!(@namespace $scope $type);

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let spec = $crate::kind::custom_resource!(@spec $presence self);
                let descriptor = <Self as $crate::kind::DescribedKind>::DESCRIPTOR;
                $crate::kind::serialize(serializer, descriptor, &self.metadata, spec, self.status.as_ref())
            }
        }
    };
    (@kube_scope Namespaced) => { k8s_openapi::NamespaceResourceScope };
    (@kube_scope Cluster) => { k8s_openapi::ClusterResourceScope };
    (@namespace Namespaced $type:ident) => {
        impl $type {
            /// The object's namespace; empty before the API server gave one.
            pub fn namespace(&self) -> &str {
                self.metadata.namespace.as_deref().unwrap_or_default()
            }
        }
    };
    (@namespace Cluster $type:ident) => {};
    (@spec required $object:ident) => { Some(&$object.spec) };
    (@spec optional $object:ident) => { $object.spec.as_ref() };
}
pub(crate) use custom_resource;

/// Serializes an object with the `apiVersion` and `kind` of its descriptor.
pub(crate) fn serialize<S: Serializer>(
    serializer: S,
    descriptor: &KindDescriptor,
    metadata: &ObjectMeta,
    spec: Option<&impl Serialize>,
    status: Option<&impl Serialize>,
) -> Result<S::Ok, S::Error> {
    let mut object = serializer.serialize_map(None)?;
    object.serialize_entry("apiVersion", descriptor.api_version)?;
    object.serialize_entry("kind", descriptor.kind)?;
    object.serialize_entry("metadata", metadata)?;
    if let Some(spec) = spec {
        object.serialize_entry("spec", spec)?;
    }
    if let Some(status) = status {
        object.serialize_entry("status", status)?;
    }
    object.end()
}
