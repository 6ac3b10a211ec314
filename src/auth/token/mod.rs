//! Tokens: [JSON Web Tokens](https://www.rfc-editor.org/rfc/rfc7519) with the claims of the
//! [distribution token specification](https://distribution.github.io/distribution/spec/auth/jwt/), checked and issued.

mod chain;
mod claims;
mod jws;
mod keys;
mod refusal;
mod signing;
mod verify;

pub(super) use claims::Claims;
pub use refusal::TokenRefusal;
