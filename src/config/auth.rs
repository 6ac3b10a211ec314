//! `[auth]`: how callers authenticate. Settings that contradict each other are errors, so that no mistake opens the
//! registry.

use std::path::PathBuf;

use super::auth_token::{self, Token};
use super::values::Values;
use super::{ConfigError, Kind, Notice, Setting, Source, setting::is_below};

/// How callers authenticate.
#[derive(Clone, Debug)]
pub struct Auth {
    /// The one mode in force.
    pub mode: Mode,
    /// `auth.message`: the message in the 401 of `/v2/`, instead of the default.
    pub message: Option<String>,
    /// `auth.content_type`: the `Content-Type` of that 401.
    pub content_type: Option<String>,
}

/// The way in which callers authenticate.
#[derive(Clone, Debug)]
pub enum Mode {
    /// They do not authenticate: everybody may do everything.
    None,
    /// With a name and a password in each request (Basic).
    Htpasswd(Htpasswd),
    /// With a token (Bearer).
    Token(Token),
}

/// `[auth.htpasswd]` in mode htpasswd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Htpasswd {
    /// The realm of the challenge.
    pub realm: String,
    /// The file of names and hashes.
    pub path: PathBuf,
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        "auth.mode",
        Kind::Choice(&["none", "htpasswd", "token"]),
        "none",
        "How callers authenticate. If it is not set, the one of `[auth.htpasswd]` and `[auth.token]` that exists decides.",
    ),
    Setting::new(
        "auth",
        Kind::Choice(&["none", "htpasswd", "token"]),
        "",
        "The same, as registry:2 spells it: `REGISTRY_AUTH=htpasswd`. `REGISTRY_AUTH_MODE` overrides it.",
    ),
    Setting::new(
        "auth.message",
        Kind::Text,
        "",
        "The message of the 401 of `/v2/`, instead of `authentication required`.",
    ),
    Setting::new("auth.content_type", Kind::Text, "", "The `Content-Type` of that 401, instead of `application/json`."),
    Setting::new("auth.htpasswd.realm", Kind::Text, "Registry Realm", "The realm of the Basic challenge."),
    Setting::new(
        "auth.htpasswd.path",
        Kind::Path,
        "",
        "The file of users, as `htpasswd -B` and `wharf user` write it.",
    ),
    Setting::refused("auth.silly", "it accepts every Authorization header; use auth.htpasswd"),
    Setting::refused("auth.none", "write auth.mode = \"none\""),
];

pub(super) fn read(values: &mut Values) -> Auth {
    let (word, place) = chosen(values);
    let mode = match word {
        "htpasswd" => Mode::Htpasswd(htpasswd(values, &place)),
        "token" => Mode::Token(auth_token::read(values, &place)),
        _ => Mode::None,
    };
    if word == "none" && values.is_set("auth.htpasswd.path") {
        let text = "auth.mode is none, so auth.htpasswd has no effect and the registry is open to everybody".to_owned();
        values.notices.push(Notice { place: values.source("auth.htpasswd.path"), text });
    }
    if place != Source::Default {
        values.set_effective("auth.mode", word, place);
    }
    Auth { mode, message: values.text("auth.message"), content_type: values.text("auth.content_type") }
}

/// The mode and the source that decided it: `REGISTRY_AUTH_MODE`, then `REGISTRY_AUTH`, then variables of one table
/// over a file's `none`, then the file's `mode`, then the one table that is there.
fn chosen(values: &mut Values) -> (&'static str, Source) {
    let is_variable = |source: &Source| matches!(source, Source::Variable(_));
    let mode = word(values, "auth.mode");
    let short = word(values, "auth");
    let (htpasswd, token) = (table(values, "auth.htpasswd"), table(values, "auth.token"));
    match (&mode, &short) {
        (Some((word, place)), _) | (_, Some((word, place))) if is_variable(place) => return (word, place.clone()),
        (Some(("none", _)), _) | (None, Some(("none", _))) => {
            let by_variable = |table: &Option<Source>| table.clone().filter(is_variable);
            match (by_variable(&htpasswd), by_variable(&token)) {
                (None, None) => {}
                (htpasswd, token) => return implied(values, htpasswd, token),
            }
        }
        _ => {}
    }
    match mode.or(short) {
        Some(chosen) => chosen,
        None => implied(values, htpasswd, token),
    }
}

/// The mode of the one table that exists.
fn implied(values: &mut Values, htpasswd: Option<Source>, token: Option<Source>) -> (&'static str, Source) {
    match (htpasswd, token) {
        (None, None) => ("none", Source::Default),
        (Some(place), None) => ("htpasswd", place),
        (None, Some(place)) => ("token", place),
        (Some(htpasswd), Some(token)) => {
            let problem = format!(
                "both auth.htpasswd and auth.token ({token}) are set; choose one with auth.mode = \"htpasswd\" or \"token\""
            );
            values.errors.push(ConfigError::Conflict { place: htpasswd, problem });
            ("none", Source::Default)
        }
    }
}

fn word(values: &mut Values, key: &'static str) -> Option<(&'static str, Source)> {
    values.is_set(key).then(|| (values.choice(key), values.source(key)))
}

/// The source that set something in a table: a variable if there is one, else the file.
fn table(values: &Values, table: &str) -> Option<Source> {
    let mut sources: Vec<_> =
        values.set.iter().filter(|(key, _)| is_below(key, table)).map(|(_, node)| node.source.clone()).collect();
    sources.extend(values.tables.get(table).cloned());
    let variable = sources.iter().find(|source| matches!(source, Source::Variable(_))).cloned();
    variable.or_else(|| sources.into_iter().next())
}

fn htpasswd(values: &mut Values, place: &Source) -> Htpasswd {
    let realm = values.text("auth.htpasswd.realm").unwrap_or_default();
    if !realm.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        values.refuse::<()>("auth.htpasswd.realm", "a realm is plain ASCII");
    }
    let path = values.path("auth.htpasswd.path").unwrap_or_else(|| {
        values.bad("auth.htpasswd.path", place.clone(), "in mode htpasswd it must name the file of users")
    });
    Htpasswd { realm, path }
}

#[cfg(test)]
mod tests;
