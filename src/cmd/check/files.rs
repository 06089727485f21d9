//! Reads what `sojourn check` is pointed at: files, folders, standard input. Bounded: no file is read beyond
//! [`LARGEST`], links to folders are not followed, folders end somewhere.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::document::{self, DocumentError};
use super::examine::Input;

/// The largest input: room for ten thousand manifests, while a mistaken path stays harmless.
const LARGEST: u64 = 32 * 1024 * 1024;
/// How deep folders may be nested.
const DEEPEST: usize = 64;
/// The name that stands for standard input.
pub const STANDARD_INPUT: &str = "-";

/// Why an input cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// A file or folder that cannot be read.
    #[error("cannot read {path}: {source}")]
    ReadFile {
        /// Which one.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// More than [`LARGEST`].
    #[error("{path} is larger than {} MiB", LARGEST / 1024 / 1024)]
    HoldFile {
        /// Which one.
        path: String,
    },
    /// Folders without end.
    #[error("{path} is nested deeper than {DEEPEST} folders")]
    EnterFolder {
        /// Which one.
        path: String,
    },
    /// A folder without a manifest: most likely the wrong one.
    #[error("{path} holds no .yaml, .yml or .json file")]
    FindManifests {
        /// Which one.
        path: String,
    },
    /// What is in it is not what it should be.
    #[error("{path}: {source}")]
    ParseFile {
        /// Which one.
        path: String,
        /// Why.
        #[source]
        source: DocumentError,
    },
}

/// Reads one argument: a file, all manifests of a folder, or standard input.
pub(in crate::cmd) fn read(argument: &Path, inputs: &mut Vec<Input>, errors: &mut Vec<InputError>) {
    if argument == Path::new(STANDARD_INPUT) {
        keep(read_from(io::stdin().lock(), "<stdin>"), inputs, errors);
    } else if argument.is_dir() {
        let (known, failed) = (inputs.len(), errors.len());
        read_folder(argument, 0, inputs, errors);
        if (known, failed) == (inputs.len(), errors.len()) {
            errors.push(InputError::FindManifests { path: shown(argument) });
        }
    } else {
        keep(read_file(argument), inputs, errors);
    }
}

fn keep(read: Result<Input, InputError>, inputs: &mut Vec<Input>, errors: &mut Vec<InputError>) {
    match read {
        Ok(input) => inputs.push(input),
        Err(error) => errors.push(error),
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn read_folder(folder: &Path, depth: usize, inputs: &mut Vec<Input>, errors: &mut Vec<InputError>) {
    let failed = |source| InputError::ReadFile { path: shown(folder), source };
    if depth > DEEPEST {
        return errors.push(InputError::EnterFolder { path: shown(folder) });
    }
    let entries = std::fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
    let mut paths: Vec<PathBuf> = match entries {
        Ok(entries) => entries.into_iter().map(|entry| entry.path()).collect(),
        Err(error) => return errors.push(failed(error)),
    };
    paths.sort();
    for path in paths {
        let link = path.is_symlink();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() {
            if !link && !hidden {
                read_folder(&path, depth + 1, inputs, errors);
            }
        } else if path.is_file() && is_manifest(&path) {
            keep(read_file(&path), inputs, errors);
        }
    }
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known))
}

fn read_file(path: &Path) -> Result<Input, InputError> {
    let name = shown(path);
    let file = File::open(path).map_err(|source| InputError::ReadFile { path: name.clone(), source })?;
    read_from(file, &name)
}

fn read_from(from: impl Read, name: &str) -> Result<Input, InputError> {
    let mut bytes = Vec::new();
    from.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| InputError::ReadFile { path: name.to_owned(), source })?;
    if bytes.len() as u64 > LARGEST {
        return Err(InputError::HoldFile { path: name.to_owned() });
    }
    let documents =
        document::parse(&bytes).map_err(|source| InputError::ParseFile { path: name.to_owned(), source })?;
    Ok(Input { file: name.to_owned(), documents })
}
