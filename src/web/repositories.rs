//! The page of the repositories.

use actix_web::HttpResponse;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use maud::{Markup, html};

use super::{
    State,
    error::PageError,
    frame::{Frame, Part, Viewer, pages},
    page, query,
    routes::Page,
    text,
};
use crate::{
    http::{Catalog, Exchange},
    oci::RepositoryName,
    registry::TagSummary,
};

/// How many repositories a page has.
const ROWS: usize = 50;
/// How many repositories are read at a time.
const READS: usize = 8;

/// Shows a page of the repositories that the viewer may see and that have a text in their name.
pub(super) async fn show(state: &State, exchange: &Exchange<'_>, catalog: &Catalog) -> Result<HttpResponse, PageError> {
    let wanted = exchange.query().one("q")?.unwrap_or_default().trim();
    let names = catalog.containing(&wanted.to_lowercase()).await?;
    let part = Part::of(exchange.query().one("page")?, names.len(), ROWS);
    let rows = stream::iter(&names[part.range.clone()]).map(|name| row(exchange, name)).buffered(READS);
    let rows: Vec<(RepositoryName, TagSummary)> = rows.try_collect().await?;
    let body = html! {
        h1 { "Repositories" }
        form.search method="get" action=(state.url(&Page::Home)) role="search" {
            label for="q" { "Name" }
            input type="search" id="q" name="q" value=(wanted) autocomplete="off" spellcheck="false";
            button type="submit" { "Search" }
        }
        @if rows.is_empty() { (nothing(exchange, wanted)) }
        @else {
            p.count { (text::counted(names.len() as u64, "repository", "repositories")) }
            (table(state, &rows))
        }
        (pages(part.number, part.count, |number| {
            format!("{}?{}", state.url(&Page::Home), query(&[("q", wanted), ("page", &number.to_string())]))
        }))
    };
    let frame = Frame { state, title: "Repositories", viewer: Viewer::of(state, exchange), trail: &[] };
    Ok(page(frame.around(&body)))
}

/// The figures of a repository.
async fn row(exchange: &Exchange<'_>, name: &RepositoryName) -> Result<(RepositoryName, TagSummary), PageError> {
    let repository = exchange.caller().and_then(|caller| caller.pull(name.clone()));
    let summary = match repository {
        Some(of) => of.repository().tag_summary().await?,
        None => TagSummary::default(),
    };
    Ok((name.clone(), summary))
}

fn table(state: &State, rows: &[(RepositoryName, TagSummary)]) -> Markup {
    html! {
        table {
            thead {
                tr { th scope="col" { "Repository" } th.number scope="col" { "Tags" } th scope="col" { "Last push" } }
            }
            tbody {
                @for (name, summary) in rows {
                    tr {
                        th scope="row" { a href=(state.url(&Page::Tags(name.clone()))) { (name) } }
                        td.number data-label="Tags" { (summary.count) }
                        td data-label="Last push" { (text::age(summary.last_push)) }
                    }
                }
            }
        }
    }
}

fn nothing(exchange: &Exchange<'_>, wanted: &str) -> Markup {
    let host = exchange.authority().unwrap_or_else(|| "localhost:5000".to_owned());
    html! {
        @if wanted.is_empty() {
            p { "There is no repository yet. Push the first image:" }
            pre { code { "docker tag IMAGE " (host) "/NAME:TAG\ndocker push " (host) "/NAME:TAG" } }
        } @else {
            p { "No repository has “" (text::plain(wanted)) "” in its name." }
        }
    }
}
