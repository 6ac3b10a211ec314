//! Authentication and authorization. This module knows neither HTTP nor the store: it takes values of headers, and
//! returns principals.
//!
//! ```text
//! Authorization --> authorization --+-- Basic --> login (throttle, password_checks, users) --+
//!                                   |                                                        +--> Principal.may
//!                                   +-- Bearer -> token::verify (accepted, keys) ------------+         |
//! GET /token ------> token::request --> login --> token::grant --> token::issuer                  access_rules
//! ```

mod access_rules;
mod authenticator;
mod authorization;
mod bounded_map;
mod builtin;
mod challenge;
mod error;
mod external;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod inspect;
mod login;
mod password_checks;
mod password_file;
mod password_hash;
mod principal;
mod realm;
mod refusal;
mod secret;
mod sessions;
mod settings;
#[cfg(test)]
mod tests;
mod throttle;
mod token;
mod users;

pub use access_rules::{ANONYMOUS, ANY_USER, AccessRules, InvalidAccess, RuleSettings, Verdict};
pub use authenticator::{Authenticator, BrowserLogin};
pub use authorization::{Credentials, MAX_AUTHORIZATION_LEN};
pub use error::AuthError;
pub use inspect::{TokenText, judge_token, read_token};
pub use password_file::{PasswordFile, PasswordFileError, password_line};
pub use password_hash::{InvalidHash, NoRandomness, hash_password};
pub use principal::{Grants, Method, Principal};
pub use realm::{InvalidRealm, Realm};
pub use refusal::{Refusal, RefusalCounts};
pub use secret::Secret;
pub use sessions::{SESSION_LIFETIME, Sessions};
pub use settings::{BuiltinSettings, ExternalSettings, KeySource, Settings};
pub(crate) use throttle::network;
pub use token::{IdentityToken, IdentityTokens, TokenError, TokenRefusal, TokenRequest, TokenResponse, rotate_keys};
pub use users::{InvalidHtpasswd, InvalidUserName, LineFault, MAX_PASSWORD_LEN, MAX_USER_LEN};
