//! One admission request, without its wire format.

use k8s_openapi::api::authentication::v1::UserInfo;
use serde::{Deserialize, Serialize};

use crate::object::Object;

/// The operation of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// An object is created.
    Create,
    /// An object is changed.
    Update,
    /// An object is deleted.
    Delete,
    /// A connection to an object is opened, for example by `exec`.
    Connect,
}

impl Operation {
    /// The operation as the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Operation::Create => "CREATE",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
            Operation::Connect => "CONNECT",
        }
    }
}

/// One admission request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The operation.
    pub operation: Operation,
    /// The subresource that is written, if any.
    pub subresource: Option<&'a str>,
    /// Namespace of the object.
    pub namespace: &'a str,
    /// Name of the object; empty when the API server generates it.
    pub name: &'a str,
    /// The user who sends the request.
    pub user: &'a UserInfo,
    /// The old object.
    pub old: Option<Object<'a>>,
    /// The new object.
    pub new: Option<Object<'a>>,
    /// True for a dry run.
    pub dry_run: bool,
}

impl<'a> Request<'a> {
    /// Name of the user who sends the request.
    pub fn user_name(&self) -> &'a str {
        self.user.username.as_deref().unwrap_or_default()
    }

    /// The object that is created or updated; none for other operations and for subresources.
    pub fn evaluated(&self) -> Option<Object<'a>> {
        let writes = matches!(self.operation, Operation::Create | Operation::Update);
        let whole = self.subresource.is_none_or(str::is_empty);
        self.new.filter(|_| writes && whole)
    }

    /// The old object of an update.
    pub fn before(&self) -> Option<Object<'a>> {
        self.old.filter(|_| self.operation == Operation::Update)
    }
}
