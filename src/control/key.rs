//! Names of objects in the cluster.

use std::{fmt, sync::Arc};

/// Name of an object in the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Namespace; empty for kinds that belong to none.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
}

impl Key {
    /// The key of the object of that name.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key of an object; `None` when it has no name.
    pub fn of(object: &impl kube::Resource) -> Option<Self> {
        let metadata = object.meta();
        Some(Self::new(metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref()?))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            return f.write_str(&self.name);
        }
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
