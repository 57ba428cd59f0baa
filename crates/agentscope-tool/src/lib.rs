#![doc = include_str!("../README.md")]

mod adapt;
mod disk;
mod environment;
mod flow;
mod process;
mod python;
mod shell;
mod text_file;
mod toolkit;
mod workspace;

pub use adapt::{OutputLimit, ToolExt};
pub use environment::EnvironmentTools;
pub use python::{ExecutePythonCode, execute_python_code};
pub use shell::{ExecuteShellCommand, execute_shell_command};
pub use text_file::{
    InsertTextFile, ViewTextFile, WriteTextFile, insert_text_file, view_text_file, write_text_file,
};
pub use toolkit::{Group, META_TOOL, Namesake, ToolGroups, Toolkit, coding_tools};
pub use workspace::LocalWorkspace;
