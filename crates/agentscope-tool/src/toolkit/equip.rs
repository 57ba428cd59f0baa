use super::{
    Group,
    group::{ToolGroups, noted},
};
use crate::flow::flow;
use agentscope_core::{
    Context, Error, ErrorKind, Map, Name, Result, Slot, Tool, ToolChunk, ToolRequest, ToolSpec, ToolStream,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// The tool by which a model says which groups it needs.
pub const META_TOOL: &str = "reset_equipped_tools";

const DESCRIPTION: &str = "\
Choose the tool groups that you need for the task at hand. Each call sets the final state of all groups: a group that is not \
set to true is deactivated, whatever it was before, so name every group that you want to keep. The answer tells which groups \
are active and how to use their tools.";

/// The meta tool of a toolkit.
pub(super) struct Equip {
    groups: Arc<[Card]>,
    spec: Arc<ToolSpec>,
}

struct Card {
    name: Name,
    notes: Option<String>,
}

impl Equip {
    pub(super) fn new(groups: &[Group]) -> Self {
        let property = |group: &Group| {
            let schema = json!({"type": "boolean", "description": group.description, "default": false});
            (group.name.to_string(), schema)
        };
        let properties: Map = groups.iter().map(property).collect();
        let schema = json!({"type": "object", "properties": properties});
        // It changes nothing but the conversation to which it belongs: no reason to ask a person.
        let spec = ToolSpec::new(META_TOOL, DESCRIPTION, schema)
            .read_only()
            .idempotent()
            .parallel(false)
            .slot(ToolGroups::KEY);
        let card = |group: &Group| Card { name: group.name.clone(), notes: group.notes.clone() };
        Self { groups: groups.iter().map(card).collect(), spec: Arc::new(spec) }
    }
}

impl Tool for Equip {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    fn call(&self, req: ToolRequest, _: Context) -> ToolStream {
        let groups = Arc::clone(&self.groups);
        flow(|emit| async move {
            let active = chosen(&groups, &req.input)?;
            // Groups of another toolkit are not ours to change.
            let old = req.slots.get(ToolGroups::KEY);
            let mut slot = old.map(ToolGroups::deserialize).transpose()?.unwrap_or_default();
            let is_active = |card: &Card| active.iter().any(|it| it.name == card.name);
            slot.0.extend(groups.iter().map(|card| (card.name.clone(), is_active(card))));
            emit.send(ToolChunk::Slot { key: ToolGroups::KEY.into(), value: serde_json::to_value(&slot)? })
                .await;
            emit.send(ToolChunk::text(answer(&active))).await;
            Ok(())
        })
    }
}

/// The groups that shall be active. Everything is checked before anything changes.
fn chosen<'a>(groups: &'a [Card], input: &Value) -> Result<Vec<&'a Card>> {
    let none = Map::new();
    let input = match input {
        Value::Null => &none,
        Value::Object(input) => input,
        _ => return Err(invalid(groups, "the arguments must be an object".into())),
    };
    for (name, value) in input {
        if !groups.iter().any(|group| group.name == name.as_str()) {
            return Err(invalid(groups, format!("there is no tool group `{name}`")));
        }
        if !value.is_boolean() {
            return Err(invalid(groups, format!("`{name}` must be true or false, not {value}")));
        }
    }
    Ok(groups.iter().filter(|group| input.get(group.name.as_str()) == Some(&Value::Bool(true))).collect())
}

fn invalid(groups: &[Card], problem: String) -> Error {
    let names: Vec<_> = groups.iter().map(|group| format!("`{}`", group.name)).collect();
    let message = format!("{problem}; nothing was changed, the groups are {}", names.join(", "));
    Error::new(ErrorKind::InvalidInput, message)
}

fn answer(active: &[&Card]) -> String {
    if active.is_empty() {
        return "All tool groups are now deactivated.".into();
    }
    let names: Vec<_> = active.iter().map(|group| format!("'{}'", group.name)).collect();
    let mut answer = format!("Now tool groups {} are activated.", names.join(", "));
    let notes: Vec<_> = active.iter().filter_map(|card| noted(&card.name, card.notes.as_deref())).collect();
    if !notes.is_empty() {
        answer.push_str(" You MUST follow these notes to use their tools:\n<notes>");
        answer.push_str(&notes.join("\n\n"));
        answer.push_str("</notes>");
    }
    answer
}
