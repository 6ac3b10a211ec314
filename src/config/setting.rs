//! A setting: one row of the table.

/// A setting. Its row is used for the lookup of keys and variables, the defaults, `wharf config show`, and the table in
/// `docs/settings.md`.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The path with dots: `http.tls.key`.
    pub key: &'static str,
    /// The form of its value.
    pub kind: Kind,
    /// The default as text; empty if there is none.
    pub default: &'static str,
    /// The default if a YAML file of registry:2 was read, if it differs.
    pub yaml_default: Option<&'static str>,
    /// Its meaning in one line.
    pub doc: &'static str,
    /// How wharf handles it.
    pub status: Status,
    /// The value is not printed.
    pub secret: bool,
}

/// The form of the value of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// A whole number, 0 or more.
    Count,
    /// A duration in Go's notation: `30s`, `1h30m`.
    Duration,
    /// A number of bytes: `4194304`, `4MiB`.
    Size,
    /// A file or directory, relative to the working directory.
    Path,
    /// An absolute URL.
    Url,
    /// `host:port`, or a list of them.
    Addresses,
    /// A list of addresses and networks (`10.0.0.0/8`).
    Networks,
    /// A list of texts; one text alone is a list of one.
    List,
    /// A table of texts by name.
    Texts,
    /// A table of lists of texts by name.
    Lists,
    /// A list of tables, the rules of `[[access]]`.
    Rules,
    /// An empty table whose presence is the value.
    EmptyTable,
    /// Any value and any table; it is not read.
    Anything,
}

/// How wharf handles a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is honoured.
    Honoured,
    /// It is accepted, so that files of registry:2 work unchanged, and has no effect; a warning in the log says why.
    Ignored(&'static str),
    /// It is an error until wharf implements it.
    NotYet(&'static str),
    /// It is an error: wharf does not have this.
    Refused(&'static str),
}

/// Whether a key is below a table.
pub(super) fn is_below(key: &str, table: &str) -> bool {
    key.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'))
}

impl Setting {
    /// A setting that is honoured; `default` is empty where there is none.
    pub(super) const fn new(key: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Self {
        Self { key, kind, default, yaml_default: None, doc, status: Status::Honoured, secret: false }
    }

    /// A setting of registry:2 that has no effect.
    pub(super) const fn ignored(key: &'static str, reason: &'static str) -> Self {
        Self::new(key, Kind::Anything, "", "").with(Status::Ignored(reason))
    }

    /// A setting of registry:2 that wharf will have.
    pub(super) const fn not_yet(key: &'static str, reason: &'static str) -> Self {
        Self::new(key, Kind::Anything, "", "").with(Status::NotYet(reason))
    }

    /// A setting of registry:2 that wharf does not have.
    pub(super) const fn refused(key: &'static str, reason: &'static str) -> Self {
        Self::new(key, Kind::Anything, "", "").with(Status::Refused(reason))
    }

    /// The same with another status.
    pub(super) const fn with(mut self, status: Status) -> Self {
        self.status = status;
        self
    }

    /// The same with another default if a YAML file was read.
    pub(super) const fn yaml_default(mut self, default: &'static str) -> Self {
        self.yaml_default = Some(default);
        self
    }

    /// The same, with a value that is not printed.
    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Whether an empty value is an error, because the default could open the registry or serve another store.
    #[must_use]
    pub(super) fn refuses_empty(&self) -> bool {
        let closes =
            matches!(self.key, "storage" | "auth" | "auth.mode" | "access") || self.key.starts_with("http.tls.");
        self.status == Status::Honoured && (closes || matches!(self.kind, Kind::Path | Kind::Addresses))
    }

    /// The variable that sets it: `REGISTRY_HTTP_TLS_KEY` for `http.tls.key`.
    #[must_use]
    pub fn variable(&self) -> String {
        variable(self.key)
    }
}

impl Kind {
    /// Whether tables below the key are a part of the value.
    pub(super) fn holds_tables(self) -> bool {
        matches!(self, Self::Texts | Self::Lists | Self::Rules | Self::EmptyTable | Self::Anything)
    }

    /// Whether the value is a table whose entries variables can set one by one.
    pub(super) fn is_map(self) -> bool {
        matches!(self, Self::Texts | Self::Lists)
    }

    /// Whether the value is a list, whose entries variables can set one by one.
    pub(super) fn is_list(self) -> bool {
        matches!(self, Self::Addresses | Self::Networks | Self::List | Self::Rules)
    }

    /// Its name in the documentation.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Choice(words) => words.join(" | "),
            Self::Flag => "true | false".to_owned(),
            Self::Count => "number".to_owned(),
            Self::Duration => "duration".to_owned(),
            Self::Size => "size".to_owned(),
            Self::Path => "path".to_owned(),
            Self::Url => "URL".to_owned(),
            Self::Addresses => "address, or a list of them".to_owned(),
            Self::Networks => "list of networks".to_owned(),
            Self::List => "list of texts".to_owned(),
            Self::Texts => "table of texts".to_owned(),
            Self::Lists => "table of lists".to_owned(),
            Self::Rules => "list of tables".to_owned(),
            Self::EmptyTable => "empty table".to_owned(),
            Self::Anything => "anything".to_owned(),
        }
    }
}

/// The variable of a key or a table.
pub(super) fn variable(key: &str) -> String {
    format!("REGISTRY_{}", key.replace('.', "_").to_uppercase())
}
