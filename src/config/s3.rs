//! `[storage.s3]`: a bucket in an object store, with the names that registry:2 and registry:3 have for its settings.

use url::Url;

use super::{Config, ConfigError, Kind, Mode, Notice, Setting, Token, values::Values};
use crate::storage::{Credentials, S3Settings};

/// The table.
pub(super) const TABLE: &str = "storage.s3";

/// A region that every store accepts which does not check it.
const ANY_REGION: &str = "us-east-1";

const NAME_IT: &str = "name the endpoint with storage.s3.regionendpoint";
const PARTS: &str = "wharf chooses the sizes of parts and how many it copies at a time";

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new("storage.s3.bucket", Kind::Text, "", "The bucket, instead of a directory. See [S3](s3.md)."),
    Setting::new(
        "storage.s3.region",
        Kind::Text,
        "",
        "The region of the bucket: `eu-central-1`. Needed without `regionendpoint`.",
    ),
    Setting::new(
        "storage.s3.regionendpoint",
        Kind::Text,
        "",
        "The URL of an object store other than AWS: `https://minio.example.com:9000`.",
    ),
    Setting::new(
        "storage.s3.forcepathstyle",
        Kind::Flag,
        "",
        "Whether the bucket stands in the path of URLs, not in the name of the host. By default it does with \
         `regionendpoint`, and where its name has a dot.",
    ),
    Setting::new(
        "storage.s3.accesskey",
        Kind::Text,
        "",
        "The access key. Without it, `AWS_ACCESS_KEY_ID` and the others, then the file of the AWS tools.",
    )
    .secret(),
    Setting::new("storage.s3.secretkey", Kind::Text, "", "The secret of the access key.").secret(),
    Setting::new("storage.s3.sessiontoken", Kind::Text, "", "The token of temporary credentials.").secret(),
    Setting::new("storage.s3.rootdirectory", Kind::Text, "", "The prefix of all keys in the bucket."),
    Setting::new(
        "storage.s3.secure",
        Kind::Flag,
        "true",
        "Whether an endpoint without `http://` or `https://` uses TLS.",
    ),
    Setting::new("storage.s3.skipverify", Kind::Flag, "false", "Whether every certificate of the store is accepted."),
    Setting::new(
        "storage.s3.storageclass",
        Kind::Choice(&["STANDARD", "NONE"]),
        "STANDARD",
        "`NONE` sends no storage class, for stores that know none.",
    ),
    Setting::new(
        "storage.s3.objectacl",
        Kind::Choice(&["private", "bucket-owner-read", "bucket-owner-full-control"]),
        "private",
        "The rights of the owner of the bucket, if that is another account.",
    ),
    Setting::not_yet("storage.s3.encrypt", "let the bucket encrypt its objects by default"),
    Setting::not_yet("storage.s3.keyid", "let the bucket encrypt its objects by default"),
    Setting::refused("storage.s3.usedualstack", NAME_IT),
    Setting::refused("storage.s3.accelerate", NAME_IT),
    Setting::refused("storage.s3.usefipsendpoint", NAME_IT),
    Setting::ignored("storage.s3.v4auth", "requests are always signed with version 4"),
    Setting::ignored("storage.s3.chunksize", PARTS),
    Setting::ignored("storage.s3.multipartcopychunksize", PARTS),
    Setting::ignored("storage.s3.multipartcopymaxconcurrency", PARTS),
    Setting::ignored("storage.s3.multipartcopythresholdsize", PARTS),
    Setting::ignored("storage.s3.useragent", "wharf calls itself wharf and its version"),
    Setting::ignored("storage.s3.loglevel", "log.level is the level of the whole log"),
    Setting::refused("storage.s3aws", "it is called storage.s3 here; the settings below it have the same names"),
];

/// The bucket. What is wrong with it is recorded.
pub(super) fn read(values: &mut Values) -> S3Settings {
    let bucket = name(values, "storage.s3.bucket").unwrap_or_default();
    let region = name(values, "storage.s3.region");
    let named = endpoint(values);
    if bucket.is_empty() {
        missing(values, "storage.s3.bucket has to name a bucket");
    }
    if named.is_none() && region.is_none() {
        missing(values, "storage.s3.region is missing; for a store other than AWS, set storage.s3.regionendpoint");
    }
    let is_named = named.is_some();
    let region = region.unwrap_or_else(|| ANY_REGION.to_owned());
    let endpoint = named.or_else(|| amazon(&region)).unwrap_or_else(|| Url::parse("https://localhost").expect("a URL"));
    let path_style = if values.is_set("storage.s3.forcepathstyle") {
        values.flag("storage.s3.forcepathstyle")
    } else {
        is_named || bucket.contains('.')
    };
    S3Settings {
        path_style,
        region,
        root: values.text("storage.s3.rootdirectory").unwrap_or_default().trim_matches('/').to_owned(),
        credentials: credentials(values),
        skip_verify: values.flag("storage.s3.skipverify"),
        acl: Some(values.choice("storage.s3.objectacl")).filter(|acl| *acl != "private"),
        storage_class: values.choice("storage.s3.storageclass") == "STANDARD",
        ..S3Settings::new(&bucket, endpoint)
    }
}

