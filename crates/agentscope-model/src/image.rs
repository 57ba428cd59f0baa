//! Models that draw, and what becomes of their pictures.

mod dashscope;
mod keep;
mod openai;
mod settings;
mod spec;

pub use dashscope::DashScopeImageModel;
pub use keep::{fetch_image, save_image};
pub use openai::OpenAIImageModel;
pub use spec::image_model_from_spec;
