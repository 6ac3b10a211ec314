//! The page of the user who is logged in, with the identity tokens that `docker login` received.

use std::time::{Duration, SystemTime};

use actix_web::HttpResponse;
use maud::{Markup, html};

use super::{
    State,
    error::PageError,
    form,
    frame::{FORM_TOKEN, Frame, Viewer, form_token},
    page, query,
    routes::Page,
    see_other, text,
};
use crate::{
    auth::{IdentityToken, Refusal},
    http::{Exchange, HttpError},
};

/// Shows the account, or leads to the login.
pub(super) async fn show(state: &State, exchange: &Exchange<'_>) -> Result<HttpResponse, PageError> {
    let Viewer::User { name, .. } = Viewer::of(state, exchange) else { return Ok(to_login(state)) };
    let tokens = state.sessions.identity_tokens(&name).await.map_err(unavailable)?;
    let body = html! {
        h1 { "Account" }
        dl.facts { dt { "User" } dd { (text::plain(&name)) } }
        @if state.sessions.has_identity_tokens() {
            section {
                h2 { "Identity tokens" }
                p { "Programs such as docker keep an identity token instead of the password." }
                @if tokens.is_empty() { p { "You have none." } } @else { (table(state, exchange, &tokens)) }
            }
        }
    };
    let frame = Frame { state, title: "Account", viewer: Viewer::of(state, exchange), trail: &[] };
    Ok(page(frame.around(&body)))
}

fn table(state: &State, exchange: &Exchange<'_>, tokens: &[IdentityToken]) -> Markup {
    html! {
        table {
            thead {
                tr {
                    th scope="col" { "Program" }
                    th scope="col" { "Issued" }
                    th scope="col" { "Last used" }
                    th scope="col" { "Id" }
                    th scope="col" { "Revoke" }
                }
            }
            tbody {
                @for token in tokens {
                    tr {
                        th scope="row" { (text::plain(&token.client_id)) }
                        td data-label="Issued" { (text::age(time(token.created))) }
                        td data-label="Last used" { (text::age(time(token.used))) }
                        td { code { (token.id) } }
                        td {
                            form method="post" action=(state.url(&Page::Account)) {
                                input type="hidden" name="id" value=(token.id);
                                input type="hidden" name=(FORM_TOKEN) value=(form_token(state, exchange));
                                button.danger type="submit" aria-label=(format!("Revoke {}", token.id)) { "Revoke" }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Revokes one of the viewer's own tokens.
pub(super) async fn revoke(state: &State, exchange: &Exchange<'_>) -> Result<HttpResponse, PageError> {
    let form = form::read(state, exchange).await?;
    let Viewer::User { name, .. } = Viewer::of(state, exchange) else { return Ok(to_login(state)) };
    let id = form.one("id")?.unwrap_or_default();
    state.sessions.revoke_identity_token(&name, id).await.map_err(unavailable)?;
    Ok(see_other(state.url(&Page::Account)))
}

fn to_login(state: &State) -> HttpResponse {
    let next = query(&[("next", &Page::Account.path())]);
    see_other(format!("{}?{next}", state.url(&Page::Login)))
}

fn unavailable(_: Refusal) -> PageError {
    HttpError::Unavailable.into()
}

fn time(seconds: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}
