//! The official SDK of OpenAI understands our test server, by chat completions, by responses and by Azure's paths.

use crate::sdk::understands;

/// Runs one function of the script.
fn sdk(function: &str) {
    understands("AGENTSCOPE_OPENAI_PYTHON", "openai_sdk.py", &[function], "/v1");
}

#[test]
fn the_sdk_reads_a_whole_answer() {
    sdk("whole");
}

#[test]
fn the_sdk_reads_a_stream() {
    sdk("streamed");
}

#[test]
fn the_sdk_reads_calls_and_sends_results() {
    sdk("tools");
}

#[test]
fn the_sdk_parses_what_obeys_a_schema() {
    sdk("parsed");
}

#[test]
fn the_sdk_raises_its_own_exceptions() {
    sdk("errors");
}

#[test]
fn the_sdk_reads_responses_whole_and_streamed() {
    sdk("responses");
}

#[test]
fn the_sdk_reads_calls_of_responses_and_sends_results() {
    sdk("responses_tools");
}

#[test]
fn the_sdk_parses_responses_that_obey_a_schema() {
    sdk("responses_parsed");
}

#[test]
fn the_sdk_reads_what_was_thought_before_a_response() {
    sdk("responses_thinking");
}

#[test]
fn the_sdk_raises_its_own_exceptions_for_responses() {
    sdk("responses_errors");
}

#[test]
fn the_sdk_finds_the_way_by_azures_paths() {
    sdk("azure");
}

#[test]
fn the_sdk_reads_what_was_built_after_the_reference() {
    sdk("references");
}
