use crate::flow::{flow, join};
use agentscope_core::{ContentBlock, Context, Result, Tool, ToolChunk, ToolRequest, ToolSpec, ToolStream};
use futures_util::StreamExt;
use std::sync::Arc;

type PostFn = dyn Fn(ToolRequest, Vec<ContentBlock>) -> Result<Vec<ContentBlock>> + Send + Sync;

struct Post {
    inner: Arc<dyn Tool>,
    post: Arc<PostFn>,
}

pub(super) fn post(inner: Arc<dyn Tool>, post: Arc<PostFn>) -> Arc<dyn Tool> {
    Arc::new(Post { inner, post })
}

impl Tool for Post {
    fn spec(&self) -> Arc<ToolSpec> {
        self.inner.spec()
    }

    fn call(&self, req: ToolRequest, cx: Context) -> ToolStream {
        let mut stream = self.inner.call(req.clone(), cx);
        let post = Arc::clone(&self.post);
        flow(|emit| async move {
            let mut whole = Vec::new();
            while let Some(chunk) = stream.next().await {
                match chunk? {
                    ToolChunk::Output { content } => join(&mut whole, content),
                    other => emit.send(other).await,
                }
            }
            emit.blocks(post(req, whole)?).await;
            Ok(())
        })
    }
}
