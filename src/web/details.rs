//! The layers, the history and the configuration of an image for one platform.

use maud::{Markup, html};

use super::{
    document::Document,
    error::PageError,
    image_config::{ImageConfig, Step},
    reader::Reader,
    text,
};
use crate::http::Pull;

/// How many entries of a list in a manifest or a configuration are shown.
pub(super) const ENTRIES: usize = 500;

/// Shows the layers, the history and the configuration of an image, or the files of an artifact.
pub(super) async fn details(reader: &Reader<'_, Pull>, document: &Document) -> Result<Markup, PageError> {
    let config = ImageConfig::read(reader, document).await?;
    Ok(html! { (layers(document.is_image(), &config.steps(&document.layers))) (configuration(&config)) })
}

fn layers(is_image: bool, steps: &[Step]) -> Markup {
    let (title, step, layer) =
        if is_image { ("Layers and history", "Step", "Layer") } else { ("Files", "File", "Digest") };
    html! {
        @if !steps.is_empty() {
            section {
                h3 { (title) }
                table.layers {
                    thead {
                        tr { th scope="col" { (step) } th.number scope="col" { "Size" } th scope="col" { (layer) } }
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
            td {
                @if let Some(layer) = layer {
                    (text::short(&layer.digest))
                    @if layer.is_elsewhere { " kept by another host" }
                } @else { "no change of files" }
            }
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

/// Shows names with their values.
pub(super) fn pairs(pairs: &[(String, String)]) -> Markup {
    html! {
        dl.facts {
            @for (name, value) in pairs.iter().take(ENTRIES) { dt { (text::plain(name)) } dd { (text::plain(value)) } }
        }
        @if pairs.len() > ENTRIES { p { "and " (pairs.len() - ENTRIES) " more" } }
    }
}
