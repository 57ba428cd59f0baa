//! Models by the Responses API of OpenAI.

mod decode;
mod encode;
mod items;
mod part;
mod wire;

use crate::{
    conversation::{ImagesOfResults, Manners},
    http::{Ask, Counting, Decode, Format, Peer, Service, Settings, http_chat_model, with_path, written},
    openai::sees,
};
use agentscope_core::Result;
use agentscope_net::Url;
use decode::Decoder;
use encode::{Body, Counted};
use serde_json::{Value, json};
use std::sync::Arc;

http_chat_model! {
    /// A model by the Responses API of OpenAI, or behind an API that is compatible with it.
    ///
    /// Nothing is stored at the provider: what a model has thought comes encrypted, and is sent back in its place, as the API
    /// wants it while tools are called. Of the thoughts themselves only a summary is shown, and only where one is
    /// [asked for](Self::summary). Images of a tool's result stand in the result.
    ///
    /// The API has no texts before which to stop, and no seed: these options are left out.
    ///
    /// Requests are sent again as with [`OpenAIChatModel`](crate::OpenAIChatModel), and errors are those named there. Cloning it is
    /// cheap and gives the same model.
    ///
    /// ```
    /// use agentscope_core::ChatModel;
    /// use agentscope_model::OpenAIResponseModel;
    ///
    /// let model = OpenAIResponseModel::new("gpt-5").api_key("sk-..").effort("low").summary("auto");
    /// assert_eq!(model.card().spec, "responses:gpt-5");
    /// ```
    OpenAIResponseModel
}

impl OpenAIResponseModel {
    /// A model of OpenAI, such as `gpt-5`. The key is that of OPENAI_API_KEY, the address that of OPENAI_BASE_URL or
    /// `https://api.openai.com/v1`.
    pub fn new(model: impl Into<String>) -> Self {
        let model = model.into();
        let sees = sees(&model);
        Self(Arc::new(Settings::new(Arc::new(Responses), model, |card| {
            card.output_schema = true;
            if sees {
                card.input_types = vec!["image/*".to_owned()];
            }
        })))
    }

    /// How much it thinks, such as `minimal`, `low`, `medium` or `high`; for a model that does.
    #[must_use]
    pub fn effort(self, effort: impl Into<String>) -> Self {
        self.reasoning("effort", effort.into())
    }

    /// Whether a summary of its thoughts is shown, and which: `auto`, `concise` or `detailed` (none). OpenAI asks organizations
    /// to verify themselves first.
    #[must_use]
    pub fn summary(self, summary: impl Into<String>) -> Self {
        self.reasoning("summary", summary.into())
    }

    fn reasoning(self, key: &str, value: String) -> Self {
        self.change(|settings| {
            let reasoning = settings.extra.entry("reasoning").or_insert_with(|| json!({}));
            if let Value::Object(fields) = reasoning {
                fields.insert(key.to_owned(), value.into());
            }
        })
    }
}

/// The wire format.
#[derive(Debug)]
struct Responses;

static SERVICE: Service = Service {
    name: "responses",
    keys: &["OPENAI_API_KEY"],
    needs_key: true,
    base_url: "https://api.openai.com/v1",
    base_url_variable: "OPENAI_BASE_URL",
    api: "OpenAI's Responses API",
    ..Service::COMMON
};

static MANNERS: Manners = Manners {
    shown: [true, false, false, true],
    images: Manners::WEB_IMAGES,
    inlined: [false, false, false, true],
    system_anywhere: true,
    media_in_order: false,
    images_of_results: ImagesOfResults::InPlace,
    ..Manners::COMMON
};

impl Format for Responses {
    fn service(&self) -> &'static Service {
        &SERVICE
    }

    fn manners(&self) -> &'static Manners {
        &MANNERS
    }

    fn address(&self, base: Url, _: &str, _: bool) -> Url {
        with_path(base, "/responses")
    }

    fn encode(&self, ask: &Ask<'_>) -> Result<Vec<u8>> {
        written(ask, &Body(*ask))
    }

    fn seals_thoughts(&self) -> bool {
        true
    }

    fn counting(&self, base: Url, _: &str) -> Option<Counting> {
        let mut url = with_path(base, "/responses");
        let path = format!("{}/input_tokens", url.path());
        url.set_path(&path);
        Some(Counting { url, field: "input_tokens" })
    }

    fn encode_counted(&self, ask: &Ask<'_>) -> Result<Vec<u8>> {
        written(ask, &Counted(Body(*ask)))
    }

    fn decoder(&self, peer: Peer, _: &Ask<'_>) -> Box<dyn Decode> {
        Box::new(Decoder::new(peer))
    }
}

#[cfg(test)]
mod tests;
