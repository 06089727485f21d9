//! One admission request as the rules see it, without the wire around it.

use k8s_openapi::api::authentication::v1::UserInfo;
use serde::{Deserialize, Serialize};

use crate::object::Object;

/// What is being done to the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// A new object.
    Create,
    /// A changed object.
    Update,
    /// An object that goes.
    Delete,
    /// A connection to an object, for example `exec`.
    Connect,
}

impl Operation {
    /// As the API writes it.
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
    /// What is being done.
    pub operation: Operation,
    /// The subresource that is written, if any.
    pub subresource: Option<&'a str>,
    /// Namespace of the object.
    pub namespace: &'a str,
    /// Name of the object; empty when the server is to generate it.
    pub name: &'a str,
    /// Who asks.
    pub user: &'a UserInfo,
    /// The object as it is.
    pub old: Option<Object<'a>>,
    /// The object as it shall be.
    pub new: Option<Object<'a>>,
    /// True when nothing will be stored.
    pub dry_run: bool,
}

impl<'a> Request<'a> {
    /// Name of the user who asks.
    pub fn user_name(&self) -> &'a str {
        self.user.username.as_deref().unwrap_or_default()
    }

    /// The object that is written, unless nothing is, or only a subresource.
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
