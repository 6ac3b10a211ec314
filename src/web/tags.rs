//! The tags of a repository.

use std::{cmp::Ordering, collections::BTreeMap};

use actix_web::HttpResponse;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use maud::{Markup, html};

use super::{
    State,
    error::PageError,
    frame::{Frame, Part, Viewer, pages},
    page, query,
    routes::Page,
    summary::Summary,
    text,
};
use crate::{
    http::{Authorized, Exchange, Pull},
    oci::{Digest, Reference, Tag},
    registry::ListedTag,
};

/// How many tags a page has.
const ROWS: usize = 100;
/// How many manifests are read at a time.
const READS: usize = 8;

/// The order of the tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Newest,
    Oldest,
    Name,
    NameBackwards,
}

impl Order {
    fn of(parameter: Option<&str>) -> Self {
        let all = [Self::Newest, Self::Oldest, Self::Name, Self::NameBackwards];
        all.into_iter().find(|order| Some(order.parameter()) == parameter).unwrap_or(Self::Newest)
    }

    fn parameter(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Oldest => "oldest",
            Self::Name => "name",
            Self::NameBackwards => "name-backwards",
        }
    }

    /// The names of tags are in their byte order already.
    fn compare(self, one: &ListedTag, other: &ListedTag) -> Ordering {
        match self {
            Self::Newest => other.pushed.cmp(&one.pushed),
            Self::Oldest => one.pushed.cmp(&other.pushed),
            Self::Name => Ordering::Equal,
            Self::NameBackwards => other.tag.cmp(&one.tag),
        }
    }
}

/// What the viewer asked for.
struct Asked<'a> {
    filter: &'a str,
    order: Order,
}

/// Shows a part of the tags that have a text in their name. Only the manifests of the rows that are shown are read.
pub(super) async fn show(
    state: &State,
    exchange: &Exchange<'_>,
    of: &Authorized<Pull>,
) -> Result<HttpResponse, PageError> {
    let filter = exchange.query().one("q")?.unwrap_or_default().trim();
    let asked = Asked { filter, order: Order::of(exchange.query().one("sort")?) };
    let mut tags = of.repository().browse_tags(|tag, _| tag.as_str().contains(filter)).await?;
    tags.sort_by(|one, other| asked.order.compare(one, other));
    let part = Part::of(exchange.query().one("page")?, tags.len(), ROWS);
    let rows = &tags[part.range.clone()];
    let summaries = summaries(of, rows).await?;
    let own = Page::Tags(of.name().clone());
    let body = html! {
        h1 { (of.name()) }
        (gone(exchange, &tags)?)
        form.search method="get" action=(state.url(&own)) role="search" {
            label for="q" { "Tag" }
            input type="search" id="q" name="q" value=(filter) autocomplete="off" spellcheck="false";
            input type="hidden" name="sort" value=(asked.order.parameter());
            button type="submit" { "Filter" }
        }
        @if rows.is_empty() {
            p {
                @if filter.is_empty() { "This repository has no tags." }
                @else { "No tag has “" (text::plain(filter)) "” in its name." }
            }
        } @else {
            p.count { (text::counted(tags.len() as u64, "tag", "tags")) }
            (table(state, of, &asked, rows, &summaries))
        }
        (pages(part.number, part.count, |number| link(state, &own, &asked, asked.order, Some(number))))
    };
    let trail = [(Page::Home, "Repositories".to_owned()), (own.clone(), of.name().to_string())];
    let frame = Frame { state, title: of.name().as_str(), viewer: Viewer::of(state, exchange), trail: &trail };
    Ok(page(frame.around(&body)))
}

/// What there is to say of each manifest that a row names.
async fn summaries(of: &Authorized<Pull>, rows: &[ListedTag]) -> Result<BTreeMap<Digest, Summary>, PageError> {
    let mut digests: Vec<&Digest> = rows.iter().map(|row| &row.digest).collect();
    digests.sort_unstable();
    digests.dedup();
    let read = async |digest: &Digest| Ok::<_, PageError>((digest.clone(), Summary::read(of, digest).await?));
    stream::iter(digests).map(read).buffered(READS).try_collect().await
}

/// Says that a tag was deleted, after the form that did it. It is said only of a tag that is gone.
fn gone(exchange: &Exchange<'_>, tags: &[ListedTag]) -> Result<Markup, PageError> {
    let gone: Option<Reference> = exchange.query().one("deleted")?.and_then(|text| text.parse().ok());
    let is_there = |reference: &Reference| match reference {
        Reference::Tag(tag) => tags.iter().any(|listed| listed.tag == *tag),
        Reference::Digest(digest) => tags.iter().any(|listed| listed.digest == *digest),
    };
    let gone = gone.filter(|reference| !is_there(reference));
    Ok(html! { @if let Some(gone) = gone { p.done role="status" { (gone) " is deleted." } } })
}

fn table(
    state: &State,
    of: &Authorized<Pull>,
    asked: &Asked<'_>,
    rows: &[ListedTag],
    summaries: &BTreeMap<Digest, Summary>,
) -> Markup {
    let image = |tag: &Tag| state.url(&Page::Image(of.name().clone(), Reference::Tag(tag.clone())));
    let own = Page::Tags(of.name().clone());
    let heading = |name: &str, orders: [Order; 2]| {
        let (next, sorted) = match orders.iter().position(|order| *order == asked.order) {
            Some(0) => (orders[1], "▾"),
            Some(_) => (orders[0], "▴"),
            None => (orders[0], ""),
        };
        let order = match asked.order {
            Order::Name | Order::Oldest => "ascending",
            Order::NameBackwards | Order::Newest => "descending",
        };
        let is_sorted = !sorted.is_empty();
        html! {
            th scope="col" aria-sort=[is_sorted.then_some(order)] {
                a href=(link(state, &own, asked, next, None)) { (name) span aria-hidden="true" { " " (sorted) } }
            }
        }
    };
    html! {
        table {
            thead {
                tr {
                    (heading("Tag", [Order::Name, Order::NameBackwards]))
                    (heading("Pushed", [Order::Newest, Order::Oldest]))
                    th scope="col" { "Platforms" }
                    th.number scope="col" { "Size" }
                    th scope="col" { "Digest" }
                }
            }
            tbody {
                @for row in rows {
                    @let summary = summaries.get(&row.digest);
                    tr {
                        th scope="row" { a href=(image(&row.tag)) { (row.tag) } }
                        td { (text::age(row.pushed)) }
                        td { (kinds(summary)) }
                        td.number {
                            @if let Some(size) = summary.and_then(|summary| summary.size) { (text::size(size)) }
                            @else { "–" }
                        }
                        td { (text::short(&row.digest)) }
                    }
                }
            }
        }
    }
}

/// The platforms of a row; of very many, the first.
fn kinds(summary: Option<&Summary>) -> Markup {
    const SHOWN: usize = 6;
    let kinds = summary.map(|summary| summary.kinds.as_slice()).unwrap_or_default();
    html! {
        @if kinds.is_empty() { "–" }
        @for kind in kinds.iter().take(SHOWN) { span.kind { (text::plain(kind)) } " " }
        @if kinds.len() > SHOWN { "and " (kinds.len() - SHOWN) " more" }
    }
}

fn link(state: &State, own: &Page, asked: &Asked<'_>, order: Order, number: Option<usize>) -> String {
    let number = number.map(|number| number.to_string()).unwrap_or_default();
    let parameters = query(&[("q", asked.filter), ("sort", order.parameter()), ("page", &number)]);
    format!("{}?{parameters}", state.url(own))
}
