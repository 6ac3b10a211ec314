//! Requests to the token endpoint: GET ([distribution, token]), or a form by POST ([distribution, OAuth 2]).
//!
//! [distribution, token]: https://distribution.github.io/distribution/spec/auth/token/
//! [distribution, OAuth 2]: https://distribution.github.io/distribution/spec/auth/oauth/

use url::form_urlencoded;

use super::response::TokenError;
use crate::{auth::secret::Secret, oci::ResourceScope};

/// The most scopes of a request.
const MAX_SCOPES: usize = 256;

/// A request for a token. Unknown fields are ignored: they can't change what is granted.
#[derive(Debug, Default)]
pub struct TokenRequest {
    pub(in crate::auth) service: Option<String>,
    pub(in crate::auth) scopes: Vec<ResourceScope>,
    pub(in crate::auth) account: Option<String>,
    pub(in crate::auth) client_id: String,
    pub(in crate::auth) wants_identity_token: bool,
    pub(in crate::auth) grant: Grant,
}

/// The credentials of the request.
#[derive(Debug, Default)]
pub(in crate::auth) enum Grant {
    /// Its `Authorization` header, if it has one.
    #[default]
    Header,
    /// A name and a password in the form.
    Password { user: String, password: Secret },
    /// An identity token in the form.
    RefreshToken(Secret),
}

