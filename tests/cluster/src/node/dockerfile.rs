//! An image as a stage of a Dockerfile describes it, as far as that is files of an earlier stage, packages of Debian
//! and how it is run: so that what tests run cannot differ from what users build.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::image::Image;

/// Where a Dockerfile gathers what its images copy to `/`.
const GATHERED: &str = "/image";
/// What an image that begins with Debian can count on here: the shell and what git's scripts call.
const BASE: &[&str] = &["dash", "coreutils", "sed", "grep"];
const DEBIAN: &str = "debian:";
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Image {
    /// The image of `program` under `name`, laid out as the stage `stage` of `dockerfile` says: the places of `cp` and
    /// `ln -s` below `/image`, packages that it installs and users that it adds, and `USER`, `ENTRYPOINT`, `CMD` and
    /// `LABEL`. Other instructions say nothing here.
    #[must_use]
    pub fn of_dockerfile(name: &str, dockerfile: &str, stage: &str, program: &Path) -> Self {
        let mut image = Self::new(name);
        let joined = dockerfile.replace("\\\n", " ");
        let mut here = false;
        for line in joined.lines() {
            let (instruction, rest) = line.trim().split_once(' ').unwrap_or_default();
            image = match instruction {
                "FROM" => {
                    here = rest.split_ascii_whitespace().last() == Some(stage);
                    if here && rest.starts_with(DEBIAN) { image.debian() } else { image }
                }
                "RUN" => rest.split("&&").fold(image, |image, command| {
                    let words: Vec<_> = command.split_ascii_whitespace().collect();
                    if here { image.prepared(&words) } else { image.gathered(&words, program) }
                }),
                _ if !here => image,
                "USER" => image.setting("User", rest.trim().into()),
                "ENTRYPOINT" => image.setting("Entrypoint", serde_json::from_str(rest).unwrap_or_default()),
                "CMD" => image.setting("Cmd", serde_json::from_str(rest).unwrap_or_default()),
                "LABEL" => image.setting("Labels", labels(rest)),
                _ => image,
            };
        }
        image
    }

    fn debian(self) -> Self {
        let image = BASE.iter().fold(self, |image, name| image.package(name));
        image.setting("Env", json!([PATH]))
    }

    /// Does what a command does to the gathered files.
    fn gathered(self, words: &[&str], program: &Path) -> Self {
        match words {
            ["cp", _, to] => match to.strip_prefix(GATHERED) {
                Some(place) => self.file(place, program),
                None => self,
            },
            ["ln", "-s", target, to] => match to.strip_prefix(GATHERED) {
                Some(place) => self.link(place, target),
                None => self,
            },
            _ => self,
        }
    }

    /// Does what a command does to the image itself.
    fn prepared(self, words: &[&str]) -> Self {
        match words {
            ["apt-get", "install", names @ ..] => {
                let names = names.iter().filter(|name| !name.starts_with('-'));
                names.fold(self, |image, name| image.package(name))
            }
            ["useradd", "--uid", number, .., name] => {
                let line = format!("{name}:x:{number}:{number}::/home/{name}:/bin/sh\n");
                self.text("/etc/passwd", &line)
            }
            _ => self,
        }
    }
}

/// `KEY="VALUE" KEY="VALUE"`.
fn labels(text: &str) -> Value {
    let mut labels = Map::new();
    let mut rest = text;
    while let Some((key, more)) = rest.split_once("=\"") {
        let (value, more) = more.split_once('"').unwrap_or((more, ""));
        labels.insert(key.trim().to_owned(), value.into());
        rest = more;
    }
    Value::Object(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_is_what_the_file_says() {
        let text = "FROM a AS build\nRUN make \\\n  && cp target/release/x /image/x \\\n  && ln -s x /image/y\n\
                    FROM debian:1 AS more\nRUN apt-get update \\\n  && apt-get install --yes git \\\n\
                    && useradd --uid 7 --user-group joe\nCOPY --from=build /image/ /\nUSER 7\n\
                    FROM b AS last\nCOPY --from=build /image/ /\nLABEL a.b=\"c d\" \\\n  e=\"f=g\"\nUSER 1:2\n\
                    ENTRYPOINT [\"/x\"]\nCMD [\"run\", \"it\"]\n";
        let image = |stage| Image::of_dockerfile("x", text, stage, Path::new("/built/x"));
        let built = Image::new("x").file("/x", Path::new("/built/x")).link("/y", "x");
        let last = built
            .clone()
            .setting("Labels", json!({"a.b": "c d", "e": "f=g"}))
            .setting("User", json!("1:2"))
            .setting("Entrypoint", json!(["/x"]))
            .setting("Cmd", json!(["run", "it"]));
        assert_eq!(image("last"), last);
        let more = built
            .debian()
            .package("git")
            .text("/etc/passwd", "joe:x:7:7::/home/joe:/bin/sh\n")
            .setting("User", json!("7"));
        assert_eq!(image("more"), more);
    }
}
