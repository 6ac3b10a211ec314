//! The table of all settings, and the lookup of keys in it.

use super::nearest::nearest;
use super::setting::is_below;
use super::{
    Setting, access, auth, auth_token, debug, health, http, limits, log, notifications, retention, s3, storage, tls,
    ui, unsupported, upstreams, validation,
};

/// Every setting, in the order of the documentation.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    const SECTIONS: [&[Setting]; 17] = [
        http::SETTINGS,
        debug::SETTINGS,
        tls::SETTINGS,
        storage::SETTINGS,
        s3::SETTINGS,
        auth::SETTINGS,
        auth_token::SETTINGS,
        access::SETTINGS,
        ui::SETTINGS,
        health::SETTINGS,
        notifications::SETTINGS,
        upstreams::SETTINGS,
        retention::SETTINGS,
        log::SETTINGS,
        limits::SETTINGS,
        validation::SETTINGS,
        unsupported::SETTINGS,
    ];
    SECTIONS.into_iter().flatten()
}

/// The setting of a key.
pub(super) fn find(key: &str) -> Option<&'static Setting> {
    settings().find(|setting| setting.key == key)
}

/// Every table that holds a setting: `http`, `http.tls`.
pub(super) fn tables() -> impl Iterator<Item = &'static str> {
    settings().flat_map(|setting| setting.key.match_indices('.').map(|(dot, _)| &setting.key[..dot]))
}

/// Whether settings are below this key.
pub(super) fn is_table(key: &str) -> bool {
    settings().any(|setting| is_below(setting.key, key))
}

/// Whether an empty value of this setting, or of one in this table, is an error.
pub(super) fn refuses_empty(key: &str) -> bool {
    let has_setting = find(key).is_some_and(|setting| setting.kind != super::Kind::Anything);
    settings()
        .any(|setting| setting.refuses_empty() && (setting.key == key || (!has_setting && is_below(setting.key, key))))
}

