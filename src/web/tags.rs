//! The page of the tags of a repository.

use std::{cmp::Ordering, collections::BTreeMap, ops::Range};

use actix_web::HttpResponse;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use maud::{Markup, html};

use super::{
    State,
    error::PageError,
    frame::{Frame, Part, Viewer, pages},
    page, query,
    reader::Reader,
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

    /// Compares two tags. Those that were pushed at the same time are in the order of their names.
    fn compare(self, one: &ListedTag, other: &ListedTag) -> Ordering {
        let by_name = one.tag.cmp(&other.tag);
        match self {
            Self::Newest => other.pushed.cmp(&one.pushed).then(by_name),
            Self::Oldest => one.pushed.cmp(&other.pushed).then(by_name),
            Self::Name => by_name,
            Self::NameBackwards => by_name.reverse(),
        }
    }

    /// The tags at these places of the order. Only they are sorted, so that 100,000 tags do not hold up other requests.
    fn select(self, tags: &mut [ListedTag], range: Range<usize>) -> &[ListedTag] {
        let compare = |one: &ListedTag, other: &ListedTag| self.compare(one, other);
        let len = range.len();
        if range.start > 0 {
            tags.select_nth_unstable_by(range.start, compare);
        }
        let rest = &mut tags[range.start..];
        if len < rest.len() {
            rest.select_nth_unstable_by(len, compare);
        }
        rest[..len].sort_unstable_by(compare);
        &rest[..len]
    }
}

/// A list of tags, as the viewer asked for it.
struct View<'a> {
    state: &'a State,
    of: &'a Authorized<Pull>,
    filter: &'a str,
    order: Order,
}

/// Shows a page of the tags that have a text in their name. It reads only the manifests of the rows that it shows.
pub(super) async fn show(
    state: &State,
    exchange: &Exchange<'_>,
    of: &Authorized<Pull>,
) -> Result<HttpResponse, PageError> {
    let filter = exchange.query().one("q")?.unwrap_or_default().trim();
    let view = View { state, of, filter, order: Order::of(exchange.query().one("sort")?) };
    let mut tags = of.repository().browse_tags(|tag, _| tag.as_str().contains(filter)).await?;
    let (part, gone) = (Part::of(exchange.query().one("page")?, tags.len(), ROWS), gone(exchange, &tags)?);
    let count = tags.len() as u64;
    let rows = view.order.select(&mut tags, part.range.clone());
    let summaries = summaries(of, rows).await?;
    let own = Page::Tags(of.name().clone());
    let body = html! {
        h1 { (of.name()) }
        (gone)
        form.search method="get" action=(state.url(&own)) role="search" {
            label for="q" { "Tag" }
            input type="search" id="q" name="q" value=(filter) autocomplete="off" spellcheck="false";
            input type="hidden" name="sort" value=(view.order.parameter());
            button type="submit" { "Filter" }
        }
        @if rows.is_empty() {
            p {
                @if filter.is_empty() { "This repository has no tags." }
                @else { "No tag has “" (text::plain(filter)) "” in its name." }
            }
        } @else {
            p.count { (text::counted(count, "tag", "tags")) }
            (view.table(rows, &summaries))
        }
        (pages(part.number, part.count, |number| view.link(view.order, Some(number))))
    };
    let trail = [(Page::Home, "Repositories".to_owned()), (own, of.name().to_string())];
    let frame = Frame { state, title: of.name().as_str(), viewer: Viewer::of(state, exchange), trail: &trail };
    Ok(page(frame.around(&body)))
}

/// Reads the summaries of the manifests of some rows, each manifest once.
async fn summaries(of: &Authorized<Pull>, rows: &[ListedTag]) -> Result<BTreeMap<Digest, Summary>, PageError> {
    let mut digests: Vec<&Digest> = rows.iter().map(|row| &row.digest).collect();
    digests.sort_unstable();
    digests.dedup();
    let reader = Reader::new(of);
    let read = async |digest: &Digest| Ok::<_, PageError>((digest.clone(), Summary::read(&reader, digest).await?));
    stream::iter(digests).map(read).buffered(READS).try_collect().await
}

