//! A manifest with all that it says.

use actix_web::HttpResponse;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use maud::{Markup, html};

use super::{
    State,
    document::{Child, Document},
    error::PageError,
    frame::{Frame, Viewer},
    image_config::{ImageConfig, Step},
    page,
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

/// How many platforms of an index are shown with all they have; the others are links.
const PLATFORMS: usize = 12;
/// How many of them are read at a time.
const READS: usize = 8;
/// How many entries of a list that a client wrote are shown.
const ENTRIES: usize = 500;

/// Shows a manifest.
pub(super) async fn show(
    state: &State,
    exchange: &Exchange<'_>,
    of: &Authorized<Pull>,
    reference: &Reference,
) -> Result<HttpResponse, PageError> {
    let document = Document::read(of, reference).await?.ok_or(PageError::NotHere)?;
    let tags = of.repository().browse_tags(|_, digest| *digest == document.digest).await?;
    let summary = Summary::read(of, &document.digest).await?;
    let referrers = Referrers::read(of, &document.digest).await?;
    let details = match &document.children {
        Some(children) => index(state, of, children).await?,
        None => part(of, &document).await?,
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
        (details)
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

/// What stands between the name of a repository and a reference.
pub(super) fn separator(reference: &Reference) -> char {
    match reference {
        Reference::Tag(_) => ':',
        Reference::Digest(_) => '@',
    }
}

/// A reference, of a digest the beginning.
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

/// Commands to copy. A click selects one.
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

/// The platforms of an index: the first of them with all they have.
async fn index(state: &State, of: &Authorized<Pull>, children: &[Child]) -> Result<Markup, PageError> {
    let read = async |child: &Child| {
        let Some(document) = Document::read(of, &Reference::Digest(child.digest.clone())).await? else {
            return Ok::<_, PageError>(None);
        };
        Ok(Some((size_of(&document), part(of, &document).await?)))
    };
    let parts: Vec<_> = stream::iter(children.iter().take(PLATFORMS)).map(read).buffered(READS).try_collect().await?;
    let link = |child: &Child| state.url(&Page::Image(of.name().clone(), Reference::Digest(child.digest.clone())));
    Ok(html! {
        section {
            h2 { "Platforms" }
            @for (child, part) in children.iter().zip(&parts) {
                details open[parts.len() == 1] {
                    summary {
                        strong { (text::plain(child.platform.as_deref().unwrap_or("Attestation or other"))) }
                        " " (text::short(&child.digest)) " "
                        @match part {
                            Some((size, _)) => (text::size(*size)),
                            None => "not in this registry",
                        }
                    }
                    @if let Some((_, part)) = part {
                        p { a href=(link(child)) { "This image alone" } }
                        (part)
                    }
                }
            }
            @for child in children.iter().skip(PLATFORMS) {
                p { a href=(link(child)) { (text::plain(child.platform.as_deref().unwrap_or("other"))) } }
            }
        }
    })
}

/// An image for one platform, or an artifact.
async fn part(of: &Authorized<Pull>, document: &Document) -> Result<Markup, PageError> {
    let config = ImageConfig::read(of, document).await?;
    Ok(html! { (layers(&config.steps(&document.layers))) (configuration(&config)) })
}

fn layers(steps: &[Step]) -> Markup {
    html! {
        @if !steps.is_empty() {
            section {
                h3 { "Layers and history" }
                table.layers {
                    thead {
                        tr { th scope="col" { "Step" } th.number scope="col" { "Size" } th scope="col" { "Layer" } }
                    }
                    tbody { @for step in steps.iter().take(ENTRIES) { (row(step)) } }
                }
                @if steps.len() > ENTRIES { p { "and " (steps.len() - ENTRIES) " more" } }
            }
        }
    }
}

fn row(step: &Step) -> Markup {
    let layer = step.layer.as_ref();
    let title = layer.and_then(|layer| layer.title.as_deref());
    let words = if step.command.is_empty() {
        title.or(layer.map(|layer| layer.media_type.as_str()))
    } else {
        Some(step.command.as_str())
    };
    html! {
        tr {
            td.command { code { (text::plain(words.unwrap_or_default())) } }
            td.number { @if let Some(layer) = layer { (text::size(layer.size)) } @else { "–" } }
            td { @if let Some(layer) = layer { (text::short(&layer.digest)) } @else { "no change of files" } }
        }
    }
}

fn configuration(config: &ImageConfig) -> Markup {
    let (settings, labels) = (config.settings(), config.labels());
    html! {
        @if !settings.is_empty() {
            section {
                h3 { "Configuration" }
                dl.facts {
                    @for (name, values) in &settings {
                        dt { (name) }
                        @for value in values.iter().take(ENTRIES) { dd { code { (text::plain(value)) } } }
                    }
                }
            }
        }
        @if !labels.is_empty() { section { h3 { "Labels" } (pairs(&labels)) } }
    }
}

/// Names and values that a client wrote.
fn pairs(pairs: &[(String, String)]) -> Markup {
    html! {
        dl.facts {
            @for (name, value) in pairs.iter().take(ENTRIES) { dt { (text::plain(name)) } dd { (text::plain(value)) } }
        }
        @if pairs.len() > ENTRIES { p { "and " (pairs.len() - ENTRIES) " more" } }
    }
}
