//! The built-in tools keep the laws of every tool.

use agentscope_core::{Tool, testing::conformance};
use agentscope_tool::{
    ToolExt, execute_python_code, execute_shell_command, insert_text_file, view_text_file, write_text_file,
};
use serde_json::{Value, json};
use std::sync::Arc;

async fn keeps_the_laws(tool: impl Tool, good: Value) {
    conformance::tool(Arc::new(tool), good).await;
}

#[tokio::test]
async fn the_shell_keeps_the_laws_of_tools() {
    keeps_the_laws(execute_shell_command(), json!({"command": "echo hello"})).await;
}

#[tokio::test]
async fn python_keeps_the_laws_of_tools_needs_python3() {
    keeps_the_laws(execute_python_code(), json!({"code": "print(17 * 23)"})).await;
}

#[tokio::test]
async fn the_file_tools_keep_the_laws_of_tools() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.txt");
    std::fs::write(&file, "one\ntwo\n").unwrap();
    let path = file.to_str().unwrap();
    keeps_the_laws(view_text_file(), json!({"file_path": path})).await;
    keeps_the_laws(write_text_file(), json!({"file_path": path, "content": "three\n"})).await;
    keeps_the_laws(insert_text_file(), json!({"file_path": path, "content": "x", "line_number": 1})).await;
}

#[tokio::test]
async fn an_adapted_tool_keeps_the_laws_of_tools() {
    let tool = execute_shell_command().preset("timeout", 5).rename("sh").limit_output(100);
    keeps_the_laws(tool, json!({"command": "echo hello"})).await;
}