/// A name that can stand in a URL and in the name of a host.
fn name(values: &mut Values, key: &'static str) -> Option<String> {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    values.parsed(key, |text| {
        let is_name =
            !text.is_empty() && text.len() <= 255 && !matches!(text, "." | "..") && text.bytes().all(is_letter);
        if is_name {
            Ok(text.to_owned())
        } else {
            Err(format!("`{text}` is no name of letters, digits, `-`, `.` and `_`"))
        }
    })
}

fn endpoint(values: &mut Values) -> Option<Url> {
    let scheme = if values.flag("storage.s3.secure") { "https" } else { "http" };
    values.parsed("storage.s3.regionendpoint", |text| {
        let whole = if text.contains("://") { text.to_owned() } else { format!("{scheme}://{text}") };
        match Url::parse(&whole) {
            Ok(url)
                if matches!(url.scheme(), "http" | "https")
                    && url.has_host()
                    && matches!(url.path(), "" | "/")
                    && url.query().is_none()
                    && url.username().is_empty() =>
            {
                Ok(url)
            }
            _ => Err("this is not the URL of a store; write it like https://minio.example.com:9000".to_owned()),
        }
    })
}

fn amazon(region: &str) -> Option<Url> {
    let china = if region.starts_with("cn-") { ".cn" } else { "" };
    Url::parse(&format!("https://s3.{region}.amazonaws.com{china}")).ok()
}

fn credentials(values: &mut Values) -> Option<Credentials> {
    let mut text = |key| values.text(key).filter(|text| !text.is_empty());
    let (access_key, secret_key) = (text("storage.s3.accesskey"), text("storage.s3.secretkey"));
    let session_token = text("storage.s3.sessiontoken");
    if access_key.is_some() != secret_key.is_some() || (session_token.is_some() && access_key.is_none()) {
        missing(values, "storage.s3.accesskey and storage.s3.secretkey belong together");
    }
    let is_set = access_key.is_some() || secret_key.is_some() || session_token.is_some();
    let (access_key, secret_key) = (access_key.unwrap_or_default(), secret_key.unwrap_or_default());
    is_set.then_some(Credentials { access_key, secret_key, session_token })
}

fn missing(values: &mut Values, problem: &str) {
    let place = values.place_of(TABLE).unwrap_or_else(|| values.source("storage"));
    values.errors.push(ConfigError::Conflict { place, problem: problem.to_owned() });
}

