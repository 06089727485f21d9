//! An image as a Dockerfile describes it, as far as that is files of its last stage and how they are run:
//! so that what tests run cannot differ from what users build.

use std::path::Path;

use serde_json::{Map, Value};

use super::image::Image;

/// Where a Dockerfile gathers what its last stage copies to `/`.
const GATHERED: &str = "/image";

impl Image {
    /// The image of `program` under `name`, laid out as `dockerfile` says: the places of `cp` and `ln -s`
    /// below `/image`, and `USER`, `ENTRYPOINT`, `CMD` and `LABEL`. Other instructions say nothing here.
    #[must_use]
    pub fn of_dockerfile(name: &str, dockerfile: &str, program: &Path) -> Self {
        let mut image = Self::new(name);
        let joined = dockerfile.replace("\\\n", " ");
        for line in joined.lines() {
            let (instruction, rest) = line.trim().split_once(' ').unwrap_or_default();
            image = match instruction {
                "RUN" => rest.split("&&").fold(image, |image, command| image.gathered(command, program)),
                "USER" => image.setting("User", rest.trim().into()),
                "ENTRYPOINT" => image.setting("Entrypoint", serde_json::from_str(rest).unwrap_or_default()),
                "CMD" => image.setting("Cmd", serde_json::from_str(rest).unwrap_or_default()),
                "LABEL" => image.setting("Labels", labels(rest)),
                _ => image,
            };
        }
        image
    }

    /// Does what a command does to the gathered files.
    fn gathered(self, command: &str, program: &Path) -> Self {
        let words: Vec<_> = command.split_ascii_whitespace().collect();
        match words[..] {
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
    use serde_json::json;

    #[test]
    fn the_last_stage_is_what_the_file_says() {
        let text = "FROM a AS build\nRUN make \\\n  && cp target/release/x /image/x \\\n  && ln -s x /image/y\n\
                    FROM b\nCOPY --from=build /image/ /\nLABEL a.b=\"c d\" \\\n  e=\"f=g\"\nUSER 1:2\n\
                    ENTRYPOINT [\"/x\"]\nCMD [\"run\", \"it\"]\n";
        let image = Image::of_dockerfile("x", text, Path::new("/built/x"));
        let expected = Image::new("x")
            .file("/x", Path::new("/built/x"))
            .link("/y", "x")
            .setting("Labels", json!({"a.b": "c d", "e": "f=g"}))
            .setting("User", json!("1:2"))
            .setting("Entrypoint", json!(["/x"]))
            .setting("Cmd", json!(["run", "it"]));
        assert_eq!(image, expected);
    }
}
