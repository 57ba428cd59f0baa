use crate::flow::flow;
use agentscope_core::{Context, Error, ErrorKind, Name, Tool, ToolRequest, ToolSpec, ToolStream};
use serde_json::Value;
use std::sync::Arc;

struct Preset {
    inner: Arc<dyn Tool>,
    spec: Arc<ToolSpec>,
    argument: Name,
    value: Value,
    /// Whether the tool has the argument.
    known: bool,
}

pub(super) fn preset(inner: Arc<dyn Tool>, argument: Name, value: Value) -> Arc<dyn Tool> {
    let mut spec = inner.spec();
    let known = takes(&spec.input_schema, &argument);
    let spec_mut = Arc::make_mut(&mut spec);
    hide(Arc::make_mut(&mut spec_mut.input_schema), &argument);
    Arc::new(Preset { inner, spec, argument, value, known })
}

/// Whether a schema names the argument, or says that it takes any.
fn takes(schema: &Value, argument: &str) -> bool {
    let any = schema.get("additionalProperties").is_some_and(|it| it != &Value::Bool(false));
    let named = schema.get("properties").is_some_and(|it| it.get(argument).is_some());
    any || named || parts(schema).any(|part| takes(part, argument))
}

fn parts(schema: &Value) -> impl Iterator<Item = &Value> {
    ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten()
}

/// Takes the argument out of a schema: its description, its being required, and where it serves as an example.
fn hide(schema: &mut Value, argument: &str) {
    let Some(schema) = schema.as_object_mut() else { return };
    for key in ["properties", "dependentRequired", "dependentSchemas", "default"] {
        if let Some(of) = schema.get_mut(key).and_then(Value::as_object_mut) {
            of.shift_remove(argument);
        }
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|it| it != argument);
        if required.is_empty() {
            schema.shift_remove("required");
        }
    }
    for example in schema.get_mut("examples").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(example) = example.as_object_mut() {
            example.shift_remove(argument);
        }
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        for part in schema.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
            hide(part, argument);
        }
    }
}

impl Tool for Preset {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    fn call(&self, mut req: ToolRequest, cx: Context) -> ToolStream {
        match self.fill(&mut req) {
            Ok(()) => self.inner.call(req, cx),
            Err(error) => flow(|_| async { Err(error) }),
        }
    }
}

impl Preset {
    fn fill(&self, req: &mut ToolRequest) -> agentscope_core::Result<()> {
        let Self { argument, spec, .. } = self;
        let refused = |message| Err(Error::new(ErrorKind::InvalidInput, message));
        if !self.known {
            let name = &spec.name;
            return refused(format!(
                "`{name}` has no argument `{argument}` that could be preset: correct the program"
            ));
        }
        if req.input.is_null() {
            req.input = Value::Object(Default::default());
        }
        let Some(input) = req.input.as_object_mut() else {
            return refused(format!("the arguments of `{}` must be an object", spec.name));
        };
        if input.contains_key(argument.as_str()) {
            return refused(format!("`{}` has no argument `{argument}`: leave it out", spec.name));
        }
        input.insert(argument.to_string(), self.value.clone());
        Ok(())
    }
}
