//! The settings file: its path and its language.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::node::Node;
use super::{ConfigError, Source, toml_file, yaml};

/// The file that is read if it exists and no other is named.
pub const DEFAULT_FILE: &str = "registry.toml";

/// The default files of registry:2 and registry:3. wharf does not read them unless they are named: a file for another
/// program must not configure this one. But a warning names them, since a file that was mounted there is expected to be
/// read.
pub(super) const DISTRIBUTION_FILES: [&str; 2] = ["/etc/docker/registry/config.yml", "/etc/distribution/config.yml"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Toml,
    Yaml,
}

/// Reads a settings file; `named_by` is the variable that named it.
pub(super) fn read(path: &Path, named_by: Option<&'static str>) -> Result<(Node, Language), ConfigError> {
    let unreadable = |cause| ConfigError::Unreadable { path: path.to_owned(), named_by, cause };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    parse(&text, path)
}

/// Reads the text of a settings file of this name.
pub(super) fn parse(text: &str, path: &Path) -> Result<(Node, Language), ConfigError> {
    let path: Arc<Path> = Arc::from(path);
    let language = language(&path, text);
    let node = match language {
        Language::Toml => toml_file::read(text, &path)?,
        Language::Yaml => yaml::read(text, &|line| Source::File { path: Arc::clone(&path), line })?,
    };
    Ok((node, language))
}

/// The file to read if none is named.
pub(super) fn default_if_there() -> Option<PathBuf> {
    Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists())
}

/// The language by the file extension; without a known one (a mounted secret), by the form of the first line.
fn language(path: &Path, text: &str) -> Language {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    match ending.as_str() {
        "toml" => return Language::Toml,
        "yml" | "yaml" => return Language::Yaml,
        _ => {}
    }
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    match lines.next() {
        Some(line) if line.starts_with('[') || line.split(':').next().is_some_and(|key| key.contains('=')) => {
            Language::Toml
        }
        Some(line) if line.contains(':') || line.starts_with("---") => Language::Yaml,
        _ => Language::Toml,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_toml_from_yaml() {
        let cases = [
            ("a.toml", "version: 0.1", Language::Toml),
            ("a.yml", "[http]", Language::Yaml),
            ("a.YAML", "", Language::Yaml),
            ("config", "# x\n\nversion: 0.1\n", Language::Yaml),
            ("config", "---\nversion: 0.1\n", Language::Yaml),
            ("config", "[http]\naddr = ':5000'\n", Language::Toml),
            ("config", "http.addr = ':5000'\n", Language::Toml),
            ("config", "", Language::Toml),
        ];
        for (name, text, expected) in cases {
            assert_eq!(language(Path::new(name), text), expected, "{name}: {text}");
        }
    }
}
