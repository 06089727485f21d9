//! Container images without a container engine: files of this machine in one layer, as an OCI layout.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};

use super::packages;
use crate::{Error, paths};

/// A container image: what is in it and how it is run.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    name: String,
    /// Path in the image, and the file of this machine.
    files: Vec<(String, PathBuf)>,
    /// Path in the image, and where it points.
    links: Vec<(String, String)>,
    /// Path in the image, and what is in it.
    texts: Vec<(String, String)>,
    /// Packages of the distribution.
    packages: Vec<String>,
    config: Map<String, Value>,
}

impl Image {
    /// An empty image of this name, such as `busybox` or `ghcr.io/sojourn-dev/sojourn:0.1.0`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            files: Vec::new(),
            links: Vec::new(),
            texts: Vec::new(),
            packages: Vec::new(),
            config: Map::new(),
        }
    }

    /// The same image under another name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Adds a file of this machine; a program comes with the libraries that it needs.
    #[must_use]
    pub fn file(mut self, path: &str, from: &Path) -> Self {
        self.files.push((path.to_owned(), from.to_path_buf()));
        self
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn link(mut self, path: &str, target: &str) -> Self {
        self.links.push((path.to_owned(), target.to_owned()));
        self
    }

    /// A shell with its tools: the image `busybox` of every node, to add to.
    ///
    /// # Errors
    /// This machine has no busybox that is whole.
    pub fn shell() -> Result<Self, Error> {
        super::shell()
    }

    /// Adds a file that has a text in it; a script can be run.
    #[must_use]
    pub fn text(mut self, path: &str, text: &str) -> Self {
        self.texts.push((path.to_owned(), text.to_owned()));
        self
    }

    /// Adds a package of Debian as it is on this machine, where it is installed if it is not. Documentation is left out.
    #[must_use]
    pub fn package(mut self, name: &str) -> Self {
        self.packages.push(name.to_owned());
        self
    }

    /// The packages that must be on this machine to make it.
    pub(crate) fn packages(&self) -> &[String] {
        &self.packages
    }

    /// Sets a field of the image's configuration: `User`, `Entrypoint`, `Cmd`, `Env`, `Labels`.
    #[must_use]
    pub fn setting(mut self, field: &str, value: Value) -> Self {
        self.config.insert(field.to_owned(), value);
        self
    }

    /// Where the node's registry keeps it. The registry stands in for all others, so their names are
    /// left out, as they are in what a node asks it for.
    pub(crate) fn repository(&self) -> String {
        let name = match self.name.split_once('/') {
            Some((registry, rest)) if registry.contains(['.', ':']) => rest.to_owned(),
            Some(_) => self.name.clone(),
            None => format!("library/{}", self.name),
        };
        let tagged = name.rsplit('/').next().is_some_and(|last| last.contains(':'));
        if tagged { name } else { format!("{name}:latest") }
    }

    /// Writes the image as an OCI layout into the new folder `dir`. Blocking.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), Error> {
        let files = dir.join("files");
        self.gather(&files)?;
        let blobs = dir.join("blobs/sha256");
        paths::create_dir(&blobs)?;
        let layer = dir.join("layer.tar");
        // Nothing of this machine or this moment in it: the same files are the same image.
        let order = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];
        let layer_name = layer.display().to_string();
        let folder_name = files.display().to_string();
        run("tar", &[&order[..], &["-C", &folder_name, "-cf", &layer_name, "."]].concat())?;
        let (layer, layer_size) = store(&blobs, &layer)?;
        let config = json!({
            "architecture": architecture(),
            "os": "linux",
            "config": self.config,
            "rootfs": { "type": "layers", "diff_ids": [layer] },
        });
        let (config, config_size) = store_json(&blobs, &config)?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": config_size,
            },
            "layers": [{
                "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": layer_size,
            }],
        });
        let (manifest, size) = store_json(&blobs, &manifest)?;
        let index = json!({
            "schemaVersion": 2,
            "manifests": [{ "mediaType": MANIFEST, "digest": manifest, "size": size }],
        });
        write(&dir.join("index.json"), &index)?;
        write(&dir.join("oci-layout"), &json!({ "imageLayoutVersion": "1.0.0" }))?;
        std::fs::remove_dir_all(&files).map_err(Error::file("remove", &files))
    }

    /// Copies everything to its place below `root`.
    fn gather(&self, root: &Path) -> Result<(), Error> {
        let inside = |path: &str| root.join(path.trim_start_matches('/'));
        let temporary = root.join("tmp");
        paths::create_dir(&temporary)?;
        std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(0o1777))
            .map_err(Error::file("protect", &temporary))?;
        for (path, from) in &self.files {
            program(from, path, root)?;
        }
        for name in &self.packages {
            for path in packages::files(name)? {
                match std::fs::read_link(&path) {
                    Ok(target) => link(&target, &inside(&path.display().to_string()))?,
                    // No link.
                    Err(_) => program(&path, &path.display().to_string(), root)?,
                }
            }
        }
        for (path, text) in &self.texts {
            let place = inside(path);
            paths::create_dir(place.parent().unwrap_or(root))?;
            std::fs::write(&place, text).map_err(Error::file("write", &place))?;
            let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
            std::fs::set_permissions(&place, std::fs::Permissions::from_mode(mode))
                .map_err(Error::file("protect", &place))?;
        }
        for (path, target) in &self.links {
            link(Path::new(target), &inside(path))?;
        }
        Ok(())
    }
}

