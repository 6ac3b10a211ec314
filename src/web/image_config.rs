//! The configuration of an image ([image-spec, configuration]), read for people.
//!
//! [image-spec, configuration]: https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md

use serde_json::Value;

use super::{
    document::{Document, Entry, list, platform, text, texts},
    reader::Reader,
};
use crate::registry::RegistryError;

/// The configuration of an image; empty if it can't be read.
#[derive(Debug, Default)]
pub(super) struct ImageConfig(Value);

/// A step of the history of an image, with the layer that it made.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) command: String,
    /// `None` if it changed no file.
    pub(super) layer: Option<Entry>,
}

impl ImageConfig {
    /// Reads the configuration of an image.
    pub(super) async fn read<A>(reader: &Reader<'_, A>, image: &Document) -> Result<Self, RegistryError> {
        let Some(config) = image.config.as_ref().filter(|_| image.is_image()) else { return Ok(Self::default()) };
        Ok(Self(reader.json(&config.digest).await?.unwrap_or_default()))
    }

    /// The platform that the image is for.
    pub(super) fn platform(&self) -> Option<String> {
        platform(&self.0)
    }

    /// The history, each step with the layer that it made. Layers without a step come last.
    pub(super) fn steps(&self, layers: &[Entry]) -> Vec<Step> {
        let mut layers = layers.iter().cloned();
        let step = |value: &Value| Step {
            command: value["created_by"].as_str().or(value["comment"].as_str()).unwrap_or_default().to_owned(),
            layer: if value["empty_layer"] == Value::Bool(true) { None } else { layers.next() },
        };
        let mut steps: Vec<Step> = list(&self.0["history"]).map(step).collect();
        let rest = layers.map(|layer| Step { command: String::new(), layer: Some(layer) });
        steps.extend(rest);
        steps
    }

    /// The settings with which it runs, each with its values.
    pub(super) fn settings(&self) -> Vec<(&'static str, Vec<String>)> {
        let config = &self.0["config"];
        let words = |value: &Value| {
            let words: Vec<_> = list(value).filter_map(Value::as_str).map(quoted).collect();
            (!words.is_empty()).then(|| words.join(" ")).or_else(|| text(value))
        };
        let names = |value: &Value| value.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        let env = list(&config["Env"]).filter_map(text).collect();
        let rows = [
            ("Created", text(&self.0["created"]).into_iter().collect()),
            ("Author", text(&self.0["author"]).into_iter().collect()),
            ("Entrypoint", words(&config["Entrypoint"]).into_iter().collect()),
            ("Command", words(&config["Cmd"]).into_iter().collect()),
            ("Working directory", text(&config["WorkingDir"]).into_iter().collect()),
            ("User", text(&config["User"]).into_iter().collect()),
            ("Ports", names(&config["ExposedPorts"])),
            ("Volumes", names(&config["Volumes"])),
            ("Stop signal", text(&config["StopSignal"]).into_iter().collect()),
            ("Environment", env),
        ];
        rows.into_iter().filter(|(_, values): &(_, Vec<String>)| !values.is_empty()).collect()
    }

    /// The labels.
    pub(super) fn labels(&self) -> Vec<(String, String)> {
        texts(&self.0["config"]["Labels"])
    }
}

/// A word, quoted for a shell if it needs that.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use serde_json::json;

    use super::*;
    use crate::oci::{Algorithm, Digest};

    fn layer(number: u8) -> Entry {
        let digest = Digest::of(Algorithm::Sha256, &[number]);
        Entry { digest, media_type: String::new(), size: u64::from(number), title: None, is_elsewhere: false }
    }

    #[test]
    fn steps_have_the_layers_that_they_made() {
        let config = ImageConfig(json!({"history": [
            {"created_by": "ADD a"}, {"created_by": "ENV b", "empty_layer": true}, {"comment": "c"}, 7,
        ]}));
        let steps = config.steps(&(1..=4).map(layer).collect::<Vec<_>>());
        let seen: Vec<_> =
            steps.iter().map(|step| (step.command.as_str(), step.layer.as_ref().map(|layer| layer.size))).collect();
        assert_eq!(seen, [("ADD a", Some(1)), ("ENV b", None), ("c", Some(2)), ("", Some(3)), ("", Some(4))]);
        assert_eq!(ImageConfig::default().steps(&[layer(1)]).len(), 1);
    }

    #[test]
    fn settings_of_any_form_are_read() {
        let config = ImageConfig(json!({
            "os": "linux", "architecture": "arm", "variant": "v7", "created": 5,
            "config": {
                "Entrypoint": ["sh", "-c", "it's"], "Cmd": "x", "Env": ["A=b", 1], "ExposedPorts": {"80/tcp": {}},
                "Labels": {"a": "b", "c": 1}},
        }));
        let settings = config.settings();
        let value = |name| settings.iter().find(|(other, _)| *other == name).map(|(_, values)| values.join(" "));
        assert_eq!(value("Entrypoint").unwrap(), r"sh -c 'it'\''s'");
        assert_eq!(value("Command").unwrap(), "x");
        assert_eq!(value("Environment").unwrap(), "A=b");
        assert_eq!(value("Ports").unwrap(), "80/tcp");
        assert_eq!(value("Created"), None);
        assert_eq!(config.platform().unwrap(), "linux/arm/v7");
        assert_eq!(config.labels(), [("a".to_owned(), "b".to_owned())]);
        for odd in [json!(null), json!([1]), json!({"config": 1, "history": {}})] {
            assert_eq!(ImageConfig(odd).settings(), []);
        }
    }
}
