//! Where terminals have other ways: the line editor works, and keys are not seen while the agent works.

use crate::console::person::Typed;
use agentscope_core::Result;

/// A terminal as it is.
pub(super) struct Quiet;

impl Quiet {
    pub(super) fn begin() -> Result<Self> {
        Ok(Self)
    }

    pub(super) fn again(&self) -> Result<()> {
        Ok(())
    }

    pub(super) fn edit(&self) -> Result<()> {
        Ok(())
    }
}

/// No program is continued here.
pub(super) struct Resumed;

impl Resumed {
    pub(super) fn listen() -> Result<Self> {
        Ok(Self)
    }

    pub(super) async fn wait(&mut self) {
        std::future::pending().await
    }
}

/// No keys.
#[derive(Default)]
pub(super) struct Keys;

impl Keys {
    pub(super) async fn next(&mut self) -> Typed {
        std::future::pending().await
    }

    pub(super) fn forget(&mut self) {}
}
