//! The page of a manifest: an image, an index or an artifact.

use actix_web::HttpResponse;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use maud::{Markup, html};

use super::{
    State,
    details::{ENTRIES, details, pairs},
    document::{Child, Document},
    error::PageError,
    frame::{Frame, Viewer},
    page,
    reader::Reader,
    referrers::Referrers,
    routes::Page,
    summary::{Summary, size_of},
    text,
};
use crate::{
    http::{Authorized, Exchange, Pull},
    oci::Reference,
    registry::ListedTag,
};

/// How many platforms of an index are shown with their details; the page links to the others.
const PLATFORMS: usize = 12;
/// How many of them are read at a time.
const READS: usize = 8;

/// Shows a manifest.
pub(super) async fn show(
    state: &State,
    exchange: &Exchange<'_>,
    of: &Authorized<Pull>,
    reference: &Reference,
) -> Result<HttpResponse, PageError> {
    let reader = Reader::new(of);
    let document = reader.manifest(reference).await?.ok_or(PageError::NotHere)?;
    let tags = of.repository().browse_tags(|_, digest| *digest == document.digest).await?;
    let summary = Summary::read(&reader, &document.digest).await?;
    let referrers = Referrers::read(of, &document.digest).await?;
    let content = match &document.children {
        Some(children) => index(state, of, &reader, children).await?,
        None => details(&reader, &document).await?,
    };
    let may_delete = exchange.caller().is_some_and(|caller| caller.may_delete(of.name()));
    let body = html! {
        div.heading {
            h1 { (of.name()) span.reference { (separator(reference)) (short(reference)) } }
            @if may_delete {
                a.danger href=(state.url(&Page::Delete(of.name().clone(), reference.clone()))) { "Delete…" }
            }
        }
        (facts(state, of, &document, &summary, &tags))
        (commands(exchange, of, reference, &document))
        (content)
        @if document.is_too_long { p { "This manifest is too long to be shown." } }
        @if !document.annotations.is_empty() { section { h2 { "Annotations" } (pairs(&document.annotations)) } }
        @if !referrers.is_empty() { section { h2 { "Referrers" } (referrers.show(state, of)) } }
    };
    let title = format!("{}{}{reference}", of.name(), separator(reference));
    let trail = [
        (Page::Home, "Repositories".to_owned()),
        (Page::Tags(of.name().clone()), of.name().to_string()),
        (Page::Image(of.name().clone(), reference.clone()), short(reference)),
    ];
    let frame = Frame { state, title: &title, viewer: Viewer::of(state, exchange), trail: &trail };
    Ok(page(frame.around(&body)))
}

/// The character between the name of a repository and a reference.
pub(super) fn separator(reference: &Reference) -> char {
    match reference {
        Reference::Tag(_) => ':',
        Reference::Digest(_) => '@',
    }
}

/// A tag, or the beginning of a digest.
pub(super) fn short(reference: &Reference) -> String {
    match reference {
        Reference::Tag(tag) => tag.to_string(),
        Reference::Digest(digest) => format!("{}:{}", digest.algorithm(), &digest.hex()[..12]),
    }
}

fn facts(state: &State, of: &Authorized<Pull>, document: &Document, summary: &Summary, tags: &[ListedTag]) -> Markup {
    let image = |reference| state.url(&Page::Image(of.name().clone(), reference));
    html! {
        dl.facts {
            dt { "Digest" } dd { code.whole { (document.digest) } }
            dt { "Type" } dd { code { (document.media_type) } }
            @if let Some(kind) = &document.artifact_type { dt { "Artifact" } dd { code { (text::plain(kind)) } } }
            @if document.is_image() {
                @for platform in &summary.kinds { dt { "Platform" } dd { (text::plain(platform)) } }
            }
            @if let Some(size) = summary.size { dt { "Size" } dd { (text::size(size)) } }
            dt { "Pushed" } dd { (text::age(tags.iter().filter_map(|tag| tag.pushed).max())) }
            dt { "Tags" }
            dd {
                @if tags.is_empty() { "none" }
                @for ListedTag { tag, .. } in tags.iter().take(ENTRIES) {
                    a.kind href=(image(Reference::Tag(tag.clone()))) { (tag) } " "
                }
                @if tags.len() > ENTRIES { "and " (tags.len() - ENTRIES) " more" }
            }
            @if let Some(subject) = &document.subject {
                dt { "Belongs to" }
                dd { a href=(image(Reference::Digest(subject.clone()))) { (text::short(subject)) } }
            }
        }
    }
}

/// Commands to copy. A click selects a whole command.
fn commands(exchange: &Exchange<'_>, of: &Authorized<Pull>, reference: &Reference, document: &Document) -> Markup {
    let host = exchange.authority().unwrap_or_else(|| "localhost:5000".to_owned());
    let name = format!("{host}/{}{}{reference}", of.name(), separator(reference));
    let pinned = format!("{host}/{}@{}", of.name(), document.digest);
    let is_image = document.is_image() || document.children.is_some();
    let programs: &[&str] = if is_image { &["docker pull", "podman pull"] } else { &["oras pull"] };
    html! {
        section {
            h2 { "Pull" }
            @for program in programs { pre tabindex="0" { code { (program) " " (name) } } }
            @if let Reference::Tag(_) = reference { pre tabindex="0" { code { (programs[0]) " " (pinned) } } }
        }
    }
}

/// The platforms of an index.
async fn index(
    state: &State,
    of: &Authorized<Pull>,
    reader: &Reader<'_, Pull>,
    children: &[Child],
) -> Result<Markup, PageError> {
    let read = async |child: &Child| {
        let Some(document) = reader.manifest(&Reference::Digest(child.digest.clone())).await? else {
            return Ok::<_, PageError>(None);
        };
        Ok(Some((document.children.is_some(), size_of(&document), details(reader, &document).await?)))
    };
    let read: Vec<_> = stream::iter(children.iter().take(PLATFORMS)).map(read).buffered(READS).try_collect().await?;
    let link = |child: &Child| state.url(&Page::Image(of.name().clone(), Reference::Digest(child.digest.clone())));
    Ok(html! {
        section {
            h2 { "Platforms" }
            @for (child, read) in children.iter().zip(&read) {
                details open[children.len() == 1] {
                    @let is_index = matches!(read, Some((true, ..)));
                    @let other = if is_index { "Index" } else { "Attestation or other" };
                    summary {
                        strong { (text::plain(child.platform.as_deref().unwrap_or(other))) }
                        " " (text::short(&child.digest)) " "
                        @match read {
                            Some((_, Some(size), _)) => (text::size(*size)),
                            Some(_) => {}
                            None => "not in this registry",
                        }
                    }
                    @if let Some((.., details)) = read {
                        p { a href=(link(child)) { @if is_index { "This index alone" } @else { "This image alone" } } }
                        (details)
                    }
                }
            }
            @for child in children.iter().skip(PLATFORMS) {
                p { a href=(link(child)) { (text::plain(child.platform.as_deref().unwrap_or("other"))) } }
            }
        }
    })
}
