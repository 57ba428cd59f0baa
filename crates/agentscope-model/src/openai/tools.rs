//! The tools of a request as the wire wants them.

use crate::wire::parameters;
use agentscope_core::ToolSpec;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::{
    borrow::Cow,
    sync::{Arc, Mutex, PoisonError, Weak},
};

pub(crate) struct Tools<'a>(pub(crate) &'a [Arc<ToolSpec>]);

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|spec| WireTool {
            kind: "function",
            function: Function {
                name: &spec.name,
                description: &spec.description,
                parameters: parameters(&spec.input_schema),
            },
        }))
    }
}

#[derive(Serialize)]
struct WireTool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    parameters: Cow<'a, Value>,
}

/// The tools of the last request as they were written: an agent mostly has the same ones in each of its requests.
#[derive(Debug, Default)]
pub(super) struct LastTools(Mutex<Option<Last>>);

/// Tools that nobody can change while they are pointed at. That keeps their place from others, so that it tells which they are.
#[derive(Debug)]
struct Last {
    tools: Weak<[Arc<ToolSpec>]>,
    /// Kept from the second time on: tools that are made anew for each request are not worth it.
    json: Option<Arc<[u8]>>,
}

impl LastTools {
    /// Writes tools behind `bytes`.
    ///
    /// # Errors
    /// Those of a schema that is no JSON.
    pub(super) fn write(&self, tools: &Arc<[Arc<ToolSpec>]>, bytes: &mut Vec<u8>) -> serde_json::Result<()> {
        let known = match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(last) if std::ptr::eq(last.tools.as_ptr(), Arc::as_ptr(tools)) => Some(last.json.clone()),
            _ => None,
        };
        if let Some(Some(json)) = known {
            bytes.extend_from_slice(&json);
            return Ok(());
        }
        let from = bytes.len();
        serde_json::to_writer(&mut *bytes, &Tools(tools))?;
        let json = known.and_then(|_| bytes.get(from..)).map(Arc::from);
        let last = Last { tools: Arc::downgrade(tools), json };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tools(names: &[&str]) -> Arc<[Arc<ToolSpec>]> {
        names.iter().map(|name| Arc::new(ToolSpec::new(*name, "", json!({"type": "object"})))).collect()
    }

    #[test]
    fn tools_are_written_alike_each_time_and_never_for_others() {
        let last = LastTools::default();
        let check = |tools: &Arc<[Arc<ToolSpec>]>| {
            let mut bytes = b"[".to_vec();
            last.write(tools, &mut bytes).unwrap();
            assert_eq!(bytes.split_off(1), serde_json::to_vec(&Tools(tools)).unwrap());
        };
        let (mut one, other) = (tools(&["one"]), tools(&["other", "more"]));
        for _ in 0..3 {
            check(&one);
        }
        check(&other);
        check(&one);
        check(&one);
        assert!(Arc::get_mut(&mut one).is_none(), "what is written once cannot be changed in place");
        Arc::make_mut(&mut one)[0] = Arc::new(ToolSpec::new("changed", "", json!({})));
        check(&one);
        for count in 0..20 {
            check(&tools(&[["a", "b"][count % 2]])); // in the place of the one before, where that were free
        }
    }
}
