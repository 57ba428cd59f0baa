//! The official SDKs of Anthropic, Google, Ollama and DashScope understand our test server. Each script tries text, streams, tools,
//! parallel tools, thoughts, structured output, usage and errors; what fails is in its traceback.

use crate::sdk::understands;

fn sdk(script: &str) {
    understands("AGENTSCOPE_SDKS_PYTHON", script, &[], "");
}

#[test]
fn the_sdk_of_anthropic_understands_our_server() {
    sdk("anthropic_sdk.py");
}

#[test]
fn the_sdk_of_google_understands_our_server() {
    sdk("genai_sdk.py");
}

#[test]
fn the_sdk_of_ollama_understands_our_server() {
    sdk("ollama_sdk.py");
}

#[test]
fn the_sdk_of_dashscope_understands_our_server() {
    sdk("dashscope_sdk.py");
}
