//! Tokens: [JSON Web Tokens](https://www.rfc-editor.org/rfc/rfc7519) with the claims of the
//! [distribution token specification](https://distribution.github.io/distribution/spec/auth/jwt/), verified and issued.

mod accepted;
mod chain;
mod claims;
mod grant;
mod identity;
mod issuer;
mod jws;
mod key_folder;
mod key_ring;
mod keys;
mod refusal;
mod request;
mod response;
mod signing;
#[cfg(test)]
mod tests;
mod verify;

pub use identity::{IdentityToken, IdentityTokens};
pub use key_folder::rotate_keys;
pub use refusal::TokenRefusal;
pub use request::TokenRequest;
pub use response::{TokenError, TokenResponse};

pub(super) use accepted::AcceptedTokens;
pub(super) use claims::Expected;
#[cfg(any(test, fuzzing))]
pub(super) use claims::fuzz as fuzz_claims;
pub(super) use grant::{grant, scope_text};
pub(super) use identity::IdentityRefusal;
pub(super) use issuer::Issuer;
pub(super) use key_ring::KeyRing;
pub(super) use keys::{ALGORITHMS, KeySet, algorithm};
pub(super) use request::Grant;
pub(super) use verify::Verifier;
