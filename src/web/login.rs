//! The login and the logout.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use maud::{Markup, html};

use super::{
    State, cookie,
    error::PageError,
    form,
    frame::{FORM_TOKEN, Frame, Viewer, form_token},
    page,
    routes::Page,
    see_other,
};
use crate::{
    auth::{BrowserLogin, Refusal, Secret},
    http::{Exchange, HttpError, Limit},
};

/// Shows the form, or the reason why there is none.
pub(super) fn show(state: &State, exchange: &Exchange<'_>) -> Result<HttpResponse, PageError> {
    let next = destination(exchange.query().one("next")?);
    Ok(document(state, exchange, &next, None))
}

/// Begins a session for a user with the right password. The session is always a new one: a cookie that somebody planted
/// in the browser does not become the session of the user.
pub(super) async fn begin(state: &State, exchange: &Exchange<'_>) -> Result<HttpResponse, PageError> {
    let form = form::read(state, exchange).await?;
    let next = destination(form.one("next")?);
    let tls = exchange.page_scheme() == Some("https");
    if !tls && !cookie::is_local(exchange.request()) {
        let fault = "A browser keeps a login only over HTTPS, or on this machine. Nobody was logged in.";
        return Ok(refused(document(state, exchange, &next, Some(fault)), StatusCode::FORBIDDEN));
    }
    let (user, password) = (form.one("user")?.unwrap_or_default(), form.one("password")?.unwrap_or_default());
    let address = exchange.credentials()?.address;
    let begun = state.sessions.begin(address, user, &Secret::new(password)).await;
    let session = match begun {
        Ok(session) => session,
        Err(Refusal::Invalid | Refusal::InvalidToken) => {
            let fault = "The name or the password is wrong.";
            return Ok(refused(document(state, exchange, &next, Some(fault)), StatusCode::FORBIDDEN));
        }
        Err(Refusal::Throttled { retry_after }) => {
            return Err(HttpError::TooManyRequests { limit: Limit::Passwords, retry_after }.into());
        }
        Err(Refusal::Unavailable) => return Err(HttpError::Unavailable.into()),
    };
    if let Some(old) = cookie::session(exchange.request()) {
        state.sessions.end(old);
    }
    Ok(with_cookie(see_other(state.url(&next)), &cookie::set(&session, tls)))
}

/// Ends the session of the browser.
pub(super) async fn end(state: &State, exchange: &Exchange<'_>) -> Result<HttpResponse, PageError> {
    form::read(state, exchange).await?;
    if let Some(session) = cookie::session(exchange.request()) {
        state.sessions.end(session);
    }
    let tls = exchange.page_scheme() == Some("https");
    let page = match state.sessions.login() {
        BrowserLogin::Unneeded => Page::Home,
        BrowserLogin::Password | BrowserLogin::Elsewhere(_) => Page::Login,
    };
    Ok(with_cookie(see_other(state.url(&page)), &cookie::set("", tls)))
}

/// The page after a login. It is one of this server, whatever the text is.
fn destination(next: Option<&str>) -> Page {
    next.and_then(|next| Page::find(next, "")).filter(Page::is_destination).unwrap_or(Page::Home)
}

fn document(state: &State, exchange: &Exchange<'_>, next: &Page, fault: Option<&str>) -> HttpResponse {
    let body = html! {
        div.narrow {
            h1 { "Log in" }
            @match state.sessions.login() {
                BrowserLogin::Unneeded => {
                    p { "This registry needs no login. " a href=(state.url(&Page::Home)) { "Repositories" } }
                },
                BrowserLogin::Password => (password_form(state, exchange, next, fault)),
                BrowserLogin::Elsewhere(realm) => {
                    p {
                        "This registry takes the tokens of another issuer, so nobody can log in with a browser. The \
                         tokens come from this address:"
                    }
                    p { a href=(realm) rel="noreferrer" { (realm) } }
                },
            }
        }
    };
    page(Frame { state, title: "Log in", viewer: Viewer::Unknown, trail: &[] }.around(&body))
}

fn password_form(state: &State, exchange: &Exchange<'_>, next: &Page, fault: Option<&str>) -> Markup {
    html! {
        form.login method="post" action=(state.url(&Page::Login)) {
            @if let Some(fault) = fault { p.fault role="alert" { (fault) } }
            label for="user" { "User" }
            input type="text" id="user" name="user" autocomplete="username" autocapitalize="none" required;
            label for="password" { "Password" }
            input type="password" id="password" name="password" autocomplete="current-password" required;
            input type="hidden" name="next" value=(next.path());
            input type="hidden" name=(FORM_TOKEN) value=(form_token(state, exchange));
            button.primary type="submit" { "Log in" }
        }
    }
}

fn refused(mut response: HttpResponse, status: StatusCode) -> HttpResponse {
    *response.status_mut() = status;
    response
}

fn with_cookie(mut response: HttpResponse, cookie: &str) -> HttpResponse {
    // A cookie has no character that a header can't have.
    if let Ok(value) = header::HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_a_page_of_ours_and_nowhere_else() {
        for (next, path) in [
            ("/ui/r/a/b", "/ui/r/a/b"),
            ("/ui/r/a/-/v1/delete", "/ui/r/a/-/v1/delete"),
            ("/ui/space", "/ui/space"),
            ("https://evil.test/", "/ui/"),
            ("//evil.test/ui/", "/ui/"),
            ("/\\evil.test", "/ui/"),
            ("/ui/../v2/", "/ui/"),
            ("/ui/r//evil.test", "/ui/"),
            ("/ui/r/a\r\nSet-Cookie: b", "/ui/"),
            ("javascript:alert(1)", "/ui/"),
            ("/ui/logout", "/ui/"),
            ("/v2/", "/ui/"),
            ("", "/ui/"),
        ] {
            assert_eq!(destination(Some(next)).path(), path, "{next}");
        }
    }
}
