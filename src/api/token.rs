//! `/token` and `/v2/auth`: tokens, by GET ([distribution, token]) or by POST ([distribution, OAuth 2]).
//!
//! [distribution, token]: https://distribution.github.io/distribution/spec/auth/token/
//! [distribution, OAuth 2]: https://distribution.github.io/distribution/spec/auth/oauth/

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header},
    web,
};

use super::{
    Api, admission::Client, authorize::credentials, error::ApiError, headers, receive::Receiver, unread::Unread,
};
use crate::auth::{TokenError, TokenRequest};

/// The longest form, in bytes.
const FORM: u64 = 16 * 1024;

/// Answers a request for a token. Who shows nothing gets one as well, with what everybody may do.
pub(super) async fn issue(
    api: &web::Data<Api>,
    request: &HttpRequest,
    unread: &Unread,
) -> Result<HttpResponse, ApiError> {
    if !api.authenticator.issues_tokens() {
        return Err(TokenError::NotHere.into());
    }
    let credentials = credentials(api, request)?;
    let asked = if request.method() == Method::POST {
        let receiver = Receiver::of(api, request, unread, Client::at(credentials.address))?;
        TokenRequest::from_form(&receiver.whole(FORM).await?)
    } else {
        TokenRequest::from_query(request.query_string())
    };
    let issued = match asked {
        Ok(asked) => api.authenticator.issue_token(asked, credentials).await,
        Err(error) => Err(error),
    };
    match issued {
        Ok(token) => {
            let mut response = HttpResponse::Ok();
            response.insert_header((header::CACHE_CONTROL, "no-store"));
            Ok(headers::json(response, &token))
        }
        Err(error) => Ok(refuse(api, error)),
    }
}

/// A 401 of this resource asks for a password: were it to ask for a token, clients would ask for one here without end.
fn refuse(api: &Api, error: TokenError) -> HttpResponse {
    let mut response = ApiError::from(error).to_response();
    let fields = response.headers_mut();
    fields.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    let challenge = api.authenticator.token_endpoint_challenge().and_then(|challenge| challenge.parse().ok());
    if let (401, Some(challenge)) = (response.status().as_u16(), challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}
