//! The deletion of a tag or a manifest. The page first names everything that goes.

use actix_web::HttpResponse;
use maud::{Markup, html};

use super::{
    State,
    error::PageError,
    form,
    frame::{FORM_TOKEN, Frame, Viewer, form_token},
    image::{separator, short},
    page, query,
    reader::Reader,
    referrers::Referrers,
    routes::Page,
    see_other, text,
};
use crate::{
    http::{Authorized, Delete, Exchange},
    oci::{Algorithm, Digest, EntityTags, Preconditions, Reference, Tag},
    registry::ListedTag,
};

/// The tags and the manifest that a deletion is about.
struct Plan {
    digest: Digest,
    /// The tags that go.
    tags: Vec<Tag>,
    /// The tags of the same manifest that stay.
    others: Vec<Tag>,
}

impl Plan {
    async fn of(of: &Authorized<Delete>, reference: &Reference) -> Result<Self, PageError> {
        let repository = of.repository();
        match reference {
            Reference::Digest(digest) => {
                let document = Reader::new(of).manifest(reference).await?;
                document.ok_or(PageError::NotHere)?;
                let tags = repository.browse_tags(|_, named| named == digest).await?;
                Ok(Self { tags: names(tags), others: Vec::new(), digest: digest.clone() })
            }
            Reference::Tag(tag) => {
                let found = repository.browse_tags(|other, _| other == tag).await?.pop();
                let digest = found.ok_or(PageError::NotHere)?.digest;
                let others = repository.browse_tags(|other, named| other != tag && *named == digest).await?;
                Ok(Self { digest, tags: vec![tag.clone()], others: names(others) })
            }
        }
    }

    /// Identifies the plan. The form sends it back, so that a deletion takes away only what its page named.
    fn fingerprint(&self) -> String {
        let names = self.tags.iter().map(Tag::as_str).collect::<Vec<_>>().join("\n");
        Digest::of(Algorithm::Sha256, format!("{}\n{names}", self.digest).as_bytes()).to_string()
    }
}

fn names(listed: Vec<ListedTag>) -> Vec<Tag> {
    listed.into_iter().map(|listed| listed.tag).collect()
}

/// Shows the plan, with the form to confirm it.
pub(super) async fn show(
    state: &State,
    exchange: &Exchange<'_>,
    of: &Authorized<Delete>,
    reference: &Reference,
) -> Result<HttpResponse, PageError> {
    if !state.registry.takes_deletes() {
        return Err(PageError::DeletesOff);
    }
    let plan = Plan::of(of, reference).await?;
    let image = Page::Image(of.name().clone(), reference.clone());
    let what = match reference {
        Reference::Tag(_) => "tag",
        Reference::Digest(_) => "manifest",
    };
    let body = html! {
        h1 { "Delete the " (what) " " (short(reference)) "?" }
        p { "In the repository " strong { (of.name()) } "." }
        @match reference {
            Reference::Tag(_) => (of_tag(state, of, &plan)),
            Reference::Digest(_) => (of_manifest(state, of, &plan).await?),
        }
        form.buttons method="post" action=(state.url(&Page::Delete(of.name().clone(), reference.clone()))) {
            input type="hidden" name=(FORM_TOKEN) value=(form_token(state, exchange));
            input type="hidden" name="plan" value=(plan.fingerprint());
            button.danger type="submit" { "Delete" }
            a.button href=(state.url(&image)) { "Keep it" }
        }
    };
    let title = format!("Delete {}{}{reference}", of.name(), separator(reference));
    let trail = [
        (Page::Home, "Repositories".to_owned()),
        (Page::Tags(of.name().clone()), of.name().to_string()),
        (image, short(reference)),
        (Page::Delete(of.name().clone(), reference.clone()), "Delete".to_owned()),
    ];
    let frame = Frame { state, title: &title, viewer: Viewer::of(state, exchange), trail: &trail };
    Ok(page(frame.around(&body)))
}

fn of_tag(state: &State, of: &Authorized<Delete>, plan: &Plan) -> Markup {
    let whole = Page::Delete(of.name().clone(), Reference::Digest(plan.digest.clone()));
    html! {
        h2 { "This goes" }
        ul { @for tag in &plan.tags { li { "the tag " strong { (tag) } } } }
        h2 { "This stays" }
        ul {
            li { "the manifest " (text::short(&plan.digest)) " and all that belongs to it" }
            @for tag in &plan.others { li { "its tag " strong { (tag) } } }
        }
        @if plan.others.is_empty() {
            p {
                "The manifest then has no tag. It can be pulled by its digest, until a collection that takes manifests \
                 without a tag removes it."
            }
        }
        p { a href=(state.url(&whole)) { "Delete the manifest itself, with all its tags…" } }
    }
}

async fn of_manifest(state: &State, of: &Authorized<Delete>, plan: &Plan) -> Result<Markup, PageError> {
    let reference = Reference::Digest(plan.digest.clone());
    let document = Reader::new(of).manifest(&reference).await?.ok_or(PageError::NotHere)?;
    let referrers = Referrers::read(of, &plan.digest).await?;
    let children = document.children.unwrap_or_default();
    Ok(html! {
        h2 { "This goes" }
        ul {
            li { "the manifest " code.whole { (plan.digest) } }
            @for tag in &plan.tags { li { "its tag " strong { (tag) } } }
        }
        @if !children.is_empty() || !referrers.is_empty() {
            h2 { "This goes with a later collection" }
            p {
                "A collection that takes manifests without a tag removes these, unless a tag or another index holds \
                 them. Until then they can be pulled by their digests."
            }
            ul {
                @for child in &children {
                    li {
                        (text::plain(child.platform.as_deref().unwrap_or("an attestation or other manifest")))
                        " " (text::short(&child.digest))
                    }
                }
            }
            @if !referrers.is_empty() { (referrers.show(state, of)) }
        }
        p { "Layers that nothing else refers to are removed from the disk by the next collection." }
    })
}

/// Deletes, if the plan is still the one that the form confirms.
pub(super) async fn delete(
    state: &State,
    exchange: &Exchange<'_>,
    of: &Authorized<Delete>,
    reference: &Reference,
) -> Result<HttpResponse, PageError> {
    let form = form::read(state, exchange).await?;
    let plan = Plan::of(of, reference).await?;
    if form.one("plan")? != Some(plan.fingerprint().as_str()) {
        return Err(PageError::Changed);
    }
    let tag_of_digest = format!("\"{}\"", plan.digest);
    let unchanged =
        Preconditions { if_match: Some(EntityTags::parse([tag_of_digest.as_str()])), ..Preconditions::default() };
    match reference {
        Reference::Tag(tag) => of.repository().delete_tag(tag, unchanged).await?,
        Reference::Digest(digest) => of.repository().delete_manifest(digest, unchanged).await?,
    }
    let tags = state.url(&Page::Tags(of.name().clone()));
    // A repository goes with its last manifest.
    match of.repository().browse_tags(|_, _| false).await {
        Ok(_) => Ok(see_other(format!("{tags}?{}", query(&[("deleted", &reference.to_string())])))),
        Err(_) => Ok(see_other(state.url(&Page::Home))),
    }
}
