//! The room in the store, and its collections.

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

/// Shows how much room is left, and what the last collection did.
pub(super) async fn show(state: &State, exchange: &Exchange<'_>) -> Result<HttpResponse, PageError> {
    let free = state.registry.free_space().await.map_err(HttpError::from)?;
    let body = html! {
        h1 { "Space" }
        dl.facts {
            dt { "Free" }
            dd { @if let Some(free) = free { (text::size(free.bytes)) } @else { "The store is in memory." } }
            dt { "Writes" }
            dd { @if state.registry.is_read_only() { "The store is read-only." } @else { "The store takes writes." } }
            dt { "Deletes" }
            dd { @if state.registry.takes_deletes() { "are allowed" } @else { "are switched off" } }
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
            dt { "Ended" } dd { (text::age(*ended)) }
            dt { "Freed" }
            dd { (text::size(report.bytes)) ", " (text::counted(report.contents, "blob or manifest", "blobs and manifests")) }
            dt { "Removed" }
            dd {
                (text::counted(report.manifests, "manifest without a tag", "manifests without a tag")) ", "
                (text::counted(report.uploads, "unfinished upload", "unfinished uploads"))
            }
            dt { "Waiting" }
            dd { (text::size(report.waiting_bytes)) ", " (text::counted(report.waiting, "blob or manifest", "blobs and manifests")) " that nothing refers to and that are too young" }
        }
        @if report.dry_run { p { "It was a dry run: it removed nothing." } }
    }
}
