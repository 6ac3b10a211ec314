//! `/token` and `/v2/auth`: tokens, by GET ([distribution, token]) or by POST ([distribution, OAuth 2]).
//!
//! [distribution, token]: https://distribution.github.io/distribution/spec/auth/token/
//! [distribution, OAuth 2]: https://distribution.github.io/distribution/spec/auth/oauth/

use actix_web::{
    HttpResponse,
    http::{Method, header},
};

use super::{State, error::ApiError};
use crate::{
    auth::{TokenError, TokenRequest},
    http::{ErrorAnswer, Exchange, json},
};

/// The longest form, in bytes.
const FORM: u64 = 16 * 1024;

/// Answers a request for a token. A request without credentials gets a token with the rights of everybody.
pub(super) async fn issue(state: &State, request: &Exchange<'_>) -> Result<HttpResponse, ApiError> {
    if !state.authenticator.issues_tokens() {
        return Err(TokenError::NotHere.into());
    }
    let credentials = request.credentials()?;
    let asked = if request.request().method() == Method::POST {
        TokenRequest::from_form(&request.receiver()?.whole(FORM).await?)
    } else {
        TokenRequest::from_query(request.request().query_string())
    };
    let issued = match asked {
        Ok(asked) => state.authenticator.issue_token(asked, credentials).await,
        Err(error) => Err(error),
    };
    match issued {
        Ok(token) => {
            let mut response = HttpResponse::Ok();
            response.insert_header((header::CACHE_CONTROL, "no-store"));
            Ok(json(response, &token))
        }
        Err(error) => Ok(refuse(state, error)),
    }
}

/// A 401 of this resource asks for a password: were it to ask for a token, clients would ask for one here without end.
fn refuse(state: &State, error: TokenError) -> HttpResponse {
    let mut response = ErrorAnswer::from(ApiError::from(error)).to_response();
    let fields = response.headers_mut();
    fields.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    let challenge = state.authenticator.token_endpoint_challenge().and_then(|challenge| challenge.parse().ok());
    if let (401, Some(challenge)) = (response.status().as_u16(), challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}