/// Refuses what is not built for a store that several nodes share, and notes what has no effect there.
pub(super) fn check_beside(values: &mut Values, config: &Config) {
    let keeps_in_store = |mode: &Mode| matches!(mode, Mode::Token(Token::BuiltIn(issuer)) if issuer.key.is_none() || issuer.identity_tokens);
    if keeps_in_store(&config.auth.mode) {
        let problem = "with storage.s3, wharf can't keep its keys and identity tokens in the store yet: set auth.token.key \
                       to a file that is the same on all nodes, and auth.token.identity_tokens to false";
        values
            .errors
            .push(ConfigError::Conflict { place: values.source("auth.token.key"), problem: problem.to_owned() });
    }
    let retention = &config.retention;
    let by_server = !retention.rules.is_empty() && retention.interval.is_some();
    let by_pulls = retention.rules.iter().any(|rule| rule.pulled_within.is_some());
    let elsewhere = "remove it, or use storage.filesystem";
    let refused = [
        (
            by_server,
            "storage.retention.interval",
            "retention by the server is",
            "set it to 0, and run `wharf retention` while no node serves",
        ),
        (by_pulls, "retention", "the record of pulls, which pulled_within needs, is", elsewhere),
        (!config.notifications.endpoints.is_empty(), "notifications.endpoints", "notifications are", elsewhere),
        (!config.upstreams.all.is_empty(), "upstream", "filling repositories from an upstream is", elsewhere),
        (
            config.storage.gc.untagged,
            "storage.gc.untagged",
            "collection by the server is",
            "remove it, and run `wharf gc --untagged` while no node serves",
        ),
    ];
    for (_, key, what, todo) in refused.into_iter().filter(|(is_set, ..)| *is_set) {
        let problem = format!("{what} not implemented yet for storage.s3 ({key}): {todo}");
        values.errors.push(ConfigError::Conflict { place: values.source(key), problem });
    }
    for key in ["storage.gc.interval", "storage.durability", "storage.min_free"] {
        if values.is_set(key) {
            let text = format!("{key} has no effect with storage.s3: see docs/s3.md");
            values.notices.push(Notice { place: values.source(key), text });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Store, load::tried};

    /// The bucket in words, with these lines of `[storage.s3]`.
    fn bucket(lines: &str) -> String {
        let (config, errors, _) = tried("f.toml", &format!("[storage.s3]\n{lines}"), &[]);
        assert_eq!(errors, Vec::<String>::new(), "{lines}");
        let Store::S3(settings) = config.storage.store else { return format!("{:?}", config.storage.store) };
        format!("{settings}, {}", settings.path_style)
    }

    #[test]
    fn a_bucket_is_where_the_settings_say() {
        let rows = [
            ("bucket='b'\nregion='eu-west-1'", "the bucket b at https://s3.eu-west-1.amazonaws.com/, false"),
            ("bucket='b.c'\nregion='cn-north-1'", "the bucket b.c at https://s3.cn-north-1.amazonaws.com.cn/, true"),
            ("bucket='b'\nregionendpoint='http://h:9000'", "the bucket b at http://h:9000/, true"),
            (
                "bucket='b'\nregionendpoint='h'\nsecure=false\nrootdirectory='/r/s/'\nforcepathstyle=false",
                "the bucket b/r/s at http://h/, false",
            ),
        ];
        for (lines, expected) in rows {
            assert_eq!(bucket(lines), expected, "{lines}");
        }
        let variables = [("REGISTRY_STORAGE_S3_BUCKET", "b"), ("REGISTRY_STORAGE_S3_REGION", "r")];
        let yaml = "version: 0.1\nstorage:\n  filesystem: {rootdirectory: /x}\n";
        let (_, errors, _) = tried("f.yml", yaml, &variables);
        assert!(errors[0].contains("both storage.s3 and storage.filesystem"), "{errors:?}");
        let (config, errors, _) = tried("f.yml", yaml, &[("REGISTRY_STORAGE", "s3"), variables[0], variables[1]]);
        assert_eq!(errors, Vec::<String>::new());
        assert!(matches!(config.storage.store, Store::S3(_)));
    }

    #[test]
    fn what_is_wrong_or_not_built_is_refused_in_words() {
        let right = "[storage.s3]\nbucket='b'\nregion='r'\n";
        let rows = [
            ("[storage.s3]\nregion='r'\n", "storage.s3.bucket has to name a bucket"),
            ("[storage.s3]\nbucket='b'\n", "storage.s3.region is missing"),
            ("[storage.s3]\nbucket='a/b'\nregion='r'\n", "`a/b` is no name"),
            ("[storage.s3]\nbucket='b'\nregionendpoint='ftp://h'\n", "https://minio.example.com:9000"),
            ("[storage.s3]\nbucket='b'\nregion='r'\naccesskey='a'\n", "belong together"),
            ("[storage.s3]\nbucket='b'\nregion='r'\nstorageclass='GLACIER'\n", "none of STANDARD, NONE"),
            ("[storage.s3]\nbucket='b'\nregion='r'\naccelerate=true\n", "storage.s3.regionendpoint"),
            ("[storage.s3aws]\nbucket='b'\n", "it is called storage.s3"),
            (
                &format!("{right}[storage.gc]\nuntagged=true\n"),
                "collection by the server is not implemented yet for storage.s3",
            ),
            (
                &format!("{right}[[retention]]\nrepositories=['a']\nkeep_newest=1\n"),
                "storage.s3 (storage.retention.interval): set it to 0, and run `wharf retention`",
            ),
            (
                &format!(
                    "{right}[[retention]]\nrepositories=['a']\npulled_within='1d'\n[storage.retention]\ninterval='0'\n"
                ),
                "which pulled_within needs, is not implemented",
            ),
            (&format!("{right}[[notifications.endpoints]]\nname='n'\nurl='http://h'\n"), "notifications are not"),
            (&format!("{right}[proxy]\nremoteurl='https://h'\n"), "from an upstream is not implemented yet"),
            (&format!("{right}[auth]\nmode='token'\nhtpasswd.path='/f'\n"), "auth.token.key"),
        ];
        for (text, expected) in rows {
            let (_, errors, _) = tried("f.toml", text, &[]);
            assert!(errors.iter().any(|error| error.contains(expected)), "{text}: {errors:?}");
        }
        let (config, errors, notices) =
            tried("f.toml", &format!("{right}accesskey='a'\nsecretkey='very'\nchunksize=1\n"), &[]);
        assert_eq!((errors, notices.len()), (Vec::<String>::new(), 1));
        assert!(notices[0].contains("storage.s3.chunksize has no effect"), "{notices:?}");
        assert!(!format!("{config:?}").contains("very"));
    }
}
