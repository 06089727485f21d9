//! Captured streams, and the names of their files.
//!
//! A name is made of an object's name and UID and of nothing else, so that no status and no request can lead to
//! another file. Two objects never share a file, since no UID is given twice.

use sojourn_crds::dns::is_subdomain;

/// Bytes that file systems allow in the name of a file.
const MAX_BYTES: usize = 255;
/// Bytes of a UID at most. Those of an API server have 36.
const MAX_UID: usize = 64;
const SYSTEM: (&str, &str) = ("resource-idesession-", ".log");

/// A captured stream of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// The standard output of its process.
    Stdout,
    /// The standard error of its process.
    Stderr,
    /// Remarks of the operator about the session.
    System,
}

impl Stream {
    /// All streams.
    pub const ALL: [Stream; 3] = [Stream::Stdout, Stream::Stderr, Stream::System];
}

/// The object that a capture belongs to. Its name and UID are such as Kubernetes gives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    name: String,
    uid: String,
}

/// There are no files for an object of that name or UID.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameOwnerError {
    /// The name.
    #[error("{0:?} is not the name of an object")]
    Name(String),
    /// The UID.
    #[error("{0:?} is not the UID of an object")]
    Uid(String),
}

impl Owner {
    /// The object of that name and UID.
    pub fn new(name: &str, uid: &str) -> Result<Self, NameOwnerError> {
        if !is_subdomain(name) {
            return Err(NameOwnerError::Name(name.to_owned()));
        }
        if !is_uid(uid) {
            return Err(NameOwnerError::Uid(uid.to_owned()));
        }
        Ok(Self { name: name.to_owned(), uid: uid.to_owned() })
    }

    /// Name of the object.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// UID of the object.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// The name of the file that holds `stream`.
    pub fn file_name(&self, stream: Stream) -> String {
        let part = match stream {
            Stream::Stdout => "_out_",
            Stream::Stderr => "_err_",
            Stream::System => return format!("{}{}{}", SYSTEM.0, self.uid, SYSTEM.1),
        };
        // A long name is cut, the UID never: it alone tells objects apart.
        let room = MAX_BYTES - part.len() - self.uid.len();
        format!("{}{part}{}", &self.name[..self.name.len().min(room)], self.uid)
    }
}

/// The UID in the name of a file of ours; none in that of any other file.
pub(crate) fn uid_of(file_name: &str) -> Option<&str> {
    let of_system = || file_name.strip_prefix(SYSTEM.0)?.strip_suffix(SYSTEM.1);
    let of_output = || {
        let (rest, uid) = file_name.rsplit_once('_')?;
        let name = rest.strip_suffix("_out").or_else(|| rest.strip_suffix("_err"))?;
        (!name.is_empty() && !name.contains('_')).then_some(uid)
    };
    of_system().or_else(of_output).filter(|uid| is_uid(uid))
}

fn is_uid(text: &str) -> bool {
    (1..=MAX_UID).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const UID: &str = "0f3b7a52-8a53-4f0e-9d55-1f2d3c4b5a69";

    #[test]
    fn files_are_called_as_the_original_calls_them() {
        let owner = Owner::new("web-client", UID).unwrap();
        assert_eq!(owner.file_name(Stream::Stdout), format!("web-client_out_{UID}"));
        assert_eq!(owner.file_name(Stream::Stderr), format!("web-client_err_{UID}"));
        assert_eq!(owner.file_name(Stream::System), format!("resource-idesession-{UID}.log"));
    }

    #[rstest]
    #[case("..", UID)]
    #[case("../../etc/passwd", UID)]
    #[case("a/b", UID)]
    #[case("a_out_b", UID)]
    #[case("", UID)]
    #[case("a\0", UID)]
    fn other_names_are_refused(#[case] name: &str, #[case] uid: &str) {
        assert_eq!(Owner::new(name, uid), Err(NameOwnerError::Name(name.to_owned())));
    }

    #[rstest]
    #[case("")]
    #[case("../x")]
    #[case("a/b")]
    #[case("a.b")]
    #[case("a b")]
    #[case("\u{e9}")]
    fn other_uids_are_refused(#[case] uid: &str) {
        assert_eq!(Owner::new("a", uid), Err(NameOwnerError::Uid(uid.to_owned())));
        assert!(Owner::new("a", &"f".repeat(MAX_UID + 1)).is_err());
    }

    #[rstest]
    #[case("notes.txt")]
    #[case("resource-idesession-.log")]
    #[case("resource-executable-1.log")]
    #[case("_out_1")]
    #[case("a_in_1")]
    #[case("a_out_")]
    fn files_of_others_are_told_apart(#[case] name: &str) {
        assert_eq!(uid_of(name), None);
    }

    proptest! {
        #[test]
        fn every_owner_has_files_of_its_own_that_lead_back_to_it(
            name in "[a-z0-9]([-a-z0-9]{0,250}[a-z0-9])?", uid in "[a-f0-9-]{1,64}",
        ) {
            let owner = Owner::new(&name, &uid).unwrap();
            for stream in Stream::ALL {
                let file = owner.file_name(stream);
                prop_assert!(file.len() <= MAX_BYTES && !file.contains('/'));
                prop_assert_eq!(uid_of(&file), Some(uid.as_str()));
            }
        }
    }
}