/// Says that a tag or manifest was deleted. The form that deleted it leads here. A link with another name says nothing.
fn gone(exchange: &Exchange<'_>, tags: &[ListedTag]) -> Result<Markup, PageError> {
    let gone: Option<Reference> = exchange.query().one("deleted")?.and_then(|text| text.parse().ok());
    let is_there = |reference: &Reference| match reference {
        Reference::Tag(tag) => tags.iter().any(|listed| listed.tag == *tag),
        Reference::Digest(digest) => tags.iter().any(|listed| listed.digest == *digest),
    };
    let gone = gone.filter(|reference| !is_there(reference));
    Ok(html! { @if let Some(gone) = gone { p.done role="status" { (gone) " is deleted." } } })
}

impl View<'_> {
    fn table(&self, rows: &[ListedTag], summaries: &BTreeMap<Digest, Summary>) -> Markup {
        let image = |tag: &Tag| self.state.url(&Page::Image(self.of.name().clone(), Reference::Tag(tag.clone())));
        html! {
            table {
                thead {
                    tr {
                        (self.heading("Tag", [Order::Name, Order::NameBackwards]))
                        (self.heading("Pushed", [Order::Newest, Order::Oldest]))
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

    /// The heading of a column by which the tags can be sorted in two orders.
    fn heading(&self, name: &str, orders: [Order; 2]) -> Markup {
        let next = if self.order == orders[0] { orders[1] } else { orders[0] };
        let (sorted, arrow) = match self.order {
            Order::Name | Order::Oldest => ("ascending", " ▴"),
            Order::NameBackwards | Order::Newest => ("descending", " ▾"),
        };
        let is_sorted = orders.contains(&self.order);
        html! {
            th scope="col" aria-sort=[is_sorted.then_some(sorted)] {
                a href=(self.link(next, None)) { (name) @if is_sorted { span aria-hidden="true" { (arrow) } } }
            }
        }
    }

    /// The same list in an order, or another page of it.
    fn link(&self, order: Order, number: Option<usize>) -> String {
        let number = number.map(|number| number.to_string()).unwrap_or_default();
        let parameters = query(&[("q", self.filter), ("sort", order.parameter()), ("page", &number)]);
        format!("{}?{parameters}", self.state.url(&Page::Tags(self.of.name().clone())))
    }
}

/// The first platforms of a row.
fn kinds(summary: Option<&Summary>) -> Markup {
    const SHOWN: usize = 6;
    let kinds = summary.map(|summary| summary.kinds.as_slice()).unwrap_or_default();
    html! {
        @if kinds.is_empty() { "–" }
        @for kind in kinds.iter().take(SHOWN) { span.kind { (text::plain(kind)) } " " }
        @if kinds.len() > SHOWN { "and " (kinds.len() - SHOWN) " more" }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::oci::Algorithm;

    #[test]
    fn a_part_is_that_of_the_sorted_list() {
        let listed = |number: u64| ListedTag {
            tag: format!("t{:03}", number * 7919 % 250).parse().unwrap(),
            digest: Digest::of(Algorithm::Sha256, b""),
            pushed: (!number.is_multiple_of(10))
                .then(|| SystemTime::UNIX_EPOCH + Duration::from_secs(number * 31 % 40)),
        };
        let all: Vec<_> = (0..250).map(listed).collect();
        for order in [Order::Newest, Order::Oldest, Order::Name, Order::NameBackwards] {
            let mut sorted = all.clone();
            sorted.sort_by(|one, other| order.compare(one, other));
            for range in [0..0, 0..100, 100..200, 200..250, 0..250, 249..250] {
                assert_eq!(order.select(&mut all.clone(), range.clone()), &sorted[range], "{order:?}");
            }
        }
        assert!(Order::Newest.select(&mut [], 0..0).is_empty());
    }
}
