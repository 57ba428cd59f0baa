//! An assistant that computes with Python, looks at files with the shell, and knows the weather.

use agentscope::prelude::*;
use agentscope::tool::{execute_python_code, execute_shell_command};

/// Get the current weather of a city.
#[tool(read_only)]
async fn weather(
    /// City name, in English.
    city: String,
) -> String {
    format!("{city}: sunny, 21 °C (an example: no weather service was asked)")
}

#[tokio::main]
async fn main() -> Result<()> {
    let friday = ReActAgent::new("Friday", examples::model()?)
        .prompt("You're a helpful assistant named Friday.")
        .tool(execute_python_code())
        .allow("execute_python_code") // runs without asking, because this is a demo
        .tool(execute_shell_command()) // asks before each command
        .tool(weather);
    console(friday).sample("what is 17*23?").await
}
