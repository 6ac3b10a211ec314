//! The settings: one checked [`Config`] from the defaults, a file, `REGISTRY_*` variables and the command line. Each
//! source overrides the one before.
//!
//! ```text
//! registry.toml | config.yml --> node --.
//! REGISTRY_* ---> (values as YAML) -----+--> values, by the rows of the table --> the sections --> Config
//! --addr ... ---------------------------'
//! ```
//!
//! One table ([`settings`]) describes every setting. The rows of each section are beside the type that they fill.

mod access;
mod address;
mod assign;
mod auth;
mod auth_token;
mod debug;
mod duration;
mod effective;
mod environment;
mod error;
mod file;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod health;
mod http;
mod limits;
mod list_entry;
mod load;
mod log;
mod markdown;
mod nearest;
mod node;
mod notifications;
mod retention;
mod s3;
mod secrets;
mod setting;
mod size;
mod source;
mod storage;
mod table;
mod table_entry;
mod tls;
mod toml_file;
mod trusted_proxies;
mod ui;
mod unsupported;
mod upstreams;
mod validation;
mod values;
mod yaml;

use crate::auth::RuleSettings;

pub use access::Group;
pub use address::{Address, Host};
pub use auth::{Auth, Htpasswd, Mode};
pub use auth_token::{BuiltInIssuer, Token};
pub use debug::Debug;
pub use effective::EffectiveSetting;
pub use environment::CONFIGURATION_PATH;
pub use error::{ConfigError, ConfigErrors, Notice};
pub use file::DEFAULT_FILE;
pub use health::{HealthCheck, HttpProbe, Probe};
pub use http::{Http, Listen};
pub use limits::Limits;
pub use load::{Loaded, Sources};
pub use log::{Level, Log, LogFormat};
pub use markdown::reference;
pub use notifications::{EventEndpoint, EventSecret, EventsForm, Hidden, Notifications};
pub use retention::RetentionSettings;
pub use setting::{Kind, Setting, Status};
pub use size::parse as parse_size;
pub use source::Source;
pub use storage::{Storage, Store};
pub use table::settings;
pub use tls::{ClientAuth, Tls, TlsVersion};
pub use ui::Ui;
pub use upstreams::{UpstreamCredentials, UpstreamSettings, Upstreams};
pub use validation::Validation;

/// Every setting, read and checked: plain values without their sources.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where and how to listen.
    pub http: Http,
    /// The store and its durability.
    pub storage: Storage,
    /// How callers authenticate.
    pub auth: Auth,
    /// The access rules.
    pub access: Vec<RuleSettings>,
    /// The groups that the rules name.
    pub groups: Vec<Group>,
    /// The checks that refuse every request while they fail.
    pub health: Vec<HealthCheck>,
    /// Where events are sent.
    pub notifications: Notifications,
    /// The registries that repositories are filled from.
    pub upstreams: Upstreams,
    /// Which tags are removed after a time.
    pub retention: RetentionSettings,
    /// The page for people with a browser.
    pub ui: Ui,
    /// The level and the form of the log.
    pub log: Log,
    /// The limits.
    pub limits: Limits,
    /// The requirements for a manifest.
    pub validation: Validation,
}

impl Default for Config {
    /// The settings of `wharf` without a file, variables or options: an open registry on `localhost:5000` with its
    /// store in `./data`.
    fn default() -> Self {
        load::defaults()
    }
}
