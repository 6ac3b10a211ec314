//! The page of the store: free space and collections.

use actix_web::HttpResponse;
use maud::{Markup, html};

use super::{
    State,
    error::PageError,
    frame::{Frame, Viewer},
    page, text,
};
use crate::{
    http::{Exchange, HttpError},
    registry::LastCollection,
};

/// Shows the free space, and the result of the last collection.
pub(super) async fn show(state: &State, exchange: &Exchange<'_>) -> Result<HttpResponse, PageError> {
    let free = state.registry.free_space().await.map_err(HttpError::from)?;
    let interval = state.registry.collections().interval;
    let body = html! {
        h1 { "Space" }
        dl.facts {
            dt { "Free" }
            dd { @if let Some(free) = free { (text::size(free.bytes)) } @else { "The store is in memory." } }
            dt { "Writes" } dd { @if state.registry.is_read_only() { "off: the store is read-only" } @else { "on" } }
            dt { "Deletes" } dd { @if state.registry.takes_deletes() { "on" } @else { "off" } }
            dt { "Collections" }
            dd {
                @if let Some(interval) = interval { "one every " (text::span(interval.as_secs())) }
                @else { "only when an operator runs " code { "wharf gc" } }
            }
        }
        section {
            h2 { "Last collection" }
            @match state.registry.last_collection() {
                Some(last) => (collection(&last)),
                None => p { "None since the start of the registry." },
            }
        }
    };
    let frame = Frame { state, title: "Space", viewer: Viewer::of(state, exchange), trail: &[] };
    Ok(page(frame.around(&body)))
}

fn collection(last: &LastCollection) -> Markup {
    let LastCollection { ended, report } = last;
    html! {
        dl.facts {
            dt { "Ended" } dd { (text::age(Some(*ended))) }
            dt { "Freed" }
            dd { (contents(report.bytes, report.contents)) }
            dt { "Removed" }
            dd {
                (text::counted(report.manifests, "manifest without a tag", "manifests without a tag")) ", "
                (text::counted(report.uploads, "unfinished upload", "unfinished uploads"))
            }
            dt { "Waiting" }
            dd { (contents(report.waiting_bytes, report.waiting)) " that nothing refers to and that are too young" }
        }
    }
}

fn contents(bytes: u64, count: u64) -> String {
    format!("{}, {}", text::size(bytes), text::counted(count, "blob or manifest", "blobs and manifests"))
}
