//! The finalizers of ours: which objects they hold, by kind.
//!
//! A finalizer is a promise that somebody takes it off. Whoever removes the operator has to know all of them, so each
//! kind that is run brings a row.

use crate::{KindDescriptor, amalthea, ide_session};

/// The finalizers that sessions of one kind, and the Jobs of those sessions, may have of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finalizers {
    /// The kind of the sessions.
    pub kind: &'static KindDescriptor,
    /// Those of the sessions.
    pub on_sessions: &'static [&'static str],
    /// Those of their Jobs.
    pub on_jobs: &'static [&'static str],
}

/// The table.
pub const TABLE: [Finalizers; 2] = [amalthea::FINALIZERS, ide_session::FINALIZERS];

/// The finalizers that a Job may have of us, whatever kind its session is of.
pub fn on_jobs() -> Vec<&'static str> {
    let mut names: Vec<_> = TABLE.iter().flat_map(|row| row.on_jobs).copied().collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Path, PathBuf};

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    /// Names and values of the texts that are constants with FINALIZER in their names.
    fn constants(source: &str) -> Vec<(String, String)> {
        // A long declaration goes over several lines.
        let statements =
            source.split(';').map(|statement| statement.split_whitespace().collect::<Vec<_>>().join(" "));
        statements
            .filter_map(|statement| {
                let (_, declaration) = statement.rsplit_once("const ")?;
                let (name, rest) = declaration.split_once(": &str = ")?;
                let value = rest.strip_prefix('"')?.strip_suffix('"')?;
                name.contains("FINALIZER").then(|| (name.to_owned(), value.to_owned()))
            })
            .collect()
    }

    #[test]
    fn no_finalizer_is_missing_in_the_table() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut files = Vec::new();
        for folder in ["crds/src", "webhooks/src", "src"] {
            sources(&root.join(folder), &mut files);
        }
        let all: Vec<_> =
            TABLE.iter().flat_map(|row| row.on_sessions.iter().chain(row.on_jobs)).copied().collect();
        let mut seen = Vec::new();
        for file in files {
            for (name, value) in constants(&std::fs::read_to_string(&file).unwrap()) {
                assert!(all.contains(&value.as_str()), "{name} of {} is not in the table", file.display());
                seen.push(value);
            }
        }
        let unseen: Vec<_> = all.iter().filter(|name| !seen.iter().any(|value| value == **name)).collect();
        assert!(unseen.is_empty(), "no constant found for {unseen:?}: is the search wrong?");
        assert_eq!(on_jobs(), ["sojourn.dev/result"]);
    }

    #[test]
    fn a_constant_is_found_however_it_is_written() {
        let source = "use a;\n/// Holds.\npub(crate) const MY_FINALIZER: &str =\n    \"example.org/held\";\nconst OTHER: &str = \"x\";";
        assert_eq!(constants(source), [("MY_FINALIZER".to_owned(), "example.org/held".to_owned())]);
    }
}
