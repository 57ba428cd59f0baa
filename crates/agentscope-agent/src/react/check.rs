//! Before a tool runs: does it exist, do its arguments fit, may it run.

use super::{drive::Work, equip::Equipment};
use agentscope_core::{
    ALLOWED_SLOT, CallState, ContentBlock, Error, ErrorKind, EventKind, FINISH_TOOL, Next, Permission,
    PermissionRequest, Result, Tool, ToolCall, ToolResult, ToolSpec, ToolState,
};
use serde_json::Value;
use std::sync::Arc;

/// The tool by which a model activates groups of tools, in toolkits that have it.
const META_TOOL: &str = "reset_equipped_tools";

/// A call that can be run.
pub(super) struct Ready {
    pub(super) tool: Arc<dyn Tool>,
    pub(super) spec: Arc<ToolSpec>,
    pub(super) input: Value,
}

impl Work {
    /// Decides about calls that the model made: run, ask, or say why not.
    pub(super) async fn check(&mut self, calls: Vec<ToolCall>) -> Result<()> {
        let equipment = self.equip().await?;
        let wants_output = self.output_schema().is_some();
        for call in calls {
            if wants_output && call.name == FINISH_TOOL {
                self.move_on(&call, CallState::Allowed);
                continue;
            }
            let ready = match self.ready(&equipment, &call) {
                Ok(ready) => ready,
                Err(wrong) => {
                    self.refuse(&call, format!("Error: {wrong}"));
                    continue;
                }
            };
            match self.permission(&call, &ready.spec).await? {
                Permission::Allow if ready.spec.external => self.move_on(&call, CallState::Submitted),
                Permission::Allow => {
                    self.move_on(&call, CallState::Allowed);
                    self.checked.push((call, ready));
                }
                Permission::Deny(why) => {
                    let output = vec![ContentBlock::text(format!("The tool call was not allowed: {why}"))];
                    let result = ToolResult::new(call.id, call.name, ToolState::Denied, output);
                    self.turn.emit(EventKind::ToolResult(result));
                }
                _ => self.move_on(&call, CallState::Asking),
            }
        }
        Ok(())
    }

    pub(super) fn move_on(&mut self, call: &ToolCall, state: CallState) {
        self.turn.emit(EventKind::ToolCallState { id: call.id.clone(), state, input: None });
    }

    /// The tool and the arguments of a call, or what is wrong with it, in words for the model.
    pub(super) fn ready(&self, equipment: &Equipment, call: &ToolCall) -> Result<Ready, String> {
        let Some((tool, spec)) = equipment.find(&call.name) else {
            let names = equipment.names();
            let there = if names.is_empty() { "no tools at all".to_owned() } else { names.join(", ") };
            let inactive = if names.contains(&META_TOOL) {
                format!("; if it is in a group that is not active, activate the group by `{META_TOOL}` first")
            } else {
                String::new()
            };
            return Err(format!("there is no tool `{}`; there is: {there}{inactive}", call.name));
        };
        let input = match call.arguments() {
            Ok(fields) => Value::Object(fields),
            Err(error) => {
                return Err(format!(
                    "the arguments of `{}` are no JSON object ({error}); they may have been cut. The tool was not run",
                    call.name
                ));
            }
        };
        match self.config.validators.check(&spec.input_schema, &input) {
            Ok(()) => Ok(Ready { tool: Arc::clone(tool), spec: Arc::clone(spec), input }),
            Err(wrong) => Err(format!(
                "the arguments of `{}` do not fit its schema: {wrong}. The tool was not run",
                call.name
            )),
        }
    }

    /// The same where it was found out before, and nobody edited the call since.
    pub(super) fn ready_again(&mut self, equipment: &Equipment, call: &ToolCall) -> Result<Ready, String> {
        let is_it = |(it, _): &(ToolCall, Ready)| {
            (&it.id, &it.name, &it.input) == (&call.id, &call.name, &call.input)
        };
        match self.checked.iter().position(is_it) {
            Some(at) => Ok(self.checked.swap_remove(at).1),
            None => self.ready(equipment, call),
        }
    }

    async fn permission(&self, call: &ToolCall, spec: &Arc<ToolSpec>) -> Result<Permission> {
        let always = self.turn.state().slots.get(ALLOWED_SLOT).and_then(Value::as_array);
        let always = always.is_some_and(|names| names.iter().any(|name| *name == *call.name));
        let allowed = spec.read_only || always || self.config.allowed.contains(&call.name);
        let core = if allowed { Permission::Allow } else { Permission::Ask };
        if self.config.layers.is_empty() {
            return Ok(core);
        }
        let onion = Next::new(
            Arc::clone(&self.config.layers),
            |layer, req, cx, next| layer.on_permission(req, cx, next),
            move |_, _| {
                let permission = core.clone();
                Box::pin(async move { Ok(permission) })
            },
        );
        let answer = onion.run(PermissionRequest::new(call.clone(), Arc::clone(spec)), self.cx.clone());
        tokio::select! {
            biased;
            answer = answer => answer,
            () = self.cx.interrupt().triggered() => {
                Err(Error::new(ErrorKind::Unavailable, "interrupted while a permission was decided"))
            }
        }
    }
}
