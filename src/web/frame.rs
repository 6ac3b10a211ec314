//! The frame of every page: head, navigation, the viewer, and the links between parts of a list.

use maud::{DOCTYPE, Markup, html};

use super::{State, cookie, routes::Page, text};
use crate::{auth::BrowserLogin, http::Exchange};

/// The name of the field with the token of a form.
pub(super) const FORM_TOKEN: &str = "form_token";

/// Browsers keep the style sheet for an hour. The version in its address makes them ask for that of a new release.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Who looks at a page.
pub(super) enum Viewer {
    /// Not known: the page is about an error or the login.
    Unknown,
    /// A viewer without a session.
    Nobody,
    /// A user, with the form token of the session.
    User { name: String, form_token: String },
}

impl Viewer {
    pub(super) fn of(state: &State, exchange: &Exchange<'_>) -> Self {
        match exchange.caller().and_then(|caller| caller.user()) {
            Some(user) => Self::User { name: user.to_owned(), form_token: form_token(state, exchange) },
            None => Self::Nobody,
        }
    }
}

/// The form token of the session of a request.
pub(super) fn form_token(state: &State, exchange: &Exchange<'_>) -> String {
    state.sessions.form_token(cookie::session(exchange.request()))
}

/// The frame of a page.
pub(super) struct Frame<'a> {
    pub(super) state: &'a State,
    /// The title of the window.
    pub(super) title: &'a str,
    pub(super) viewer: Viewer,
    /// The pages above this one and this page, each with its name.
    pub(super) trail: &'a [(Page, String)],
}

impl Frame<'_> {
    /// The whole document.
    pub(super) fn around(&self, body: &Markup) -> Markup {
        let url = |page: &Page| self.state.url(page);
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · wharf" }
                    link rel="stylesheet" href={ (url(&Page::Style)) "?" (VERSION) };
                    link rel="icon" href=(url(&Page::Icon)) type="image/svg+xml";
                }
                body {
                    a.skip href="#content" { "Skip to the content" }
                    header {
                        nav aria-label="Main" {
                            a.brand href=(url(&Page::Home)) {
                                img src=(url(&Page::Icon)) alt="" width="28" height="28";
                                "wharf"
                            }
                            a href=(url(&Page::Home)) { "Repositories" }
                            a href=(url(&Page::Space)) { "Space" }
                        }
                        (self.viewer())
                    }
                    main id="content" {
                        @if !self.trail.is_empty() { (self.trail()) }
                        (body)
                    }
                }
            }
        }
    }

    fn viewer(&self) -> Markup {
        html! {
            @match &self.viewer {
                Viewer::User { name, form_token } => form.viewer method="post" action=(self.state.url(&Page::Logout)) {
                    a href=(self.state.url(&Page::Account)) { (text::plain(name)) }
                    input type="hidden" name=(FORM_TOKEN) value=(form_token);
                    button type="submit" { "Log out" }
                },
                Viewer::Nobody if self.state.sessions.login() == BrowserLogin::Password => {
                    a.viewer href=(self.state.url(&Page::Login)) { "Log in" }
                },
                Viewer::Nobody | Viewer::Unknown => {},
            }
        }
    }

    fn trail(&self) -> Markup {
        let last = self.trail.len() - 1;
        html! {
            nav.trail aria-label="Breadcrumb" {
                ol {
                    @for (at, (page, name)) in self.trail.iter().enumerate() {
                        li {
                            @if at == last { span aria-current="page" { (name) } }
                            @else { a href=(self.state.url(page)) { (name) } }
                        }
                    }
                }
            }
        }
    }
}

/// The links to the other pages of a long list.
pub(super) fn pages(current: usize, count: usize, url: impl Fn(usize) -> String) -> Markup {
    html! {
        @if count > 1 {
            nav.pages aria-label="Pages" {
                @if current > 1 {
                    a href=(url(1)) { "First" }
                    a href=(url(current - 1)) rel="prev" { "Previous" }
                }
                span { "Page " (current) " of " (count) }
                @if current < count {
                    a href=(url(current + 1)) rel="next" { "Next" }
                    a href=(url(count)) { "Last" }
                }
            }
        }
    }
}

/// A part of a long list.
pub(super) struct Part {
    /// The number of the part, from 1.
    pub(super) number: usize,
    /// How many parts there are.
    pub(super) count: usize,
    /// Which entries are in it.
    pub(super) range: std::ops::Range<usize>,
}

impl Part {
    /// The part of a list of `entries` with the number that a parameter gives, or the nearest number.
    pub(super) fn of(asked: Option<&str>, entries: usize, size: usize) -> Self {
        let count = entries.div_ceil(size).max(1);
        let number = asked.and_then(|text| text.parse().ok()).unwrap_or(1).clamp(1, count);
        let start = (number - 1) * size;
        Self { number, count, range: start..entries.min(start + size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_one_that_there_is() {
        for (asked, entries, number, count, range) in [
            (None, 0, 1, 1, 0..0),
            (None, 250, 1, 3, 0..100),
            (Some("3"), 250, 3, 3, 200..250),
            (Some("4"), 250, 3, 3, 200..250),
            (Some("0"), 250, 1, 3, 0..100),
            (Some("-1"), 250, 1, 3, 0..100),
            (Some("<b>"), 100, 1, 1, 0..100),
        ] {
            let part = Part::of(asked, entries, 100);
            assert_eq!((part.number, part.count, part.range), (number, count, range), "{asked:?} {entries}");
        }
    }
}