/// Copies a file to its path below `root`, and the libraries that it needs to theirs.
fn program(from: &Path, path: &str, root: &Path) -> Result<(), Error> {
    let inside = |path: &str| root.join(path.trim_start_matches('/'));
    copy(from, &inside(path))?;
    for library in libraries(from)? {
        let place = inside(&library);
        if !place.exists() {
            copy(Path::new(&library), &place)?;
        }
    }
    Ok(())
}

fn link(target: &Path, place: &Path) -> Result<(), Error> {
    paths::create_dir(place.parent().unwrap_or(place))?;
    std::os::unix::fs::symlink(target, place).map_err(Error::file("write", place))
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    if let Some(folder) = to.parent() {
        paths::create_dir(folder)?;
    }
    std::fs::copy(from, to).map_err(Error::file("copy", from))?;
    Ok(())
}

/// The shared libraries that a program names, and the loader; nothing for what needs none.
fn libraries(program: &Path) -> Result<Vec<String>, Error> {
    let output = Command::new("ldd")
        .arg(program)
        .output()
        .map_err(|source| Error::Spawn { program: "ldd".into(), source })?;
    // Either `NAME => PATH (ADDRESS)` or `PATH (ADDRESS)`.
    let text = String::from_utf8_lossy(&output.stdout);
    let paths =
        text.lines().flat_map(|line| line.split_ascii_whitespace().find(|word| word.starts_with('/')));
    Ok(paths.filter(|path| !path.ends_with(':')).map(str::to_owned).collect())
}

/// Moves a file to its digest, which it returns with the size.
fn store(blobs: &Path, file: &Path) -> Result<(String, u64), Error> {
    let size = file.metadata().map_err(Error::file("read", file))?.len();
    // The program, because our own code is not optimized in tests and layers are large.
    let digest = run("sha256sum", &[&file.display().to_string()])?;
    let digest = digest.split(' ').next().unwrap_or_default();
    let place = blobs.join(digest);
    std::fs::rename(file, &place).map_err(Error::file("write", &place))?;
    Ok((format!("sha256:{digest}"), size))
}

fn store_json(blobs: &Path, value: &Value) -> Result<(String, u64), Error> {
    let file = blobs.join("new");
    write(&file, value)?;
    store(blobs, &file)
}

fn write(path: &Path, value: &Value) -> Result<(), Error> {
    std::fs::write(path, value.to_string()).map_err(Error::file("write", path))
}

/// Runs a program and returns what it printed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<String, Error> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Error::Spawn { program: program.to_owned(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let tail = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Error::RunProgram { program: program.to_owned(), tail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_knows_images_by_the_names_that_a_node_asks_for() {
        for (name, repository) in [
            ("busybox", "library/busybox:latest"),
            ("team/tool:1", "team/tool:1"),
            ("docker.io/library/busybox:1.36", "library/busybox:1.36"),
            ("registry.k8s.io/pause:3.10", "pause:3.10"),
            ("localhost:5000/a/b", "a/b:latest"),
        ] {
            assert_eq!(Image::new(name).repository(), repository);
        }
    }
}
