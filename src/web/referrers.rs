//! The referrers of an image: signatures, SBOMs, attestations and other artifacts.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::{State, routes::Page, text};
use crate::{
    http::Authorized,
    oci::{Descriptor, Digest, Reference, Tag},
    registry::RegistryError,
};

/// How many referrers of one image are shown.
const SHOWN: usize = 200;

/// The referrers of an image.
pub(super) struct Referrers {
    descriptors: Vec<Descriptor>,
    /// Whether there are more than are shown.
    more: bool,
    /// The tags that older versions of cosign use in the place of referrers.
    tags: Vec<Tag>,
}

impl Referrers {
    pub(super) async fn read<A>(of: &Authorized<A>, subject: &Digest) -> Result<Self, RegistryError> {
        let page = of.repository().browse_referrers(subject, SHOWN).await?;
        let prefix = Tag::of_referrers(subject).to_string();
        let is_attached = |tag: &Tag, _: &Digest| {
            tag.as_str().strip_prefix(&prefix).is_some_and(|suffix| by_suffix(suffix).is_some())
        };
        let tags = of.repository().browse_tags(is_attached).await?.into_iter().map(|listed| listed.tag).collect();
        Ok(Self { descriptors: page.descriptors, more: page.more, tags })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.descriptors.is_empty() && self.tags.is_empty()
    }

    /// The referrers by their kinds.
    pub(super) fn show<A>(&self, state: &State, of: &Authorized<A>) -> Markup {
        let mut kinds: BTreeMap<String, Vec<(Reference, Option<u64>)>> = BTreeMap::new();
        for descriptor in &self.descriptors {
            let kind = kind(descriptor.artifact_type.as_deref().unwrap_or_default());
            let reference = Reference::Digest(descriptor.digest.clone());
            kinds.entry(kind).or_default().push((reference, Some(descriptor.size)));
        }
        for tag in &self.tags {
            let suffix = tag.as_str().rsplit_once('.').map(|(_, suffix)| format!(".{suffix}")).unwrap_or_default();
            let kind = by_suffix(&suffix).unwrap_or("Other").to_owned();
            kinds.entry(kind).or_default().push((Reference::Tag(tag.clone()), None));
        }
        html! {
            dl.facts {
                @for (kind, references) in &kinds {
                    dt { (text::plain(kind)) }
                    @for (reference, _) in references {
                        dd {
                            a href=(state.url(&Page::Image(of.name().clone(), reference.clone()))) {
                                @match reference {
                                    Reference::Digest(digest) => (text::short(digest)),
                                    Reference::Tag(tag) => code { (tag) },
                                }
                            }
                        }
                    }
                }
            }
            @if self.more { p { "There are more than these." } }
        }
    }
}

/// The kind of artifact that cosign marks with the end of a tag.
fn by_suffix(suffix: &str) -> Option<&'static str> {
    match suffix {
        ".sig" => Some("Signature (cosign)"),
        ".att" => Some("Attestation (cosign)"),
        ".sbom" => Some("SBOM (cosign)"),
        _ => None,
    }
}

/// The kind of an artifact in words; its type if it is not known.
fn kind(artifact_type: &str) -> String {
    const KINDS: [(&str, &str); 9] = [
        ("application/vnd.dev.cosign.artifact.sig", "Signature (cosign)"),
        ("application/vnd.dev.sigstore.bundle", "Signature (sigstore)"),
        ("application/vnd.cncf.notary.signature", "Signature (Notation)"),
        ("application/spdx", "SBOM (SPDX)"),
        ("text/spdx", "SBOM (SPDX)"),
        ("application/vnd.cyclonedx", "SBOM (CycloneDX)"),
        ("application/vnd.syft", "SBOM (Syft)"),
        ("application/vnd.in-toto", "Attestation (in-toto)"),
        ("application/sarif", "Scan (SARIF)"),
    ];
    let known = KINDS.iter().find(|(beginning, _)| artifact_type.starts_with(beginning));
    match (known, artifact_type) {
        (Some((_, words)), _) => (*words).to_owned(),
        (None, "") => "Other".to_owned(),
        (None, other) => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_words_where_they_are_known() {
        for (artifact_type, expected) in [
            ("application/vnd.dev.cosign.artifact.sig.v1+json", "Signature (cosign)"),
            ("application/vnd.dev.sigstore.bundle.v0.3+json", "Signature (sigstore)"),
            ("application/spdx+json", "SBOM (SPDX)"),
            ("application/vnd.cyclonedx+json", "SBOM (CycloneDX)"),
            ("application/vnd.example.thing", "application/vnd.example.thing"),
            ("", "Other"),
        ] {
            assert_eq!(kind(artifact_type), expected);
        }
    }
}