impl TokenRequest {
    /// Reads the query of a GET.
    ///
    /// # Errors
    /// [`TokenError::TooManyScopes`]
    pub fn from_query(query: &str) -> Result<Self, TokenError> {
        let mut request = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            request.read(&name, &value);
            if name == "offline_token" {
                request.wants_identity_token = matches!(value.as_ref(), "true" | "1");
            }
        }
        request.checked()
    }

    /// Reads the form of a POST.
    ///
    /// # Errors
    /// [`TokenError::UnsupportedGrantType`], [`TokenError::InvalidRequest`], [`TokenError::TooManyScopes`]
    pub fn from_form(form: &[u8]) -> Result<Self, TokenError> {
        let mut request = Self::default();
        let (mut grant_type, mut user, mut password, mut refresh_token) = (None, None, None, None);
        for (name, value) in form_urlencoded::parse(form) {
            request.read(&name, &value);
            match name.as_ref() {
                "grant_type" => grant_type = Some(value.into_owned()),
                "username" => user = Some(value.into_owned()),
                "password" => password = Some(Secret::new(value.into_owned())),
                "refresh_token" => refresh_token = Some(Secret::new(value.into_owned())),
                "access_type" => request.wants_identity_token = value == "offline",
                _ => {}
            }
        }
        request.grant = match (grant_type.as_deref(), user, password, refresh_token) {
            (Some("password"), Some(user), Some(password), _) => Grant::Password { user, password },
            (Some("refresh_token"), _, _, Some(token)) => Grant::RefreshToken(token),
            (Some("password"), ..) => return Err(TokenError::InvalidRequest("username and password are needed")),
            (Some("refresh_token"), ..) => return Err(TokenError::InvalidRequest("refresh_token is needed")),
            (Some(_), ..) => return Err(TokenError::UnsupportedGrantType),
            (None, ..) => return Err(TokenError::InvalidRequest("grant_type is needed")),
        };
        request.checked()
    }

    /// Reads a field that both kinds of request have.
    fn read(&mut self, name: &str, value: &str) {
        let text = Some(value.to_owned()).filter(|value| !value.is_empty());
        match name {
            "service" => self.service = text,
            "account" => self.account = text,
            "client_id" => value.clone_into(&mut self.client_id),
            // One scope too many is kept, so that the request is refused.
            "scope" if self.scopes.len() <= MAX_SCOPES => {
                let scopes = ResourceScope::parse_list(value).filter_map(Result::ok);
                self.scopes.extend(scopes.take(MAX_SCOPES + 1));
            }
            _ => {}
        }
    }

    fn checked(self) -> Result<Self, TokenError> {
        if self.scopes.len() > MAX_SCOPES { Err(TokenError::TooManyScopes) } else { Ok(self) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use proptest::prelude::*;

    use super::*;

    fn scopes(request: &TokenRequest) -> String {
        request.scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn b30_queries_as_clients_send_them() {
        let table = [
            ("account=alice&client_id=docker&offline_token=true&service=r", Some("r"), "", Some("alice"), true),
            (
                "account=alice&scope=repository%3Aa%3Apull%2Cpush&service=r",
                Some("r"),
                "repository:a:pull,push",
                Some("alice"),
                false,
            ),
            (
                "scope=repository:a:pull&scope=repository:b:pull",
                None,
                "repository:a:pull repository:b:pull",
                None,
                false,
            ),
            ("scope=repository:a:pull%20repository:b:pull", None, "repository:a:pull repository:b:pull", None, false),
            ("scope=repository:a:pull+repository:b:pull", None, "repository:a:pull repository:b:pull", None, false),
            ("scope=repository:host:5000/x:pull", None, "repository:host:5000/x:pull", None, false),
            ("scope=repository(plugin):x:pull", None, "repository:x:pull", None, false),
            ("scope=&service=&account=", None, "", None, false),
            ("scope=nonsense&scope=repository:a:pull", None, "repository:a:pull", None, false),
            ("offline_token=false&role=admin&access=%5B%5D", None, "", None, false),
            ("", None, "", None, false),
        ];
        for (query, service, expected, account, identity) in table {
            let request = TokenRequest::from_query(query).unwrap();
            assert_eq!(request.service.as_deref(), service, "{query}");
            assert_eq!(scopes(&request), expected, "{query}");
            assert_eq!(request.account.as_deref(), account, "{query}");
            assert_eq!(request.wants_identity_token, identity, "{query}");
            assert!(matches!(request.grant, Grant::Header));
        }
    }

    #[test]
    fn b30_many_and_long_scopes() {
        let query =
            |count: usize| (0..count).map(|n| format!("scope=repository:r{n}:pull")).collect::<Vec<_>>().join("&");
        assert_eq!(TokenRequest::from_query(&query(MAX_SCOPES)).unwrap().scopes.len(), MAX_SCOPES);
        assert_eq!(TokenRequest::from_query(&query(MAX_SCOPES + 1)).err(), Some(TokenError::TooManyScopes));
        let one = format!("scope={}", "repository:a:pull+".repeat(100_000));
        assert_eq!(TokenRequest::from_query(&one).err(), Some(TokenError::TooManyScopes));
        let long = format!("scope=repository:{}:pull", "a".repeat(10 * 1024));
        assert_eq!(TokenRequest::from_query(&long).unwrap().scopes.len(), 1);
    }

    #[test]
    fn b34_forms() {
        use TokenError::{InvalidRequest, UnsupportedGrantType};
        let table = [
            ("grant_type=password&username=a&password=b&service=r&client_id=containerd-client", None),
            ("grant_type=password&username=a&password=b&access_type=offline", None),
            ("grant_type=refresh_token&refresh_token=x&client_id=docker", None),
            ("grant_type=password&username=a", Some(InvalidRequest("username and password are needed"))),
            ("grant_type=refresh_token", Some(InvalidRequest("refresh_token is needed"))),
            ("grant_type=client_credentials", Some(UnsupportedGrantType)),
            ("grant_type=PASSWORD&username=a&password=b", Some(UnsupportedGrantType)),
            ("", Some(InvalidRequest("grant_type is needed"))),
            ("{\"grant_type\":\"password\"}", Some(InvalidRequest("grant_type is needed"))),
        ];
        for (form, expected) in table {
            assert_eq!(TokenRequest::from_form(form.as_bytes()).err(), expected, "{form}");
        }
        let request =
            TokenRequest::from_form(b"grant_type=password&username=a&password=p%26%3Aw&access_type=offline").unwrap();
        assert!(request.wants_identity_token);
        assert!(
            matches!(request.grant, Grant::Password { user, password } if user == "a" && password.same_as(b"p&:w"))
        );
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = TokenRequest::from_form(&bytes);
            let _ = TokenRequest::from_query(&String::from_utf8_lossy(&bytes));
        }
    }
}
