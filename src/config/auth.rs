//! `[auth]`: who is asked to say who they are, and how. Nothing is open by accident: settings that contradict each other
//! are errors.

use std::path::PathBuf;

use super::auth_token::{self, Token};
use super::values::Values;
use super::{ConfigError, Kind, Notice, Setting, Source};

/// Who is asked to say who they are, and how.
#[derive(Clone, Debug)]
pub struct Auth {
    /// The one mode in force.
    pub mode: Mode,
    /// `auth.message`: stands in the 401 of `/v2/` in the place of the usual text.
    pub message: Option<String>,
    /// `auth.content_type`: the `Content-Type` of that 401.
    pub content_type: Option<String>,
}

/// How callers say who they are.
#[derive(Clone, Debug)]
pub enum Mode {
    /// They don't: everybody may do everything.
    None,
    /// With a name and a password at each request (Basic).
    Htpasswd(Htpasswd),
    /// With a token (Bearer).
    Token(Token),
}

/// `[auth.htpasswd]` in mode htpasswd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Htpasswd {
    /// What the challenge calls the registry.
    pub realm: String,
    /// The file of names and hashes.
    pub path: PathBuf,
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        "auth.mode",
        Kind::Choice(&["none", "htpasswd", "token"]),
        "none",
        "How callers say who they are. Where it is left out, `[auth.htpasswd]` or `[auth.token]` alone say it.",
    ),
    Setting::new(
        "auth",
        Kind::Choice(&["none", "htpasswd", "token"]),
        "",
        "The same in registry:2's words: `REGISTRY_AUTH=htpasswd`. `REGISTRY_AUTH_MODE` wins over it.",
    ),
    Setting::new(
        "auth.message",
        Kind::Text,
        "",
        "The message of the 401 of `/v2/`, instead of `authentication required`.",
    ),
    Setting::new("auth.content_type", Kind::Text, "", "The `Content-Type` of that 401, instead of `application/json`."),
    Setting::new("auth.htpasswd.realm", Kind::Text, "Registry Realm", "What the Basic challenge calls the registry."),
    Setting::new(
        "auth.htpasswd.path",
        Kind::Path,
        "",
        "The file of users, as `htpasswd -B` and `wharf user` write it.",
    ),
    auth_token::REALM,
    auth_token::SERVICE,
    auth_token::ISSUER,
    auth_token::EXPIRATION,
    auth_token::IDENTITY_TOKENS,
    auth_token::KEY,
    auth_token::ROOT_CERT_BUNDLE,
    auth_token::JWKS,
    auth_token::SIGNING_ALGORITHMS,
    auth_token::AUTOREDIRECT,
    Setting::refused("auth.silly", "it lets everybody in who sends any Authorization header; use auth.htpasswd"),
    Setting::refused("auth.none", "write auth.mode = \"none\""),
];

#[derive(Clone, Copy, PartialEq)]
enum Word {
    None,
    Htpasswd,
    Token,
}

pub(super) fn read(values: &mut Values) -> Auth {
    let (word, place) = chosen(values);
    let mode = match word {
        Word::None => Mode::None,
        Word::Htpasswd => Mode::Htpasswd(htpasswd(values, &place)),
        Word::Token => Mode::Token(auth_token::read(values, &place)),
    };
    if word == Word::None && values.is_set("auth.htpasswd.path") {
        let text = "auth.mode is none, so auth.htpasswd is not looked at and the registry is open".to_owned();
        values.notices.push(Notice { place: values.source("auth.htpasswd.path"), text });
    }
    let name = match word {
        Word::None => "none",
        Word::Htpasswd => "htpasswd",
        Word::Token => "token",
    };
    if place != Source::Default {
        values.settle("auth.mode", name, place);
    }
    Auth { mode, message: values.text("auth.message"), content_type: values.text("auth.content_type") }
}

/// The mode and what decided it: `REGISTRY_AUTH_MODE`, then `REGISTRY_AUTH`, then variables of one table over a file's
/// `none`, then the file's `mode`, then the one table that is there.
fn chosen(values: &mut Values) -> (Word, Source) {
    let is_variable = |source: &Source| matches!(source, Source::Variable(_));
    let mode = word(values, "auth.mode");
    let short = word(values, "auth");
    let (htpasswd, token) = (table(values, "auth.htpasswd"), table(values, "auth.token"));
    match (&mode, &short) {
        (Some((word, place)), _) | (_, Some((word, place))) if is_variable(place) => return (*word, place.clone()),
        (Some((Word::None, _)), _) | (None, Some((Word::None, _))) => {
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

/// The mode of the one table that is there.
fn implied(values: &mut Values, htpasswd: Option<Source>, token: Option<Source>) -> (Word, Source) {
    match (htpasswd, token) {
        (None, None) => (Word::None, Source::Default),
        (Some(place), None) => (Word::Htpasswd, place),
        (None, Some(place)) => (Word::Token, place),
        (Some(htpasswd), Some(token)) => {
            let problem = format!(
                "both auth.htpasswd and auth.token ({token}) are set; say which with auth.mode = \"htpasswd\" or \"token\""
            );
            values.errors.push(ConfigError::Conflict { place: htpasswd, problem });
            (Word::None, Source::Default)
        }
    }
}

fn word(values: &mut Values, key: &'static str) -> Option<(Word, Source)> {
    if !values.is_set(key) {
        return None;
    }
    let word = match values.choice(key).as_deref() {
        Some("htpasswd") => Word::Htpasswd,
        Some("token") => Word::Token,
        _ => Word::None,
    };
    Some((word, values.source(key)))
}

/// What named a table: a variable if one did, else the file. `auth.token` with only keys that both modes know is no choice.
fn table(values: &Values, table: &str) -> Option<Source> {
    let below = |key: &str| key.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'));
    let mut sources: Vec<_> =
        values.set.iter().filter(|(key, _)| below(key)).map(|(_, node)| node.source.clone()).collect();
    sources.extend(values.tables.get(table).cloned());
    let variable = sources.iter().find(|source| matches!(source, Source::Variable(_))).cloned();
    variable.or_else(|| sources.into_iter().next())
}

fn htpasswd(values: &mut Values, place: &Source) -> Htpasswd {
    let realm = values.text("auth.htpasswd.realm").unwrap_or_default();
    if !realm.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        let place = values.source("auth.htpasswd.realm");
        values.bad::<()>("auth.htpasswd.realm", place, "a realm is plain ASCII");
    }
    let path = values.path("auth.htpasswd.path").unwrap_or_else(|| {
        values.bad("auth.htpasswd.path", place.clone(), "in mode htpasswd it must name the file of users")
    });
    Htpasswd { realm, path }
}

#[cfg(test)]
mod tests;
