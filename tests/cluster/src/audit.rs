//! Who asked the API server for what. Tests and benchmarks count requests with it.

use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Deserialize;

use crate::Error;

/// A finished request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Who asked, such as `system:serviceaccount:default:operator`.
    pub user: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; for paths
    /// that are not resources the HTTP method in lower case.
    pub verb: String,
    /// Plural of the resource, empty for paths that are not resources.
    pub resource: String,
    /// Such as `status`, else empty.
    pub subresource: String,
    /// Empty for what is not namespaced and for all namespaces.
    pub namespace: String,
    /// Empty for collections.
    pub name: String,
    /// What follows the question mark, such as `labelSelector=app%3Dx`, else empty.
    pub query: String,
    /// HTTP status of the answer.
    pub code: u16,
    /// How the client names itself.
    pub user_agent: String,
    /// When the answer was complete. For a watch that is when it ended.
    pub at: Timestamp,
}

/// A place in an audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditCursor(u64);

impl AuditCursor {
    /// Before the first entry.
    pub const START: Self = Self(0);
}

/// The audit log of a cluster. Reading it asks the API server nothing.
#[derive(Debug, Clone)]
pub struct AuditLog {
    path: PathBuf,
}

impl AuditLog {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The end of the log as it is now, to count what comes after.
    ///
    /// # Errors
    /// The cluster is gone.
    pub fn cursor(&self) -> Result<AuditCursor, Error> {
        self.since(AuditCursor::START).map(|(_, cursor)| cursor)
    }

    /// The entries after `cursor`, and where they end. An entry appears a moment after the answer that
    /// it tells of.
    ///
    /// # Errors
    /// The cluster is gone.
    pub fn since(&self, cursor: AuditCursor) -> Result<(Vec<AuditEntry>, AuditCursor), Error> {
        let mut bytes = Vec::new();
        std::fs::File::open(&self.path)
            .and_then(|mut file| {
                file.seek(SeekFrom::Start(cursor.0))?;
                file.read_to_end(&mut bytes)
            })
            .map_err(Error::file("read the audit log", &self.path))?;
        // What follows the last line end is still being written.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let entries = bytes[..whole].split(|byte| *byte == b'\n').filter_map(parse).collect();
        Ok((entries, AuditCursor(cursor.0 + whole as u64)))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    verb: String,
    user: User,
    #[serde(default)]
    user_agent: String,
    #[serde(default, rename = "requestURI")]
    request_uri: String,
    #[serde(default)]
    object_ref: ObjectRef,
    #[serde(default)]
    response_status: ResponseStatus,
    stage_timestamp: Timestamp,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ObjectRef {
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ResponseStatus {
    code: u16,
}

fn parse(line: &[u8]) -> Option<AuditEntry> {
    let event: Event = serde_json::from_slice(line).ok()?;
    let object = event.object_ref;
    Some(AuditEntry {
        user: event.user.username,
        verb: event.verb,
        resource: object.resource,
        subresource: object.subresource,
        namespace: object.namespace,
        name: object.name,
        query: event.request_uri.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default(),
        code: event.response_status.code,
        user_agent: event.user_agent,
        at: event.stage_timestamp,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"stage":"ResponseComplete","requestURI":"/apis?dryRun=All","verb":"patch","user":{"username":"op"},"userAgent":"x/1","objectRef":{"resource":"jobs","namespace":"a","name":"b","subresource":"status"},"responseStatus":{"code":200},"stageTimestamp":"2026-01-02T03:04:05.678901Z"}"#;

    #[test]
    fn a_half_written_line_is_left_for_the_next_reader() {
        let path = std::env::temp_dir().join(format!("audit-{}.log", std::process::id()));
        std::fs::write(&path, format!("{LINE}\n{}", &LINE[..40])).unwrap();
        let log = AuditLog::new(path.clone());
        let (first, cursor) = log.since(AuditCursor::START).unwrap();
        assert_eq!(first.len(), 1);
        assert_eq!(
            (first[0].verb.as_str(), first[0].subresource.as_str(), first[0].code),
            ("patch", "status", 200)
        );
        assert_eq!(first[0].query, "dryRun=All");
        std::fs::write(&path, format!("{LINE}\n{LINE}\n")).unwrap();
        let (second, end) = log.since(cursor).unwrap();
        assert_eq!(second, first);
        assert_eq!(log.cursor().unwrap(), end);
        std::fs::remove_file(path).unwrap();
    }
}
