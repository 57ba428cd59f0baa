use agentscope_core::{Context, Name, Tool, ToolRequest, ToolSpec, ToolStream};
use std::sync::Arc;

struct Shown {
    inner: Arc<dyn Tool>,
    spec: Arc<ToolSpec>,
    own_name: Name,
}

impl Tool for Shown {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }
    fn call(&self, mut req: ToolRequest, cx: Context) -> ToolStream {
        req.name = self.own_name.clone();
        self.inner.call(req, cx)
    }
}

pub(crate) fn renamed(inner: Arc<dyn Tool>, name: Name) -> Arc<dyn Tool> {
    shown(inner, |spec| spec.name = name)
}

pub(super) fn described(inner: Arc<dyn Tool>, description: String) -> Arc<dyn Tool> {
    shown(inner, |spec| spec.description = description)
}

fn shown(inner: Arc<dyn Tool>, change: impl FnOnce(&mut ToolSpec)) -> Arc<dyn Tool> {
    let mut spec = inner.spec();
    let own_name = spec.name.clone();
    change(Arc::make_mut(&mut spec));
    Arc::new(Shown { inner, spec, own_name })
}