/// The suggestion for a key that does not exist: the same name in another table, or a similar spelling.
pub(super) fn nearest_key(key: &str) -> Option<String> {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_lowercase();
    let same_name = |candidate: &&str| candidate.contains('.') && last(candidate) == last(key);
    let keys = || settings().map(|setting| setting.key).chain(tables());
    // A key in the table that was written is a better suggestion than one in another table.
    let table = key.split('.').next().unwrap_or_default();
    let near_by = keys().filter(same_name).find(|candidate| candidate.starts_with(table));
    near_by
        .or_else(|| nearest(key, keys()))
        .or_else(|| keys().find(same_name).filter(|_| !is_table(table)))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::{BTreeSet, HashSet};
    use std::path::Path;

    use super::super::load::{documented_keys, tried};
    use super::super::{Config, Kind, Sources, Status, Store, reference};
    use super::*;

    #[test]
    fn rows_are_whole() {
        let mut keys = HashSet::new();
        for setting in settings() {
            assert!(keys.insert(setting.key), "{} is there twice", setting.key);
            let says = !setting.doc.is_empty() || setting.status != Status::Honoured || setting.key == "version";
            assert!(says, "{} says nothing", setting.key);
        }
    }

    #[test]
    fn the_defaults_are_right() {
        for name in ["f.toml", "f.yml"] {
            let (config, errors, notices) = tried(name, "", &[]);
            assert_eq!((errors, notices), (vec![], vec![]), "{name}");
            let root = if name == "f.yml" { "/var/lib/registry" } else { "./data" };
            assert_eq!(config.storage.store, Store::Filesystem { root: root.into() });
        }
    }

    /// Another value than the default.
    fn other(setting: &Setting) -> String {
        match setting.kind {
            Kind::Text if setting.key == "proxy.realm" => "auth.test".to_owned(),
            Kind::Text => "/text".to_owned(),
            Kind::Choice(words) => words.iter().rev().find(|word| **word != setting.default).unwrap().to_string(),
            Kind::Flag => (setting.default != "true").to_string(),
            Kind::Count | Kind::Size => "77".to_owned(),
            Kind::Duration => "77s".to_owned(),
            Kind::Path => "/other/path".to_owned(),
            Kind::Url => "https://other.test".to_owned(),
            Kind::Addresses => "192.0.2.7:77".to_owned(),
            Kind::Networks => "[192.0.2.0/24]".to_owned(),
            Kind::List => "[ES256]".to_owned(),
            Kind::Texts if setting.key == "tag_ttl" => "{a: 1h}".to_owned(),
            Kind::Texts => "{name: text}".to_owned(),
            Kind::Lists => "{name: [text]}".to_owned(),
            Kind::Rules if setting.key == "health.file" => "[{file: /f}]".to_owned(),
            Kind::Rules if setting.key == "notifications.endpoints" => "[{url: 'http://a'}]".to_owned(),
            Kind::Rules if setting.key == "retention" => "[{repositories: [a], keep_newest: 1}]".to_owned(),
            Kind::Rules if setting.key == "upstream" => "[{prefix: a, url: 'http://a'}]".to_owned(),
            Kind::Rules if setting.key == "health.http" => "[{uri: 'http://a'}]".to_owned(),
            Kind::Rules if setting.key == "health.tcp" => "[{addr: 'a:1'}]".to_owned(),
            Kind::Rules => "[{users: [u], repositories: [r], actions: [pull]}]".to_owned(),
            Kind::EmptyTable | Kind::Anything => "{}".to_owned(),
        }
    }

    /// Some settings matter only beside others.
    const SURROUNDINGS: [&str; 13] = [
        "",
        "health.storagedriver.enabled = true",
        "storage.s3 = { bucket = 'b', region = 'r' }",
        "storage.s3 = { bucket = 'b', region = 'r', regionendpoint = 'h' }",
        "http.debug.addr = ':5001'",
        "http.debug = { addr = ':5001', prometheus = { enabled = true } }",
        "http.tls = { certificate = '/c', key = '/k', clientcas = ['/ca'] }",
        "auth.htpasswd.path = '/f'",
        "proxy = { remoteurl = 'https://a', username = 'u', password = 'p' }",
        "proxy = { remoteurl = 'https://a', exec = { command = '/c' } }",
        "proxy = { remoteurl = 'https://a' }",
        "auth.mode = 'token'\nauth.htpasswd.path = '/f'",
        "auth.token = { realm = 'https://a.test', service = 's', issuer = 'i', jwks = '/j' }",
    ];

    #[test]
    fn every_setting_that_is_honoured_is_read() {
        let honoured = |setting: &&Setting| {
            matches!(setting.status, Status::Honoured | Status::NotYet(_)) && setting.kind != Kind::Anything
        };
        for setting in settings().filter(honoured) {
            let changes = |text: &&str| {
                let (before, ..) = tried("f.toml", text, &[]);
                let (after, ..) = tried("f.toml", text, &[(&setting.variable(), &other(setting))]);
                format!("{before:?}") != format!("{after:?}")
            };
            assert!(SURROUNDINGS.iter().any(changes), "{} = {} changes nothing", setting.key, other(setting));
        }
    }

    #[test]
    fn the_annotated_file_says_what_holds_without_it() {
        let loaded = Sources { file: Some("registry.toml".into()), ..Sources::default() }.load().unwrap();
        assert_eq!(loaded.notices, []);
        assert_eq!(format!("{:?}", loaded.config), format!("{:?}", Config::default()));
    }

    #[test]
    fn the_annotated_file_documents_every_setting_with_its_default() {
        let text = std::fs::read_to_string("registry.toml").unwrap();
        // A setting that is commented out has no space after its `#`; prose has.
        let uncommented: String = text
            .lines()
            .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
            .fold(String::new(), |text, line| text + line + "\n");
        let (documented, errors) = documented_keys(Path::new("registry.toml"), &uncommented);
        assert_eq!(errors, Vec::<String>::new());
        // These two are for variables: a file says the same by the table that is there.
        let by_variable = ["storage", "auth"];
        for setting in
            settings().filter(|setting| setting.kind != Kind::Anything && !by_variable.contains(&setting.key))
        {
            if matches!(setting.status, Status::Ignored(_)) {
                continue;
            }
            let value = documented.get(setting.key).unwrap_or_else(|| panic!("registry.toml lacks {}", setting.key));
            if !setting.default.is_empty() {
                assert_eq!(value, setting.default, "the default of {}", setting.key);
            }
        }
    }

    #[test]
    fn the_page_of_settings_is_current() {
        let page = std::fs::read_to_string("docs/settings.md").unwrap();
        let (_, tables) = page.split_once("`wharf config reference`. -->\n").unwrap();
        assert!(tables == reference(), "docs/settings.md is stale: put the output of `wharf config reference` there");
    }

    #[test]
    fn finds_the_nearest_key() {
        let cases = [
            ("http.adr", Some("http.addr")),
            ("http.address", Some("http.addr")),
            ("htpp", Some("http")),
            ("storage.rootdirectory", Some("storage.filesystem.rootdirectory")),
            ("rootdirectory", Some("storage.filesystem.rootdirectory")),
            ("http.certificate", Some("http.tls.certificate")),
            ("auth.htpasswd.file", None),
            ("auth.htpaswd", Some("auth.htpasswd")),
            ("log.lvl", Some("log.level")),
            ("storage.deletes.enabled", Some("storage.delete.enabled")),
            ("colour", None),
        ];
        for (key, expected) in cases {
            assert_eq!(nearest_key(key).as_deref(), expected, "{key}");
        }
    }

    #[test]
    fn tables_lead_to_settings() {
        let tables: BTreeSet<_> = tables().collect();
        assert!(tables.contains("http.tls") && tables.contains("storage.maintenance.uploadpurging"));
        assert!(tables.iter().all(|key| is_table(key)));
        assert!(!is_table("http.addr") && !is_table("htt"));
    }
}
