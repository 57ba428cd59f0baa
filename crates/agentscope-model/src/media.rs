//! Files of a request, read before it is written: writing it is a pure function.

use crate::openai::Provider;
use agentscope_core::{ContentBlock, Error, ErrorKind, Media, ModelRequest, Result, Source};
use agentscope_net::{Guard, fetch};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::{collections::HashMap, io::Read};

/// Largest file that is put into a request (20 MiB), as most providers have it.
const FILE_LIMIT: usize = 20 << 20;

/// Files by their address.
#[derive(Debug, Default)]
pub(crate) struct Inlined(HashMap<String, Inline>);

/// A file that is put into the request.
#[derive(Debug)]
pub(crate) struct Inline {
    pub(crate) media_type: String,
    /// In base64.
    pub(crate) data: String,
}

impl Inlined {
    pub(crate) fn find(&self, url: &str) -> Option<&Inline> {
        self.0.get(url)
    }

    /// Reads the local files of a request, and fetches those whose kind the provider wants inline.
    ///
    /// # Errors
    /// Those of reading and fetching; [`ErrorKind::InvalidInput`] for a file of more than 20 MiB.
    pub(crate) async fn of(req: &ModelRequest, provider: Provider) -> Result<Self> {
        let mut wanted = Vec::new();
        req.messages.iter().for_each(|msg| collect(&msg.content, provider.ways().shown, &mut wanted));
        let mut inlined = Self::default();
        for (media, url) in wanted {
            if inlined.0.contains_key(url) {
                continue;
            }
            let inline = match media.local_path() {
                Some(path) => read(path.to_owned(), media.media_type().to_owned()).await?,
                None => {
                    let fetched = fetch(url, Guard::public(), FILE_LIMIT).await?;
                    let media_type = match media.media_type() {
                        "application/octet-stream" => fetched.media_type,
                        known => known.to_owned(),
                    };
                    Inline { media_type, data: STANDARD.encode(fetched.bytes) }
                }
            };
            inlined.0.insert(url.to_owned(), inline);
        }
        Ok(inlined)
    }
}

/// The media whose bytes have to be in the request: files of this machine, which no provider can reach, and sounds and
/// documents, which none fetches. Those of a tool's result are left where they are: a tool may be someone else's program, which must not be able to
/// have any file of this machine sent away by naming it.
fn collect<'a>(blocks: &'a [ContentBlock], shown: [bool; 4], wanted: &mut Vec<(&'a Media, &'a str)>) {
    let [images, sounds, films, files] = shown;
    for block in blocks {
        let media = match block {
            ContentBlock::Image(media) if images => media,
            ContentBlock::Audio(media) if sounds => media,
            ContentBlock::Video(media) if films => media,
            ContentBlock::File(media) if files => media,
            ContentBlock::Heard(msg) => {
                collect(&msg.content, shown, wanted);
                continue;
            }
            _ => continue,
        };
        let fetched = matches!(block, ContentBlock::Audio(_) | ContentBlock::File(_));
        if let Source::Url { url, .. } = &media.source
            && !url.starts_with("data:")
            && (media.local_path().is_some() || fetched)
        {
            wanted.push((media, url));
        }
    }
}

async fn read(path: String, media_type: String) -> Result<Inline> {
    let task = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        std::fs::File::open(&path)
            .and_then(|file| file.take(FILE_LIMIT as u64 + 1).read_to_end(&mut bytes))
            .map_err(|error| {
                Error::from(error).context(format!("the file `{path}` of a message cannot be read"))
            })?;
        if bytes.len() > FILE_LIMIT {
            let message = format!(
                "the file `{path}` of a message has more than {FILE_LIMIT} bytes: give a smaller one, or an address"
            );
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        Ok(Inline { media_type, data: STANDARD.encode(bytes) })
    });
    task.await.map_err(|error| {
        Error::new(ErrorKind::Internal, "reading a file of a message failed").with_source(error)
    })?
}
