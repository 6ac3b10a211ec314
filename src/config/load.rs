//! Loads one checked `Config` from the sources.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::file::{self, Language};
use super::node::Node;
use super::values::Values;
use super::{
    CONFIGURATION_PATH, Config, ConfigErrors, EffectiveSetting, Notice, Source, Store, access, auth, effective,
    environment, health, http, limits, log, notifications, retention, s3, storage, table, ui, upstreams, validation,
};

/// The sources of settings.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file that the command line names.
    pub file: Option<PathBuf>,
    /// Whether the default file is left alone, so that only a file with a name is read.
    pub named_file_only: bool,
    /// The environment; only names that begin with `REGISTRY_` are read.
    pub environment: Vec<(OsString, OsString)>,
    /// Options of the command line: its name, the key it sets, the value.
    pub flags: Vec<(&'static str, &'static str, String)>,
}

/// The settings and the warnings about them.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// The warnings for the log.
    pub notices: Vec<Notice>,
    /// The file that was read.
    pub file: Option<PathBuf>,
    values: Values,
}

impl Sources {
    /// The environment of this process, and the file that the command line names, if any.
    #[must_use]
    pub fn of_process(file: Option<PathBuf>) -> Self {
        Self { file, environment: std::env::vars_os().collect(), ..Self::default() }
    }

    /// Reads and checks everything.
    ///
    /// # Errors
    ///
    /// All errors at once.
    pub fn load(&self) -> Result<Loaded, ConfigErrors> {
        let mut values = Values::new(table::find);
        let variables = self.variables(&mut values);
        let named = variables.iter().find(|(name, path)| name == CONFIGURATION_PATH && !path.is_empty());
        let file = self.file.clone().or_else(|| named.map(|(_, path)| PathBuf::from(path)));
        let file = file.or_else(|| if self.named_file_only { None } else { file::default_if_there() });
        match &file {
            Some(path) => {
                let named_by = named.filter(|_| self.file.is_none()).map(|_| CONFIGURATION_PATH);
                take_file(&mut values, file::read(path, named_by)?);
            }
            None => warn_of_distribution_files(&mut values),
        }
        environment::apply(&mut values, &variables);
        for (flag, key, text) in &self.flags {
            values.assign(key, Node::scalar(text, Source::Flag(flag)));
        }
        let config = sections(&mut values);
        if !values.errors.is_empty() {
            return Err(ConfigErrors::sorted(values.errors));
        }
        let mut notices = std::mem::take(&mut values.notices);
        notices.sort_by_key(|notice| notice.place.line());
        Ok(Loaded { config, notices, file, values })
    }

    fn variables(&self, values: &mut Values) -> Vec<(String, String)> {
        let mut variables = Vec::new();
        for (name, value) in &self.environment {
            let Some(name) = name.to_str().filter(|name| name.starts_with("REGISTRY_")) else { continue };
            match value.to_str() {
                Some(value) => variables.push((name.to_owned(), value.to_owned())),
                None => values.bad(name, Source::Variable(name.into()), "the value is not UTF-8"),
            }
        }
        variables
    }
}

impl Loaded {
    /// Every setting that is honoured or was set, with its value and source.
    #[must_use]
    pub fn effective(&self) -> Vec<EffectiveSetting> {
        effective::effective(&self.values)
    }
}

/// The settings without any source.
pub(super) fn defaults() -> Config {
    // A test checks that all defaults are valid.
    sections(&mut Values::new(table::find))
}

/// What a text in a file of this name and these variables come to, for tests: settings, errors, notices. What is only
/// "not there yet" is no error here, so that the rules are tested before they are switched on.
#[cfg(any(test, fuzzing))]
pub(super) fn tried(name: &str, text: &str, variables: &[(&str, &str)]) -> (Config, Vec<String>, Vec<String>) {
    let mut values = Values::new(table::find);
    match file::parse(text, Path::new(name)) {
        Ok(parsed) => take_file(&mut values, parsed),
        Err(error) => values.errors.push(error),
    }
    let variables: Vec<_> = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    environment::apply(&mut values, &variables);
    let config = sections(&mut values);
    values.errors.retain(|error| !matches!(error, super::ConfigError::NotYet { .. }));
    let errors = values.errors.iter().map(ToString::to_string).collect();
    (config, errors, values.notices.iter().map(ToString::to_string).collect())
}

/// Every key that a file sets, with its value as text if it is one, and what is wrong with the file.
#[cfg(test)]
pub(super) fn documented_keys(
    path: &Path,
    text: &str,
) -> (std::collections::BTreeMap<&'static str, String>, Vec<String>) {
    let mut values = Values::new(table::find);
    match file::parse(text, path) {
        Ok(parsed) => take_file(&mut values, parsed),
        Err(error) => values.errors.push(error),
    }
    let text = |node: &Node| match &node.value {
        super::node::Value::Scalar(text) => text.clone(),
        _ => String::new(),
    };
    let keys = values.set.iter().map(|(key, node)| (*key, text(node))).collect();
    (keys, values.errors.iter().map(ToString::to_string).collect())
}

fn take_file(values: &mut Values, (root, language): (Node, Language)) {
    values.yaml = language == Language::Yaml;
    values.assign("", root);
}

fn warn_of_distribution_files(values: &mut Values) {
    for path in file::DISTRIBUTION_FILES.iter().filter(|path| Path::new(path).exists()) {
        let text = format!(
            "{path} is there and is not read; name it to have it read (wharf serve {path}, or {CONFIGURATION_PATH})"
        );
        values.notices.push(Notice { place: Source::Default, text });
    }
}

fn sections(values: &mut Values) -> Config {
    values.check_statuses();
    let auth = auth::read(values);
    let (access, groups) = access::read(values);
    access::check(values, &auth.mode);
    let upstreams = upstreams::read(values, &auth.mode);
    let config = Config {
        http: http::read(values),
        storage: storage::read(values),
        auth,
        access,
        groups,
        health: health::read(values),
        notifications: notifications::read(values),
        upstreams,
        retention: retention::read(values),
        ui: ui::read(values),
        log: log::read(values),
        limits: limits::read(values),
        validation: validation::read(values),
    };
    if matches!(config.storage.store, Store::S3(_)) {
        s3::check_beside(values, &config);
    }
    config
}
