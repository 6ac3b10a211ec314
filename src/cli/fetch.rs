//! `wharf fetch`: has images of upstreams in the store before somebody pulls them.

use std::process::ExitCode;

use clap::Args;
use indicatif::HumanBytes;

use super::{CommandResult, FileArguments, maintenance, output};
use crate::{
    registry::{FetchedImage, ImageName},
    server::control_socket::Request,
};

/// Fetch images from the upstreams that the settings name, with all their platforms.
#[derive(Debug, Args)]
pub(super) struct Fetch {
    /// The images, by their names here: docker.io/library/alpine:3.20, or with @sha256:…
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<ImageName>,
    /// The settings file
    #[arg(long, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
}

impl Fetch {
    /// Exit code 0 if all of them are in the store.
    pub(super) fn run(self) -> CommandResult {
        let config = FileArguments { file: None, config: self.config }.sources().load()?.config;
        let mut code = ExitCode::SUCCESS;
        for image in self.images {
            let request = Request::Fetch { image: image.clone() };
            let asked = image.clone();
            let fetched: Result<FetchedImage, String> = maintenance::work(
                &config,
                &request,
                |()| {},
                |registry, _| async move { registry.fetch(&asked).await },
            );
            match fetched {
                Ok(FetchedImage { manifests, blobs, bytes }) => {
                    let size = HumanBytes(bytes);
                    output::answer(&format!("{image}: {manifests} manifests and {blobs} blobs, {size}\n"));
                }
                Err(error) => {
                    output::complain(&format_args!("{image}: {error}"));
                    code = ExitCode::FAILURE;
                }
            }
        }
        Ok(code)
    }
}
