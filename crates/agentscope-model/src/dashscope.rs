//! Chat by DashScope's own API, for models that see, hear and watch as well.

mod decode;
mod encode;

use crate::{
    conversation::Manners,
    http::{Ask, Decode, Format, Peer, Service, Settings, http_chat_model, with_path, written},
};
use agentscope_core::Result;
use agentscope_net::Url;
use std::sync::Arc;

http_chat_model! {
    /// A model of Alibaba Cloud's Model Studio by its own API, which shows images, sounds and films to models such as
    /// `qwen3-vl-plus`. [`OpenAIChatModel::of(Provider::DashScope, ..)`](crate::OpenAIChatModel::of) is the same service in its
    /// compatible mode.
    ///
    /// Fields of [`body`](Self::body) and of a request's options go into `parameters`: `enable_thinking`, `enable_search`,
    /// `top_k` and others. The API knows only calls of one tool that is named, so that a call of any of several tools is left to
    /// the model. Errors are those of [`OpenAIChatModel`](crate::OpenAIChatModel).
    ///
    /// ```
    /// use agentscope_core::ChatModel;
    /// use agentscope_model::DashScopeChatModel;
    ///
    /// let model = DashScopeChatModel::new("qwen3-vl-plus").api_key("sk-..").body("enable_thinking", true);
    /// assert_eq!(model.card().spec, "dashscope-native:qwen3-vl-plus");
    /// ```
    DashScopeChatModel
}

/// What the names of models have in them that see, hear or watch.
const MULTIMODAL: [&str; 9] =
    ["qvq", "-vl", "-audio", "-asr", "-ocr", "-omni", "qwen3.5-", "qwen3.6-", "qwen3.7-"];

impl DashScopeChatModel {
    /// A model such as `qwen-plus` or `qwen3-vl-plus`. The key is that of DASHSCOPE_API_KEY, the address that of
    /// DASHSCOPE_HTTP_BASE_URL or `https://dashscope.aliyuncs.com/api/v1`. Its card or its name tells whether it is asked as one
    /// that sees: see [`multimodal`](Self::multimodal).
    pub fn new(model: impl Into<String>) -> Self {
        let model = model.into();
        let multimodal = MULTIMODAL.iter().any(|it| model.contains(it));
        let settings = Settings::new(Arc::new(DashScope { multimodal }), model, |card| {
            card.input_types = types(multimodal);
        });
        let known = settings.card.input_types.clone();
        let multimodal = multimodal || !known.is_empty();
        Self(Arc::new(settings)).multimodal(multimodal).describe(|card| {
            card.input_types = known;
            // The API has no way to say it.
            card.output_schema = false;
        })
    }

    /// Whether it is asked by the multimodal method of the API, which other models refuse.
    #[must_use]
    pub fn multimodal(self, multimodal: bool) -> Self {
        self.change(|settings| {
            settings.format = Arc::new(DashScope { multimodal });
            Arc::make_mut(&mut settings.card).input_types = types(multimodal);
        })
    }
}

/// What is assumed that a model takes.
fn types(multimodal: bool) -> Vec<String> {
    let types: &[&str] = if multimodal { &["image/*", "audio/*", "video/*"] } else { &[] };
    types.iter().map(|it| (*it).to_owned()).collect()
}

const NATIVE: Service = Service {
    name: "dashscope-native",
    keys: &["DASHSCOPE_API_KEY"],
    needs_key: true,
    base_url: "https://dashscope.aliyuncs.com/api/v1",
    base_url_variable: "DASHSCOPE_HTTP_BASE_URL",
    api: "DashScope's API",
    place: "which mostly ends with /api/v1",
    example: "https://dashscope.aliyuncs.com/api/v1",
    ..Service::COMMON
};

static SERVICE: Service = NATIVE;

/// The same service, as specs of embedders and models that draw name it: they have no other API there.
#[cfg(any(feature = "embedding", feature = "image"))]
pub(crate) static ALONE: Service = Service { name: "dashscope", ..NATIVE };

static TEXT: Manners = Manners { shown: [false; 4], media_in_order: true, ..Manners::COMMON };

static MULTIMODAL_MANNERS: Manners = Manners {
    shown: [true, true, true, false],
    inlined: [false; 4],
    media_in_order: true,
    ..Manners::COMMON
};

/// The wire format.
#[derive(Debug)]
struct DashScope {
    multimodal: bool,
}

impl Format for DashScope {
    fn service(&self) -> &'static Service {
        &SERVICE
    }

    fn manners(&self) -> &'static Manners {
        if self.multimodal { &MULTIMODAL_MANNERS } else { &TEXT }
    }

    fn address(&self, base: Url, _: &str, _: bool) -> Url {
        let kind = if self.multimodal { "multimodal" } else { "text" };
        with_path(base, &format!("/services/aigc/{kind}-generation/generation"))
    }

    fn headers(&self, stream: bool) -> &'static [(&'static str, &'static str)] {
        if stream { &[("x-dashscope-sse", "enable")] } else { &[] }
    }

    fn encode(&self, ask: &Ask<'_>) -> Result<Vec<u8>> {
        written(ask, &encode::Body(ask))
    }

    fn decoder(&self, peer: Peer, ask: &Ask<'_>) -> Box<dyn Decode> {
        let accumulates = ask.extra("incremental_output").is_some_and(|it| *it == false);
        Box::new(decode::Decoder::new(peer, accumulates))
    }
}

#[cfg(test)]
mod tests;
